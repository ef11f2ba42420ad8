import { X509Certificate } from "node:crypto";
import { certificateOf, chainNote, noteOfChain, wishOf } from "../../activities/certificate-slot.ts";
import type { Subject } from "../../activities/deps.ts";
import { noted } from "../../activities/notes.ts";
import { checkWindow } from "../../activities/window.ts";
import { PinionError } from "../../errors.ts";
import type { Step } from "../../rotator.ts";
import type { ObjectState } from "../../store/types.ts";

/** What a certificate must have left when it comes, beside the time before its end at which the next is due. */
const day = 86_400_000;

const refused = (what: string) => new PinionError("BAD_REQUEST", `chain: ${what}`);

/** The certificates of a PEM text; `BAD_REQUEST` where it holds none. */
export function readChain(text: string): readonly X509Certificate[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  let chain: readonly X509Certificate[] = [];
  try {
    chain = blocks.map((block) => new X509Certificate(block));
  } catch {
    // Said below: the text of a parser helps nobody.
  }
  if (chain.length === 0) throw refused("expected PEM certificates, the leaf first.");
  return chain;
}

/** `BAD_REQUEST` unless each certificate after the leaf is an authority's that signed the one before it. */
export function requireIssuers(chain: readonly X509Certificate[]): void {
  for (const [at, issuer] of chain.entries()) {
    const below = chain[at - 1];
    if (below === undefined) continue;
    if (issuer.ca && below.checkIssued(issuer) && below.verify(issuer.publicKey)) continue;
    throw refused(
      `certificate ${at + 1} is no authority's that signed the one before it: bring the leaf, then each issuer in its turn, and nothing else.`,
    );
  }
}

/** `BAD_REQUEST` where the object could not remember the chain beside what it remembers already. */
export function requireRoom({ notes }: ObjectState, rotationId: string, chain: readonly Uint8Array[]): void {
  try {
    noted(notes, chainNote, noteOfChain(rotationId, chain));
  } catch {
    throw refused("it is too long to be remembered: leave out the root, and whatever leads to no root of the policy.");
  }
}

/** `WINDOW_CLOSED` where somebody reads the newest version of a certificate that is made in the object: for them the merge is the cutover. */
export function requireWindow({ object, madeIn }: Subject, { expiresAt }: ObjectState, now: number): void {
  if (madeIn === "staging" || !object.consumers.some(({ reads }) => reads === "latest")) return;
  try {
    checkWindow(object, new Date(now), expiresAt === undefined ? undefined : new Date(expiresAt));
  } catch (error) {
    if (!(error instanceof PinionError)) throw error;
    const { code, message, retryAfterSeconds } = error;
    const why = "Readers of the newest version get the certificate at once: bring it then.";
    throw new PinionError(code, `${message} ${why}`, { class: error.class, retryAfterSeconds });
  }
}

/** `BAD_REQUEST` with the first thing that is not as the policy wants it. Revocation is asked for later, by the rotation. */
export async function requireWanted(subject: Subject, step: Step<unknown>, chain: readonly Uint8Array[]) {
  const { checkCertificate } = await import("../../certificates/check.ts");
  const wanted = wishOf(subject);
  const [leaf = new Uint8Array(), ...others] = chain;
  // Who gets the private key gets the chain as it was merged; others are told of the authorities that the policy knows.
  const known = wanted.exportable ? [] : (subject.rotator.issuers?.(step) ?? []);
  const proofs = await checkCertificate({
    leaf,
    chain: [...others, ...known],
    roots: wanted.roots,
    wanted,
    now: step.ports.now(),
    policy: { selfSigned: false, remaining: wanted.rotateBefore + day },
  });
  const failed = proofs.find(({ ok }) => !ok);
  if (failed === undefined) return;
  throw refused(
    `this does not hold: ${failed.name} (${failed.detail ?? "no detail"}). Nothing was merged; bring another certificate for ${certificateOf(subject).name}.`,
  );
}
