import { rotators } from "../rotators/index.ts";
import { ownRights } from "./azure/permissions.ts";
import type { AzureRole } from "./azure/role.ts";
import { inventoryRoles, objectRoles } from "./azure/vault-roles.ts";
import { findConsumer } from "./consumers/index.ts";
import { readEventsRole } from "./doctor/roles.ts";
import { evidenceRole } from "./evidence/role.ts";
import { readable, type ConsumerKind } from "./policy-consumers.ts";
import type { Rotator } from "./rotator.ts";

/** A custom role as Azure takes it. */
export interface RoleDefinition {
  readonly name: string;
  readonly description: string;
  readonly actions: readonly string[];
  readonly dataActions: readonly string[];
}

const consumers = (Object.keys(readable) as ConsumerKind[]).map((kind) => findConsumer(kind));

/** Roles about which preflight asks, at each place where it needs them. */
const asked: readonly AzureRole[] = [
  ...Object.values(objectRoles).flatMap(({ object, staging }) => [
    ...object,
    ...(staging === undefined ? [] : [staging]),
  ]),
  ...(rotators as readonly Pick<Rotator<unknown>, "roles">[]).flatMap(({ roles }) => roles),
  ...consumers.flatMap(({ roles }) => roles),
];
const others: readonly AzureRole[] = [...Object.values(inventoryRoles), readEventsRole, evidenceRole];

const define = (
  { description, actions = [], dataActions = [] }: AzureRole,
  key: string,
  more: readonly string[] = [],
) => ({
  name: `Pinion ${key}`,
  description,
  actions: [...actions, ...more],
  dataActions: [...dataActions],
});

/**
 * Every custom role of Pinion, by its key: what rotators, consumers and activities declare. The roles that preflight asks about let their
 * holder ask, too, what it may do there.
 */
export const roles: Readonly<Record<string, RoleDefinition>> = Object.fromEntries(
  [
    ...asked.map((role) => [role.key, define(role, role.key, [ownRights])] as const),
    ...others.map((role) => [role.key, define(role, role.key)] as const),
  ].toSorted(([a], [b]) => (a < b ? -1 : 1)),
);
