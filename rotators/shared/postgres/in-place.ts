import { PinionError } from "../../../src/errors.ts";
import type { Credential, Observed, Proof, Step } from "../../../src/rotator.ts";
import { changeRole } from "./change.ts";
import { loginOf, logsIn, session } from "./connect.ts";
import type { Login } from "./connect.ts";
import { isLoginRefused } from "./faults.ts";
import { asChanger, inspect, refusesWrongPassword } from "./observe.ts";
import { scramVerifier } from "./scram.ts";
import type { InPlaceTarget } from "./target.ts";

type S = Step<InPlaceTarget>;

/** Preflight of one role. A change that somebody else is making right now cannot be seen. */
export async function observeRole(step: S, current: Credential, negativeControl: boolean): Promise<Observed> {
  const { role } = step.target;
  if (current.id !== "" && current.id !== role) {
    throw new PinionError("SLOT_UNCLEAR", `The current value names ${current.id}, but the target is ${role}.`);
  }
  const login = loginOf("current", { ...current, id: role });
  if (!(await logsIn(step, login))) {
    throw new PinionError(
      "CURRENT_LOGIN_FAILED",
      `The current value does not open ${role}: it was changed by someone else, or the role may not log in.`,
    );
  }
  const proofs: Proof[] = [{ name: `${role} logs in with the current value, as itself`, ok: true }];
  if (negativeControl) proofs.push(await refusesWrongPassword(step, role));
  const seen = await asChanger(step, login, async (client) => await inspect(client, [role], { endSessions: false }));
  return {
    current: { id: role },
    idle: { id: role },
    proofs: [...proofs, ...seen.proofs],
    facts: {
      serverVersion: String(seen.version),
      changedBy: step.target.admin?.user ?? role,
      lateCopies: step.target.admin ? "told by a mark" : "held off by the lease",
    },
  };
}

/** Replaces the password. The old one must still work until then: otherwise somebody else has changed it, and nothing is done. */
export async function setRole(step: S, next: Credential, current: Credential): Promise<Proof[]> {
  return await replace(step, { to: loginOf("candidate", next), from: loginOf("current", current), state: "set" });
}

/** Puts the former password back, by the administrator or by the role itself with the candidate. */
export async function restoreRole(step: S, previous: Credential, next: Credential): Promise<Proof[]> {
  return await replace(step, { to: loginOf("old", previous), from: loginOf("candidate", next), state: "restored" });
}

interface Replacement {
  readonly to: Login;
  readonly from: Login;
  readonly state: "set" | "restored";
}

async function replace(step: S, { to, from, state }: Replacement): Promise<Proof[]> {
  const { role } = step.target;
  if (to.user !== role || from.user !== role) throw new PinionError("SLOT_UNCLEAR", `This target is ${role} alone.`);
  const marked = step.target.admin !== undefined;
  const done = (detail?: string): Proof[] => [
    {
      name: `${role} has the ${state === "set" ? "candidate's" : "former"} password`,
      ok: true,
      ...(detail ? { detail } : {}),
    },
  ];
  const already = "it was there already";
  // Without marks the login is all there is to tell a late set from a due one; with them, a restore leaves its mark even
  // where nothing needs restoring, so that a late set of the same rotation finds it.
  if (!(marked && state === "restored") && (await logsIn(step, to))) return done(already);
  try {
    const changed = await asChanger(step, from, async (client) =>
      changeRole(client, step, role, { marked }, async ({ own }) => {
        if (state === "set" && own === "restored") {
          throw new PinionError(
            "LEASE_LOST",
            `Rotation ${step.rotationId} has already been turned back; a late copy changes nothing.`,
          );
        }
        if (await logsIn(step, to)) return marked && own !== state ? { state } : undefined;
        if (!(await logsIn(step, from))) throw outOfBand(role);
        return { state, alter: `PASSWORD '${scramVerifier(to.password)}'` };
      }),
    );
    return done(changed ? undefined : already);
  } catch (error) {
    if (marked || !isLoginRefused(error)) throw error;
    // The role could not log in to change itself: a second copy was faster, or somebody else was.
    if (await session(step, to, async () => true).catch(() => false)) return done(already);
    throw outOfBand(role);
  }
}

function outOfBand(role: string): PinionError {
  return new PinionError(
    "OUT_OF_BAND_CHANGE",
    `Neither value of this rotation opens ${role}: somebody else has changed it. Reconcile by hand.`,
  );
}
