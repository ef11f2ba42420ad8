import { PinionError } from "../errors.ts";
import { outOfBand, type Publication } from "./publishing.ts";
import { nextTags, ownMarks, rollbackMark, tags } from "./tags.ts";
import type { ObjectVersion, Vault } from "./vault.ts";

// Versions that the vault itself made in the object: they are marked afterwards, since the vault takes no mark when it makes one.

export interface Made {
  readonly name: string;
  readonly rotationId: string;
  readonly sourceVersion: string;
  /** The version that the vault made. */
  readonly version: string;
  /** Tags that the policy gives every version. */
  readonly tags: Readonly<Record<string, string>>;
}

/** Marks a version as this rotation's. A second call changes nothing. */
export async function mark(vault: Vault, made: Made, signal: AbortSignal): Promise<void> {
  const { found } = await find(vault, made, signal);
  const marks = ownMarks(found);
  if (marks[tags.marks] === made.version && marks[tags.rotation] === made.rotationId) return;
  await vault.tag(made.name, made.version, marksOf(made, found), signal);
}

/** The publication of a version that is in the object already: it is the newest, it is marked, and nobody made one in between. */
export async function adopt(vault: Vault, made: Made, signal: AbortSignal): Promise<Publication> {
  const { name, version, sourceVersion, rotationId } = made;
  const { found, all } = await find(vault, made, signal);
  const source = all.find((one) => one.version === sourceVersion);
  const foreign = all.find(
    (one) =>
      one.version !== version &&
      one.version !== sourceVersion &&
      source !== undefined &&
      one.createdOn > source.createdOn &&
      ownMarks(one)[tags.withdrawn] === undefined,
  );
  if (foreign !== undefined) throw outOfBand(name, foreign.version);
  if (ownMarks(found)[tags.rotation] !== rotationId) await mark(vault, made, signal);
  return { version, expiresAt: found.expiresOn?.toISOString() ?? "", versions: all.length };
}

/**
 * Turns a version back that cannot be unmade: it stays, enabled, since somebody may have used it, but the source is current again. Where
 * readers follow the newest they stay on it, and only the pins of the others count as those of the source.
 */
export async function withdraw(
  vault: Vault,
  made: Made & { readonly followed: boolean },
  signal: AbortSignal,
): Promise<void> {
  const { found, all } = await find(vault, made, signal);
  const { sourceVersion, followed } = made;
  const source = all.find((one) => one.version === sourceVersion);
  const back: Record<string, string> = followed
    ? { [tags.rollbackOf]: rollbackMark(sourceVersion, source?.tags ?? {}) }
    : { [tags.withdrawn]: sourceVersion };
  const before = ownMarks(found);
  if (Object.entries(back).every(([name, value]) => before[name] === value)) return;
  await vault.tag(made.name, made.version, { ...marksOf(made, found), ...back }, signal);
}

function marksOf({ rotationId, sourceVersion, version, tags: policyTags }: Made, found: ObjectVersion) {
  const marks = { [tags.rotation]: rotationId, [tags.previous]: sourceVersion, [tags.marks]: version };
  return nextTags(found.tags, { ...policyTags, ...marks });
}

async function find(vault: Vault, { name, version }: Made, signal: AbortSignal) {
  const all = await vault.versions(name, signal);
  const found = all.find((one) => one.version === version);
  if (found !== undefined) return { found, all };
  throw new PinionError(
    "STAGED_LOST",
    `The version ${version} of ${name} is gone; it was there a moment ago. Start again.`,
  );
}
