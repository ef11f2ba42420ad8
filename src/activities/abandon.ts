import { X509Certificate } from "node:crypto";
import { PinionError } from "../errors.ts";
import type { Notes, Proof } from "../rotator.ts";
import { withdraw } from "../vault/adopting.ts";
import { tags } from "../vault/tags.ts";
import {
  certificateOf,
  certificatesIn,
  isAdoptable,
  newerThan,
  chainNote,
  operationNote,
  requireCertificate,
  wishOf,
} from "./certificate-slot.ts";
import type { Deps, Subject } from "./deps.ts";
import { createStep, type Scene } from "./step.ts";

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
      const proofs: Proof[] = [...((await subject.rotator.abandon?.(step)) ?? [])];
      if (subject.object.kind === "certificate") await removeOperation(scene);
      if (subject.madeIn === "object") await takeBackMade(scene, sourceVersion);
      if (subject.object.kind === "certificate" && subject.madeIn === "object")
        proofs.push(await coverPlaceholder(scene, sourceVersion));
      return { result: {}, proofs, state: { pendingSince: undefined, remindedAt: undefined, parked: undefined } };
    },
  });

async function removeOperation({ subject, step, signal }: Scene): Promise<void> {
  const { operations, name } = certificateOf(subject);
  const operation = await operations.operation(name, signal);
  if (operation === undefined || operation.status === "completed") return;
  const noted = step.notes.read(operationNote) === `${step.rotationId} ${operation.requestId}`;
  const mine = noted || (await operations.newestTags(name, signal))?.[tags.rotation] === step.rotationId;
  if (mine) await operations.remove(name, signal);
}

async function takeBackMade({ subject, step, signal }: Scene, sourceVersion: string): Promise<void> {
  const { vault, object } = subject;
  const newer = await newerThan(vault, object.name, sourceVersion, signal);
  const made = newer.find((version) => isAdoptable(version, step.rotationId));
  if (made === undefined) return;
  const followed = object.consumers.some(({ reads }) => reads === "latest");
  const { rotationId } = step;
  const { name, tags: policyTags } = object;
  await withdraw(vault, { name, rotationId, sourceVersion, version: made.version, tags: policyTags, followed }, signal);
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
      { wish: wishOf(subject), issuer: "Unknown", contentType, tags: { ...object.tags, ...marks }, reuseKey: true },
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
  const [by, ...others] = notes.read(chainNote)?.split(" ") ?? [];
  if (by !== undefined && by === found.tags[tags.rotation])
    return [found.leaf, ...others.map((one) => Buffer.from(one, "base64"))];
  const { subject, issuer } = new X509Certificate(found.leaf);
  return subject === issuer ? [found.leaf] : [];
}
