import { PinionError } from "../../../src/errors.ts";
import type { CertificateSlot, Proof, Step, VaultCertificate } from "../../../src/rotator.ts";
import { openAuthority } from "./authority.ts";
import type { Authority } from "./authority.ts";
import { serialOf, signRequest, validityOf } from "./sign.ts";
import type { PrivateCaTarget } from "./target.ts";
import { demandGrantable } from "./wish.ts";

type S = Step<PrivateCaTarget>;

/** The authority can sign what the policy asks for, without signing anything. Errors as {@link signRequest}. */
export async function observeAuthority(
  step: S,
): Promise<{ proofs: readonly Proof[]; facts: Readonly<Record<string, string>> }> {
  const { target, ports } = step;
  const { wanted } = slotOf(step);
  const ca = await openAuthority(target, ports.keys, ports.now());
  demandGrantable(wanted, ca);
  const notAfter = demandLongEnough(step, ca);
  return {
    proofs: [
      { name: "the authority's key is usable and fits its certificate", ok: true, detail: ca.scheme.algorithm },
      { name: "every certificate up to the root is a valid authority, signed by the next", ok: true },
      { name: "the policy and the authorities permit the names and usages", ok: true, detail: wanted.names.join(", ") },
    ],
    facts: {
      authorityExpiresAt: new Date(ca.notAfter).toISOString(),
      certificateWouldExpireAt: new Date(notAfter).toISOString(),
    },
  };
}

/**
 * The rotation's certificate, made at the first call and found at every later one. The time of issue is noted before anything is signed:
 * a call that comes after a crash signs the same certificate again. Signing has no effect outside, so a signature that was lost is none.
 */
export async function issueCertificate(step: S): Promise<VaultCertificate> {
  const { target, ports, rotationId, signal } = step;
  const slot = slotOf(step);
  const made = await slot.made();
  if (made !== undefined) return made;
  signal.throwIfAborted();
  const ca = await openAuthority(target, ports.keys, ports.now());
  // Before the vault makes a key pair, so that a policy that asks too much leaves nothing behind.
  demandGrantable(slot.wanted, ca);
  demandLongEnough(step, ca);
  const { csr, requestId } = await slot.pending();
  signal.throwIfAborted();
  const now = await timeOfIssue(step, requestId);
  const serial = serialOf(rotationId, requestId, now);
  const leaf = await signRequest(csr, { ca, target, wanted: slot.wanted, now, serial });
  signal.throwIfAborted();
  return await merge(slot, [leaf, ...ca.chain]);
}

const day = 86_400_000;

/** When a certificate of now would end. One that is due again at once would not be proven, so none is made. */
function demandLongEnough(step: S, ca: Authority): number {
  const { wanted } = slotOf(step);
  const now = step.ports.now();
  const { notAfter } = validityOf({ ca, target: step.target, wanted, now });
  if (notAfter - now >= wanted.rotateBefore + day) return notAfter;
  const days = (duration: number) => (duration / day).toFixed(1);
  const why = notAfter === ca.notAfter ? "renew the authority" : "raise maxValidity";
  throw new PinionError(
    "TARGET_MISCONFIGURED",
    `A certificate would be valid for ${days(notAfter - now)} days, and is due ${days(wanted.rotateBefore)} days before its end, with one to spare: ${why}, or lower rotateBefore.`,
  );
}

/** Two copies of the step may sign at once; an ECDSA signature differs each time, so the second one finds another's leaf merged. */
async function merge(slot: CertificateSlot, chain: readonly Uint8Array[]): Promise<VaultCertificate> {
  try {
    return await slot.merge(chain);
  } catch (error) {
    const made = await slot.made();
    if (made === undefined) throw error;
    return made;
  }
}

const note = "private-ca-issued";

async function timeOfIssue({ notes, ports }: S, requestId: string): Promise<number> {
  const [known, time] = notes.read(note)?.split(" ") ?? [];
  if (known === requestId && time !== undefined) return Date.parse(time);
  // Without the parts of a second, so that reading it back gives the same.
  const now = Math.floor(ports.now() / 1000) * 1000;
  await notes.write(note, `${requestId} ${new Date(now).toISOString()}`);
  return now;
}

function slotOf({ slot }: S): CertificateSlot {
  if (slot !== undefined) return slot;
  throw new PinionError(
    "TARGET_MISCONFIGURED",
    "certificate-private-ca makes certificates only: set the object's kind.",
  );
}
