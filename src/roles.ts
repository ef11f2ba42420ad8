import { rotators } from "../rotators/index.ts";
import { readPermissionsRole } from "./azure/permissions.ts";
import type { AzureRole } from "./azure/role.ts";
import { inventoryRoles, objectRoles } from "./azure/vault-roles.ts";
import { findConsumer } from "./consumers/index.ts";
import { findTopicsRole, readEventsRole, readOwnRole } from "./doctor/roles.ts";
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

const declared: readonly AzureRole[] = [
  ...Object.values(objectRoles).flatMap(({ object, staging }) => [
    ...object,
    ...(staging === undefined ? [] : [staging]),
  ]),
  ...(rotators as readonly Pick<Rotator<unknown>, "roles">[]).flatMap(({ roles }) => roles),
  ...consumers.flatMap(({ roles }) => roles),
  ...Object.values(inventoryRoles),
  readPermissionsRole,
  readEventsRole,
  findTopicsRole,
  readOwnRole,
  evidenceRole,
];

/** Every custom role of Pinion, by its key: what rotators, consumers and activities declare. */
export const roles: Readonly<Record<string, RoleDefinition>> = Object.fromEntries(
  declared
    .toSorted((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ key, description, actions = [], dataActions = [] }) => [
      key,
      { name: `Pinion ${key}`, description, actions, dataActions },
    ]),
);
