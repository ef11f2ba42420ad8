import { PinionError } from "../errors.ts";
import { type PolicyCertificate, subjectOf } from "../policy-certificate.ts";
import type { CertificateSlot, CertificateWish, Notes, VaultCertificate } from "../rotator.ts";
import type { CertificateOperations, Operation } from "../vault/certificate-operations.ts";
import { stagingName } from "../vault/staging.ts";
import { ownMarks, tags } from "../vault/tags.ts";
import type { ObjectVersion, Vault } from "../vault/vault.ts";
import type { Subject } from "./deps.ts";

/** Where a rotation's candidate is made: in the staging certificate, or in the object itself. */
export interface SlotPlace {
  readonly subject: Subject;
  readonly rotationId: string;
  readonly notes: Notes;
  /** The version that was newest before; what is newer is the candidate. */
  readonly sourceVersion: string;
  readonly signal: AbortSignal;
}

/** The note that holds the request id of this rotation's operation, as `<rotation id> <request id>`. */
export const operationNote = "operation";
/** The note that holds the certificates beside the leaf, as `<rotation id> <base64> ...`. */
export const chainNote = "chain";

/** What the policy asks of the object's certificate; `TARGET_MISCONFIGURED` for an object that is none. */
export function wishOf({ object }: Subject): CertificateWish {
  const certificate = requireCertificate(object);
  const { names, key, exportable, usages, roots, revocation } = certificate;
  const subject = subjectOf(certificate);
  return {
    subject,
    names,
    validity: object.validity,
    rotateBefore: object.rotateBefore,
    key,
    exportable,
    usages,
    roots,
    revocation,
  };
}

export function requireCertificate(object: Subject["object"]): PolicyCertificate {
  if (object.certificate !== undefined) return object.certificate;
  throw new PinionError("TARGET_MISCONFIGURED", `${object.id} has no part certificate in the policy.`);
}

/** The name and operations of the certificate in which candidates are made. */
export function certificateOf(subject: Subject): { readonly operations: CertificateOperations; readonly name: string } {
  return subject.madeIn === "object"
    ? { operations: subject.certificates.object, name: subject.object.name }
    : { operations: subject.certificates.staging, name: stagingName(subject.key) };
}

/** Opens the slot of a rotation (see {@link CertificateSlot}). `issuer` is who the vault asks: `Self`, `Unknown` (a merge follows), or a registered one. */
export function openSlot(place: SlotPlace): CertificateSlot {
  const { subject, rotationId, notes, sourceVersion, signal } = place;
  const wanted = wishOf(subject);
  const { operations, name } = certificateOf(subject);
  const made = () => madeVersion(place);

  /** The operation of this rotation, as it is now. What an earlier rotation left behind is taken away first. */
  const running = async (): Promise<Operation | undefined> => {
    const found = await operations.operation(name, signal);
    const whose = found && (await ownerOf(place, found));
    if (whose === "ours" || found === undefined) return found;
    if (found.status !== "inProgress") return undefined;
    if (whose === "others") throw foreign(subject, name);
    await operations.remove(name, signal);
    return undefined;
  };

  const begin = async (issuer: string): Promise<void> => {
    const ask = async () => await operations.begin(name, { ...request(place, issuer), wish: wanted }, signal);
    await ask().catch(async (error: unknown) => {
      const deleted = error instanceof PinionError && error.code === "CONFLICT" && subject.madeIn === "staging";
      if (!deleted) throw error;
      await subject.staging.recover(name, signal).catch(() => undefined);
      await ask();
    });
  };

  return {
    wanted,
    source: () => subject.certificates.object.read(subject.object.name, sourceVersion, signal),
    made,
    async pending(issuer = "Unknown") {
      let operation = await running();
      // The certificate came after the caller had looked; another operation would make another version.
      if (operation?.status === "completed") throw cameMeanwhile(subject);
      if (operation === undefined) {
        await begin(issuer);
        operation = await running();
      }
      if (operation === undefined) throw lost(subject);
      // Another one would be another order.
      if (operation.status === "failed" || operation.status === "cancelled") {
        throw new PinionError(
          "TARGET_REFUSED",
          `${subject.object.id}: the request to ${operation.issuer} ended as ${operation.status} (${operation.why ?? "no reason given"}): look at the issuer, then start again.`,
        );
      }
      await notes.write(operationNote, `${rotationId} ${operation.requestId}`);
      return { csr: operation.csr ?? new Uint8Array(), requestId: operation.requestId };
    },
    async merge(chain) {
      const before = await made();
      if (before !== undefined) return before;
      await notes.write(chainNote, noteOfChain(rotationId, chain));
      await operations.merge(name, chain, signal).catch(async (error: unknown) => {
        // Its reply may have been lost the first time, or a second copy was faster.
        if ((await made()) === undefined) throw error;
      });
      const after = await made();
      if (after === undefined) throw lost(subject);
      return after;
    },
    async chain(version) {
      const noted = notedChain(notes, rotationId);
      if (noted !== undefined) return noted;
      // Somebody merged past Pinion.
      const text = await vaultOf(subject).value(name, version, signal);
      return certificatesIn(text).slice(1);
    },
  };
}

/**
 * Whose an operation is: this rotation's, by the note or by its placeholder's mark; left behind by an earlier one of this object; or
 * somebody else's.
 */
export async function ownerOf(
  { subject, rotationId, notes, signal }: Pick<SlotPlace, "subject" | "rotationId" | "notes" | "signal">,
  { requestId }: Operation,
): Promise<"ours" | "leftover" | "others"> {
  const [by, noted] = notes.read(operationNote)?.split(" ") ?? [];
  // The client tells no request id of an operation that failed.
  if (by === rotationId && (noted === requestId || requestId === "")) return "ours";
  const { operations, name } = certificateOf(subject);
  const marks = (await operations.newestTags(name, signal)) ?? {};
  if (marks[tags.rotation] === rotationId) return "ours";
  // A vault that renews by itself copies the tags of a version that was marked after it was made.
  const left = subject.madeIn === "staging" ? marks[tags.stageFor] === subject.key : marks[tags.marks] === undefined;
  return left && marks[tags.rotation] !== undefined ? "leftover" : "others";
}

const vaultOf = ({ madeIn, vault, staging }: Subject) => (madeIn === "object" ? vault : staging);

/** The certificates (DER) of a PEM text, in their order. */
export function certificatesIn(text: string): readonly Uint8Array[] {
  const blocks = text.matchAll(/-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----/g);
  return [...blocks].map(([, base64 = ""]) => Buffer.from(base64, "base64"));
}

/** The note about a chain (DER, leaf first) that is merged in a rotation. */
export const noteOfChain = (rotationId: string, chain: readonly Uint8Array[]): string =>
  [rotationId, ...chain.slice(1).map((one) => Buffer.from(one).toString("base64"))].join(" ");

/** The certificates beside the leaf (DER) that a rotation merged; undefined where the note is another's. */
export function notedChain(notes: Notes, rotationId: string): readonly Uint8Array[] | undefined {
  const [by, ...others] = notes.read(chainNote)?.split(" ") ?? [];
  return by === rotationId ? others.map((one) => Buffer.from(one, "base64")) : undefined;
}

function request({ subject, rotationId, sourceVersion }: SlotPlace, issuer: string) {
  const { object, key, madeIn } = subject;
  const marks = { [tags.rotation]: rotationId, [tags.previous]: sourceVersion };
  return {
    issuer,
    contentType: requireCertificate(object).contentType,
    tags: madeIn === "object" ? { ...object.tags, ...marks } : { [tags.rotation]: rotationId, [tags.stageFor]: key },
  };
}

/** The version that this rotation's candidate is: in the object any newer one, whoever asked the vault for it. */
async function madeVersion(place: SlotPlace): Promise<VaultCertificate | undefined> {
  const { subject, signal } = place;
  const { operations, name } = certificateOf(subject);
  const newest = await operations.read(name, undefined, signal);
  if (newest === undefined && subject.madeIn === "staging") return undefined;
  if (newest !== undefined && isCandidate(newest, place)) return newest;
  if (subject.madeIn === "staging") return undefined;
  // The placeholder of a later operation may hide it.
  const found = await madeInObject(place);
  return found && (await operations.read(name, found.version, signal));
}

function isCandidate(found: VaultCertificate, { subject, rotationId, sourceVersion }: SlotPlace): boolean {
  if (!found.enabled || found.version === sourceVersion) return false;
  return subject.madeIn === "staging"
    ? found.tags[tags.rotation] === rotationId && found.tags[tags.stageFor] === subject.key
    : isAdoptable(found, rotationId);
}

/** Whether a newer version may be this rotation's: made by it, or by nobody who marks. One of another rotation's is not. */
export function isAdoptable(found: Pick<ObjectVersion, "version" | "tags" | "enabled">, rotationId: string): boolean {
  const marks = ownMarks(found);
  const by = marks[tags.rotation];
  const turnedBack = marks[tags.withdrawn] !== undefined || marks[tags.rollbackOf] !== undefined;
  return found.enabled && !turnedBack && (by === undefined || by === rotationId);
}

/** The version in the object itself that is this rotation's, whoever asked the vault for it. */
export async function madeInObject({
  subject,
  rotationId,
  sourceVersion,
  signal,
}: Omit<SlotPlace, "notes">): Promise<ObjectVersion | undefined> {
  const newer = await newerThan(subject.vault, subject.object.name, sourceVersion, signal);
  return newer.find((version) => isAdoptable(version, rotationId));
}

/**
 * The versions that were made after one of them, newest first. Times are whole seconds: of those of the source's own second only the one
 * that the vault gives as its newest is surely later.
 */
export async function newerThan(
  vault: Vault,
  name: string,
  source: string,
  signal: AbortSignal,
): Promise<readonly ObjectVersion[]> {
  const versions = await vault.versions(name, signal);
  const at = versions.find(({ version }) => version === source)?.createdOn.getTime() ?? Number.POSITIVE_INFINITY;
  const same = versions.some(({ version, createdOn }) => version !== source && createdOn.getTime() === at);
  const newest = same ? (await vault.latest(name, signal)).version : undefined;
  return versions.filter(
    ({ version, createdOn }) => version !== source && (createdOn.getTime() > at || version === newest),
  );
}

function foreign({ object }: Subject, name: string): PinionError {
  return new PinionError(
    "OUT_OF_BAND_CHANGE",
    `${object.id}: somebody else's operation is pending on the certificate ${name}: merge, cancel or delete it, then start again.`,
  );
}

function cameMeanwhile({ object }: Subject): PinionError {
  return new PinionError("ISSUANCE_PENDING", `${object.id}: its certificate has just come; it is taken up.`, {
    class: "transient",
    retryAfterSeconds: 1,
  });
}

function lost({ object }: Subject): PinionError {
  return new PinionError(
    "STAGED_LOST",
    `${object.id}: its pending operation is gone before its certificate came: somebody deleted it; start again.`,
  );
}
