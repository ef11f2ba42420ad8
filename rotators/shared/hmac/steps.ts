import { PinionError } from "../../../src/errors.ts";
import type { Control, Credential, Observed, Proof, Step } from "../../../src/rotator.ts";
import { demandInTime, markOf } from "../mark.ts";
import { demandSettled, noteChange } from "../settled.ts";
import { probeAccepts } from "./probe.ts";
import { makeSecret, textOf } from "./secret.ts";
import { accountOf } from "./target.ts";
import type { HmacTarget } from "./target.ts";
import { readAccepted } from "./verifier.ts";
import type { Accepted, Change } from "./verifier.ts";

type S = Step<HmacTarget>;

const note = "hmac-accepted";

/** The verifier accepts the current secret, and there is room for one more. */
export async function observeSecrets(step: S, current: Credential, { negativeControl }: Control): Promise<Observed> {
  const accepted = await readAccepted(step);
  if (!accepted.has(current) || (await refused(step, current))) {
    throw new PinionError(
      "CURRENT_LOGIN_FAILED",
      "The verifier does not accept the current secret: it was changed by someone else, or never put into the verifier's list.",
    );
  }
  // After a crash it may be this rotation's own candidate.
  if (accepted.mark !== markOf(step, "set")) demandRoom(accepted, [current]);
  const proofs: Proof[] = [{ name: "the verifier accepts the current secret", ok: true }];
  if (negativeControl) proofs.push(...(await refusesRandom(step)));
  const account = accountOf(step.target);
  return { current: { id: account }, idle: { id: account }, proofs, facts: { secretsAccepted: String(accepted.size) } };
}

/** The verifier accepts the new secret beside the old one, with which the signer goes on. */
export async function acceptSecret(step: S, next: Credential, current: Credential): Promise<Proof[]> {
  const changed = await changeAccepted(step, "set", (accepted) => {
    demandRoom(accepted, [next, current]);
    return accepted.has(next) && accepted.has(current) ? undefined : { accept: [next, current] };
  });
  await noteChange(step, note, step.rotationId, changed);
  return [{ name: "the verifier is told to accept the new secret beside the old one", ok: true }];
}

/** Once the verifier cannot go by the former list any more (`NOT_SETTLED` until then): it accepts both, and no other. */
export async function validateSecrets(
  step: S,
  next: Credential,
  current: Credential,
  { negativeControl }: Control,
): Promise<readonly Proof[]> {
  const accepted = await readAccepted(step);
  const proofs: Proof[] = [
    { name: "the verifier's list has the new secret", ok: accepted.has(next) },
    { name: "the verifier's list has the old secret", ok: accepted.has(current) },
  ];
  if (proofs.some(({ ok }) => !ok)) return proofs;
  const name = "it has had it for as long as the verifier may lag behind";
  if (!demandSettled(step, note, step.rotationId, step.target.lag / 1000)) return [...proofs, { name, ok: false }];
  proofs.push({ name, ok: true });
  if (step.target.probe !== undefined) {
    for (const [who, credential] of [
      ["new", next],
      ["old", current],
    ] as const)
      proofs.push({
        name: `a canary signed with the ${who} secret is accepted`,
        ok: !(await refused(step, credential)),
      });
  }
  if (!negativeControl || proofs.some(({ ok }) => !ok)) return proofs;
  return [...proofs, ...(await refusesRandom(step))];
}

/** The verifier accepts this secret no longer; never takes the last one. */
export async function dropSecret(step: S, old: Credential): Promise<Proof[]> {
  // A candidate that comes back after this must wait anew.
  if (step.notes.read(note)?.startsWith(`${step.rotationId} `)) await step.notes.write(note, undefined);
  await changeAccepted(step, "revoked", (accepted) => {
    const there = accepted.has(old);
    // The mark alone is worth a write: it keeps out a late copy of the step that would bring the secret.
    if (!there) return accepted.mark === markOf(step, "revoked") ? undefined : { drop: old };
    if (accepted.size > 1) return { drop: old };
    throw new PinionError(
      "SLOT_UNCLEAR",
      "The verifier accepts no other secret: without this one every signature would fail.",
    );
  });
  return [{ name: "the verifier is told to accept the secret no longer", ok: true }];
}

/** Whether a signature made with it is accepted now. With a probe that is asked of the verifier itself, which may lag behind its list. */
export async function secretWorks(step: S, credential: Credential): Promise<boolean> {
  const { probe } = step.target;
  if (probe !== undefined) return await probeAccepts(step, probe, textOf(credential));
  return (await readAccepted(step)).has(credential);
}

/** How often a list that others write too is read anew. */
const attempts = 6;

async function changeAccepted(
  step: S,
  doing: "set" | "revoked",
  decide: (accepted: Accepted) => Change | undefined,
): Promise<boolean> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const accepted = await readAccepted(step);
    demandInTime(accepted.mark, step, doing);
    const change = decide(accepted);
    if (change === undefined) return false;
    step.signal.throwIfAborted();
    if (await accepted.change(change, markOf(step, doing))) return true;
  }
  throw new PinionError("LEASE_HELD", "Others keep writing the verifier's list; the step is tried again.", {
    class: "transient",
  });
}

function demandRoom(accepted: Accepted, known: readonly Credential[]): void {
  const count = accepted.others(known);
  if (count === 0) return;
  throw new PinionError(
    "NO_FREE_SLOT",
    `The verifier accepts ${count} more secrets than the ones of this object: take them out, or let the policy keep others.`,
  );
}

/** Whether the probe, where there is one, refuses a secret. */
async function refused({ target, ...rest }: S, credential: Credential): Promise<boolean> {
  return target.probe !== undefined && !(await probeAccepts({ target, ...rest }, target.probe, textOf(credential)));
}

/** Throws WRONG_PASSWORD_ACCEPTED when the verifier takes a signature made with any secret: then no proof here proves anything. */
async function refusesRandom(step: S): Promise<Proof[]> {
  const { probe } = step.target;
  if (probe === undefined) return [];
  if (await probeAccepts(step, probe, makeSecret(step.target))) {
    throw new PinionError(
      "WRONG_PASSWORD_ACCEPTED",
      "The probe accepts a signature made with a random secret, so it checks none: correct the verifier.",
    );
  }
  return [{ name: "a canary signed with a random secret is refused", ok: true }];
}
