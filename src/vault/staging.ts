import { createHash } from "node:crypto";
import { PinionError } from "../errors.ts";
import type { NewVersion, Vault } from "./vault.ts";
import { tags } from "./tags.ts";

/** What the name of every staging object begins with. */
export const stagingPrefix = "pinion-stage-";

/**
 * The staging secret of a managed object: a sibling named from a hash, so that a configuration provider that reads every
 * secret and maps `--` finds nothing it could take for a setting (design 3.4).
 */
export function stagingName(object: string): string {
  return `${stagingPrefix}${createHash("sha256").update(object).digest("hex").slice(0, 24)}`;
}

/** How long a staged version says it lives: over 31 days, so that it starts no near-expiry event, and within strict policies' maximum. */
const stagedDays = 60;

export interface Staged {
  readonly version: string;
  readonly value: string;
}

/** The live staged version of this rotation, or undefined. Refuses a secret of that name that Pinion did not make. */
export async function findStaged(
  vault: Vault,
  object: string,
  rotationId: string,
  signal: AbortSignal,
): Promise<Staged | undefined> {
  try {
    const found = await vault.latest(stagingName(object), signal);
    if (found.tags[tags.stageFor] !== object) {
      throw new PinionError(
        "STAGING_FOREIGN",
        `The secret ${found.name} exists and was not made by Pinion for ${object}: rename or delete it.`,
      );
    }
    return found.tags[tags.rotation] === rotationId ? { version: found.version, value: found.value } : undefined;
  } catch (error) {
    if (error instanceof PinionError && (error.code === "SECRET_NOT_FOUND" || error.code === "SECRET_DISABLED"))
      return undefined;
    throw error;
  }
}

/** Stages a value for a rotation. A soft-deleted staging secret is recovered first. */
export async function writeStaged(
  vault: Vault,
  object: string,
  rotationId: string,
  staged: { readonly value: string; readonly contentType: string; readonly at: Date },
  signal: AbortSignal,
): Promise<Staged> {
  const next: NewVersion = {
    value: staged.value,
    contentType: staged.contentType,
    expiresOn: new Date(staged.at.getTime() + stagedDays * 86_400_000),
    tags: { [tags.stageFor]: object, [tags.rotation]: rotationId },
  };
  const name = stagingName(object);
  try {
    return { version: (await vault.write(name, next, signal)).version, value: staged.value };
  } catch (error) {
    if (!(error instanceof PinionError && error.code === "CONFLICT")) throw error;
    await vault.recover(name, signal);
    return { version: (await vault.write(name, next, signal)).version, value: staged.value };
  }
}
