import { readSecretRole } from "../src/azure/vault-roles.ts";
import { defineRotator } from "../src/rotator.ts";
import { accountOf, adminNeeds, alternatingTarget, inPlaceTarget } from "./shared/postgres/target.ts";
import { observePair, resumeRole, revokeRole, setIdle, suspendRole } from "./shared/postgres/alternating.ts";
import { adminSession, loginOf, logsIn } from "./shared/postgres/connect.ts";
import { observeRole, restoreRole, setRole } from "./shared/postgres/in-place.ts";
import { candidateFor } from "./shared/postgres/observe.ts";
import { comparePrivileges } from "./shared/postgres/privileges.ts";
import { sampleUsage } from "./shared/postgres/usage.ts";
import { validateLogin, withControl } from "./shared/postgres/validate.ts";

/**
 * Two PostgreSQL roles used in turn: no login ever fails. Both should own nothing and become a NOLOGIN owner role at login
 * (`ALTER ROLE a SET role TO owner`), else what one makes belongs to it alone.
 */
export const postgresAlternating = defineRotator({
  kind: "postgres",
  strategy: "alternating",
  target: alternatingTarget,
  roles: [readSecretRole],
  needs: (target) => adminNeeds(target),
  idle: "observable",
  accounts: (target) => target.roles.map((role) => accountOf(target, [role])),
  account: (target) => accountOf(target, target.roles),
  observe: async (step, current, { negativeControl }) => await observePair(step, current, negativeControl),
  create: async (step, { idle }) => candidateFor(step, idle.id),
  set: setIdle,
  validate: async (step, next, old, control) => {
    const proofs = await validateLogin(step, next);
    const equal = await adminSession(step, (client) => comparePrivileges(client, old.id, next.id));
    return await withControl(step, next, [...proofs, equal], control);
  },
  works: async (step, credential) => await logsIn(step, loginOf("old", credential)),
  usage: async (step, old) => await adminSession(step, (client) => sampleUsage(client, step, old.id)),
  suspension: { suspend: suspendRole, resume: resumeRole },
  revoke: revokeRole,
});

/**
 * One PostgreSQL role: from the change until a consumer has the new value, its new logins fail; open sessions stay. With an
 * administrator late copies are told by a mark on the role; a role that changes itself can leave none, so there a second
 * copy is held off by the lease, the lock and a login with the value it means to replace.
 */
export const postgresInPlace = defineRotator({
  kind: "postgres",
  strategy: "in-place",
  restorable: true,
  target: inPlaceTarget,
  roles: [readSecretRole],
  needs: (target) => adminNeeds(target),
  idle: "unobservable",
  soleAccount: (target) => target.role,
  accounts: (target) => [accountOf(target, [target.role])],
  account: (target) => accountOf(target, [target.role]),
  observe: async (step, current, { negativeControl }) => await observeRole(step, current, negativeControl),
  create: async (step, { idle }) => candidateFor(step, idle.id),
  set: setRole,
  validate: async (step, next, _old, control) =>
    await withControl(step, next, await validateLogin(step, next), control),
  works: async (step, credential) => await logsIn(step, loginOf("old", credential)),
  restore: restoreRole,
});
