import { expect } from "vitest";
import { needOf } from "../../local/vault/actions.ts";
import type { Authorize } from "../../local/vault/model.ts";
import { findRotator } from "../../rotators/index.ts";
import type { Arm } from "../../src/azure/arm.ts";
import { readPermissionsRole } from "../../src/azure/permissions.ts";
import { findConsumer } from "../../src/consumers/index.ts";
import { PinionError } from "../../src/errors.ts";
import { type GrantOptions, grantsOf } from "../../src/grants.ts";
import { roles } from "../../src/roles.ts";
import type { Rotator } from "../../src/rotator.ts";
import type { LifeObject } from "./world.ts";

// The app's rights, which a test takes away and gives back: the vault refuses by the same list that Azure Resource Manager tells.

/** What is assigned: data actions (`*`: all), at an ARM id and below. */
export interface Assigned {
  readonly scope: string;
  readonly actions: readonly string[];
  readonly dataActions: readonly string[];
}

const prefix = "Microsoft.KeyVault/vaults/";
const app = { caller: "app", described: "app" } as const;

/** These data actions in every vault, without their prefix; `*`: all. */
export const everywhere = (...actions: readonly string[]): readonly Assigned[] => [
  { scope: "", actions: ["*"], dataActions: actions.map((action) => (action === "*" ? action : `${prefix}${action}`)) },
];

export function openRights() {
  const everything = everywhere("*");
  const rights = {
    granted: everything,
    /** Data actions that were used since it was emptied, without their prefix. */
    used: new Set<string>(),
    all: () => void (rights.granted = everything),
  };
  const at = (scope: string) =>
    rights.granted.filter((one) => one.scope === "" || scope === one.scope || scope.startsWith(`${one.scope}/`));
  const may = (action: string, scope: string) =>
    at(scope).some(({ dataActions }) => dataActions.includes("*") || dataActions.includes(`${prefix}${action}`));
  /** The ARM id of what a data action is about. */
  const scopeOf = (vault: string, action: string, name = "") =>
    [vault, /^(secrets|certificates)\//.exec(action)?.[1] ?? "keys", name].join("/");

  const authorize: Authorize = (token, { resourceId }, { operation = "", name }) => {
    // The client asks without a token, and without a body, until it knows whose it needs.
    if (token === undefined) return { ok: false, status: 401, code: "Unauthorized", message: "No token.", ...app };
    const action = needOf(operation)?.action;
    if (action === undefined || may(action, scopeOf(resourceId, action, name))) {
      if (action !== undefined) rights.used.add(action);
      return { ok: true, ...app };
    }
    const message = `Action: '${action}'`;
    return { ok: false, status: 403, code: "Forbidden", message, inner: "ForbiddenByRbac", ...app };
  };

  const arm: Arm = async ({ path }) => {
    const [, scope] = /^(.*)\/providers\/Microsoft\.Authorization\/permissions$/.exec(path) ?? [];
    if (scope === undefined) return undefined;
    const told = at(scope);
    const asks = readPermissionsRole.actions?.[0] ?? "";
    if (!told.some(({ actions }) => actions.includes("*") || actions.includes(asks)))
      throw new PinionError("CONSUMER_FORBIDDEN", "It may not ask what it may do.");
    return { value: told.map((one) => ({ ...one, notActions: [], notDataActions: [] })) };
  };
  return Object.assign(rights, { authorize, arm });
}

/** What onboarding assigns for an object's policy: what its rotation needs, and the right to ask. What the sweep and the doctor need is left out. */
export function grantsFor(object: LifeObject, options: GrantOptions = {}, other?: Rotator<unknown>) {
  const rotator: typeof findRotator = (kind, strategy) => (kind === other?.kind ? other : findRotator(kind, strategy));
  const { grants, unplaced } = grantsOf(object.parsed.policy!, { rotator, consumer: findConsumer }, options);
  expect(unplaced).toEqual([]);
  const all = grants.map(({ role, scope }) => ({ role, scope, ...roles[role]! }));
  const others = /^(inventory-.*|read-permissions|read-events|find-topics)$/;
  return {
    asking: all.filter(({ role }) => role === "read-permissions"),
    needed: all.filter(({ role }) => !others.test(role)),
  };
}
