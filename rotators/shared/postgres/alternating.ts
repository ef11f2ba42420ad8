import { PinionError } from "../../../src/errors.ts";
import type { Credential, CredentialRef, Observed, Proof, Step } from "../../../src/rotator.ts";
import { generatePassword } from "../password.ts";
import { changeRole } from "./change.ts";
import type { Change, RoleNow } from "./change.ts";
import { adminSession, loginOf, logsIn } from "./connect.ts";
import { asChanger, inspect, refusesWrongPassword } from "./observe.ts";
import { comparePrivileges } from "./privileges.ts";
import { scramVerifier } from "./scram.ts";
import type { AlternatingTarget } from "./target.ts";

type S = Step<AlternatingTarget>;

/** Preflight of a pair. A change that somebody else is making right now cannot be seen; a later one is found by its mark. */
export async function observePair(step: S, current: Credential, negativeControl: boolean): Promise<Observed> {
  const { roles } = step.target;
  const user = await findSlot(step, current);
  const idle = roles[0] === user ? roles[1] : roles[0];
  const proofs: Proof[] = [{ name: `${user} logs in with the current value, as itself`, ok: true }];
  if (negativeControl) proofs.push(await refusesWrongPassword(step, user));
  const { seen, equal } = await adminSession(step, async (client) => ({
    seen: await inspect(client, [user, idle], { endSessions: step.target.terminateSessions }),
    equal: await comparePrivileges(client, user, idle),
  }));
  if (!equal.ok) {
    throw new PinionError(
      "PRIVILEGES_DIFFER",
      `The two roles are not alike: ${equal.detail ?? ""}. Grant to both, or to an owner role they share.`,
    );
  }
  const other = seen.roles[1]!;
  if (other.canLogin && other.sessions > 0 && other.rotationId !== step.rotationId) {
    throw new PinionError(
      "NO_FREE_SLOT",
      `${idle} should be idle but has ${other.sessions} open sessions: changing its password would lock their owner out. Move them to ${user}, or make ${idle} NOLOGIN.`,
    );
  }
  return {
    current: { id: user },
    idle: { id: idle },
    proofs: [...proofs, ...seen.proofs, equal],
    facts: {
      serverVersion: String(seen.version),
      idleCanLogin: String(other.canLogin),
      idleSessions: String(other.sessions),
      ...(other.rotationId === undefined ? {} : { idleLastRotation: other.rotationId }),
    },
  };
}

/** The role that the value names, confirmed by a login; for a value without a user name, the only role it opens. */
async function findSlot(step: S, current: Credential): Promise<string> {
  const { roles } = step.target;
  const opens = async (id: string) => await logsIn(step, loginOf("current", { ...current, id }));
  const unclear = (why: string) =>
    new PinionError(
      "SLOT_UNCLEAR",
      `${why} Adopt one: write a version of the object with the right user name and password.`,
    );
  if (current.id !== "") {
    if (!roles.includes(current.id))
      throw unclear(`The current value names ${current.id}, which is neither ${roles.join(" nor ")}.`);
    if (await opens(current.id)) return current.id;
    const other = roles.find((role) => role !== current.id)!;
    if (await opens(other)) throw unclear(`The current value names ${current.id}, but its password opens ${other}.`);
    throw new PinionError(
      "CURRENT_LOGIN_FAILED",
      `The current value does not open ${current.id}: it was changed by someone else, or the role may not log in.`,
    );
  }
  const open = [await opens(roles[0]), await opens(roles[1])];
  if (open[0] === open[1]) throw unclear(`The current value opens ${open[0] ? "both roles" : "neither role"}.`);
  return open[0] ? roles[0] : roles[1];
}

/** Puts the candidate on the idle role and lets it log in. */
export async function setIdle(step: S, next: Credential, current: Credential): Promise<Proof[]> {
  if (next.id === current.id || !step.target.roles.includes(next.id)) {
    throw new PinionError(
      "SLOT_UNCLEAR",
      `${next.id} is not the idle role of this pair; the current one is never changed.`,
    );
  }
  const candidate = loginOf("candidate", next);
  const name = `${next.id} has the candidate's password`;
  if (await logsIn(step, candidate)) return [{ name, ok: true, detail: "it was there already" }];
  const verifier = scramVerifier(candidate.password);
  const changed = await change(step, next.id, async ({ own, canLogin }) => {
    if (own !== undefined && own !== "set") throw late(step, next.id);
    if (own === "set" && canLogin && (await logsIn(step, candidate))) return undefined;
    return { state: "set", alter: `LOGIN PASSWORD '${verifier}'` };
  });
  return [{ name, ok: true, ...(changed ? {} : { detail: "it was there already" }) }];
}

/** NOLOGIN: no new login, open sessions stay. After a resume of the same round it is refused: that is a late copy. */
export async function suspendRole(step: S, old: CredentialRef): Promise<Proof[]> {
  await change(step, old.id, async ({ own, ownRound = 1, canLogin }) => {
    if (own === "resumed" && ownRound >= step.round) throw late(step, old.id);
    if (own === "revoked" || (own === "suspended" && !canLogin)) return undefined;
    return { state: "suspended", alter: "NOLOGIN" };
  });
  return [{ name: `${old.id} may not log in`, ok: true }];
}

/** LOGIN again, with the password it had. It lifts no suspension of a later round: that is a late copy. */
export async function resumeRole(step: S, old: CredentialRef): Promise<Proof[]> {
  await change(step, old.id, async ({ own, ownRound = 1, canLogin }) => {
    if (own === "suspended" && ownRound > step.round) throw late(step, old.id);
    if (own === "revoked") {
      throw new PinionError(
        "ROLLBACK_IMPOSSIBLE",
        `The password of ${old.id} has been taken away for good; rotate forward instead.`,
      );
    }
    if (own === "resumed" && ownRound >= step.round && canLogin) return undefined;
    // Where nothing was suspended only the mark is left, so that a late suspension of this round finds it.
    return canLogin ? { state: "resumed" } : { state: "resumed", alter: "LOGIN" };
  });
  return [{ name: `${old.id} may log in`, ok: true }];
}

/**
 * A password that nobody knows, and NOLOGIN; then shows that the old one is dead. After a resume of the same round it is refused: that
 * is a late copy, and the credential was given back to whoever missed it.
 */
export async function revokeRole(step: S, old: Credential): Promise<Proof[]> {
  const end = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = `;
  await adminSession(step, async (client) => {
    await changeRole(client, step, old.id, { marked: true }, async ({ own, ownRound = 1, canLogin }) => {
      if (own === "resumed" && ownRound >= step.round) throw late(step, old.id);
      if (own === "revoked" && !canLogin) return undefined;
      return {
        state: "revoked",
        alter: `NOLOGIN PASSWORD '${scramVerifier(generatePassword())}'`,
        // In the same transaction: a late copy must not end the sessions of whoever has the role next.
        ...(step.target.terminateSessions ? { also: end + client.escapeLiteral(old.id) } : {}),
      };
    });
  });
  return [{ name: `the old password of ${old.id} is refused`, ok: !(await logsIn(step, loginOf("old", old))) }];
}

async function change(step: S, role: string, decide: (now: RoleNow) => Promise<Change | undefined>): Promise<boolean> {
  return await asChanger(
    step,
    undefined,
    async (client) => await changeRole(client, step, role, { marked: true }, decide),
  );
}

function late(step: S, role: string): PinionError {
  return new PinionError(
    "LEASE_LOST",
    `Rotation ${step.rotationId} has already gone past this step for ${role}; a late copy changes nothing.`,
  );
}
