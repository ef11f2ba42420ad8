import { X509Certificate } from "node:crypto";
import { PinionError } from "../errors.ts";
import type { CertificateWish, Notes, Proof, Step } from "../rotator.ts";
import { tags } from "../vault/tags.ts";
import {
  certificateOf,
  certificatesIn,
  madeInObject,
  notedChain,
  ownerOf,
  requireCertificate,
  wishOf,
} from "./certificate-slot.ts";
import type { Deps, Subject } from "./deps.ts";
import { createStep, type Scene, type StatePatch } from "./step.ts";
import { takeBack } from "./taken-back.ts";

/**
 * Undoes what an unfinished stage left: the rotator's orders and challenges, the pending operation of this rotation, and, in the object
 * itself, a version that came after all. A placeholder that stays newest is covered by the former certificate.
 */
export const createAbandon = (deps: Deps) =>
  createStep(deps, {
    name: "abandon",
    leased: true,
    phases: ["running", "rolling-back"],
    async run(scene, { sourceVersion }) {
      const { subject, step } = scene;
      const { kind } = subject.object;
      const proofs: Proof[] = [];
      if (kind === "certificate") await removeOperation(scene);
      const back = subject.madeIn === "object" ? await takeBackMade(scene, sourceVersion) : {};
      if (kind === "certificate" && subject.madeIn === "object")
        proofs.push(await coverPlaceholder(scene, sourceVersion));
      if (kind === "certificate" && subject.madeIn === "staging") await disableStaged(scene);
      // Last: what it left elsewhere may be out of reach for good, and the vault must not wait for that.
      proofs.push(...(await abandonElsewhere(subject.rotator, step)));
      const waited = { pendingSince: undefined, remindedAt: undefined, parked: undefined };
      return { result: {}, proofs, state: { ...waited, ...back } };
    },
  });

/** The rotator's own cleaning. What it cannot do for good is said; what may heal is tried again. */
async function abandonElsewhere(rotator: Subject["rotator"], step: Step<unknown>): Promise<readonly Proof[]> {
  try {
    return (await rotator.abandon?.(step)) ?? [];
  } catch (error) {
    if (!(error instanceof PinionError) || error.class !== "permanent") throw error;
    return [{ name: "nothing is left at the issuer", ok: false, detail: `${error.code}. ${error.message}` }];
  }
}

async function removeOperation({ subject, step, signal }: Scene): Promise<void> {
  const { operations, name } = certificateOf(subject);
  const operation = await operations.operation(name, signal);
  if (operation === undefined || operation.status === "completed") return;
  const { rotationId, notes } = step;
  if ((await ownerOf({ subject, rotationId, notes, signal }, operation)) === "ours")
    await operations.remove(name, signal);
}

/** A staged certificate that nobody will publish holds a private key that can be exported. */
async function disableStaged({ subject, step, signal }: Scene): Promise<void> {
  const made = await step.slot?.made();
  if (made !== undefined) await subject.staging.disable(certificateOf(subject).name, made.version, signal);
}

async function takeBackMade(scene: Scene, sourceVersion: string): Promise<StatePatch> {
  const { subject, step, signal } = scene;
  const made = await madeInObject({ subject, rotationId: step.rotationId, sourceVersion, signal });
  return made === undefined ? {} : (await takeBack(scene, { sourceVersion, version: made.version })).state;
}

/**
 * After an operation was taken away its placeholder is the newest version, disabled and empty, for those who read the certificate itself
 * (readers of its secret never see it). A request with the former key, merged with the former certificate, puts a whole version on top.
 * Where the former chain is not known the placeholder stays, and that is said.
 */
async function coverPlaceholder({ subject, step, signal }: Scene, sourceVersion: string): Promise<Proof> {
  const { object, certificates } = subject;
  const operations = certificates.object;
  const name = "the newest version of the certificate is whole";
  if ((await operations.read(object.name, undefined, signal)) !== undefined) return { name, ok: true };
  if ((await operations.operation(object.name, signal))?.status === "inProgress")
    return { name, ok: false, detail: "an operation of somebody else is pending; it is left as it is" };
  const chain = await formerChain(subject, step.notes, sourceVersion, signal);
  const stays = {
    name,
    ok: false,
    detail: "a disabled placeholder is newest until the next version; readers of the secret get the former",
  };
  if (chain.length === 0) return stays;
  const { contentType } = requireCertificate(object);
  const marks = { [tags.rotation]: step.rotationId, [tags.previous]: sourceVersion, [tags.rollbackOf]: sourceVersion };
  try {
    await operations.begin(
      object.name,
      {
        wish: { ...wishOf(subject), key: keyOf(chain[0]) },
        issuer: "Unknown",
        contentType,
        tags: { ...object.tags, ...marks },
        reuseKey: true,
      },
      signal,
    );
    await operations.merge(object.name, chain, signal);
    return { name, ok: true, detail: "it carries the former certificate again" };
  } catch (error) {
    if (!(error instanceof PinionError) || error.class !== "permanent") throw error;
    // The vault would not use the former key again (a key of another kind, say).
    await operations.remove(object.name, signal);
    return stays;
  }
}

const curves: Readonly<Record<string, "P-256" | "P-384" | "P-521">> = {
  prime256v1: "P-256",
  secp384r1: "P-384",
  secp521r1: "P-521",
};

/** The kind of key that a certificate (DER) is for: the policy may ask for another by now, and a vault uses only one of the same kind again. */
function keyOf(leaf: Uint8Array = new Uint8Array()): CertificateWish["key"] {
  const { asymmetricKeyDetails: details = {} } = new X509Certificate(leaf).publicKey;
  const curve = curves[details.namedCurve ?? ""];
  if (curve !== undefined) return { type: "EC", curve };
  return { type: "RSA", size: details.modulusLength === 4096 ? 4096 : details.modulusLength === 3072 ? 3072 : 2048 };
}

/** The former certificate with its issuers (DER), from a PEM, from what was noted when it was merged, or alone where it signs itself. */
async function formerChain(
  { object, certificates, vault }: Subject,
  notes: Notes,
  sourceVersion: string,
  signal: AbortSignal,
): Promise<readonly Uint8Array[]> {
  const text = await vault.value(object.name, sourceVersion, signal);
  const shown = certificatesIn(text);
  if (shown.length > 0) return shown;
  const found = await certificates.object.read(object.name, sourceVersion, signal);
  if (found === undefined) return [];
  const noted = notedChain(notes, found.tags[tags.rotation] ?? "");
  if (noted !== undefined) return [found.leaf, ...noted];
  const { subject, issuer } = new X509Certificate(found.leaf);
  return subject === issuer ? [found.leaf] : [];
}
