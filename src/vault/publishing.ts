import { PinionError } from "../errors.ts";
import type { ObjectVersion, Vault } from "./vault.ts";
import { nextTags, tags } from "./tags.ts";

export interface Publication {
  readonly version: string;
  /** ISO 8601. */
  readonly expiresAt: string;
  /** How many versions the object has now. */
  readonly versions: number;
}

export interface PublishRequest {
  readonly name: string;
  readonly rotationId: string;
  /** What must still be the newest version before ours is written. */
  readonly sourceVersion: string;
  /** The value to write; called only when there is something to write. `current` is the newest version's text. */
  readonly render: (current: string) => Promise<string>;
  /** Milliseconds the new version lives, from the vault's own time. */
  readonly validity: number;
  /** Tags that the policy gives every version; ours and these win over what the former version had. */
  readonly tags?: Readonly<Record<string, string>>;
  /** Set when this version carries an earlier version's credential again: the value of that tag. */
  readonly rollbackOf?: string;
}

/**
 * Writes a rotation's version of a managed object, once: a newest version that carries this rotation's mark is adopted.
 * There is no conditional write in Key Vault, so the predecessor is read back afterwards; `OUT_OF_BAND_CHANGE` when somebody
 * else's version is newest, or came in between.
 */
export async function publish(vault: Vault, request: PublishRequest, signal: AbortSignal): Promise<Publication> {
  const { name, rotationId, sourceVersion, rollbackOf } = request;
  const newest = await vault.latest(name, signal);
  const mark = {
    [tags.rotation]: rotationId,
    [tags.previous]: sourceVersion,
    ...(rollbackOf === undefined ? {} : { [tags.rollbackOf]: rollbackOf }),
  };
  let ours: ObjectVersion = newest;
  if (!isOurs(newest, rotationId, rollbackOf)) {
    if (newest.version !== sourceVersion) throw outOfBand(name, newest.version);
    ours = await vault.write(
      name,
      {
        value: await request.render(newest.value),
        expiresOn: new Date(newest.at.getTime() + request.validity),
        tags: nextTags(newest.tags, { ...request.tags, ...mark }),
        ...(newest.contentType === undefined ? {} : { contentType: newest.contentType }),
      },
      signal,
    );
  }
  const all = await vault.versions(name, signal);
  const between = foreignBetween(all, ours.version, sourceVersion);
  if (between !== undefined) throw outOfBand(name, between);
  return { version: ours.version, expiresAt: ours.expiresOn?.toISOString() ?? "", versions: all.length };
}

/** Whether a version was written by this rotation for this purpose (forward, or as a rollback). */
export function isOurs(version: ObjectVersion, rotationId: string, rollbackOf?: string): boolean {
  return version.tags[tags.rotation] === rotationId && version.tags[tags.rollbackOf] === rollbackOf;
}

/**
 * A version that is neither ours, nor the source, nor one of the source's forerunners by the `pinion-previous` chain, and not
 * older than the source. Creation times are whole seconds, so the chain is what tells a forerunner of the same second.
 */
function foreignBetween(versions: readonly ObjectVersion[], ours: string, source: string): string | undefined {
  const byId = new Map(versions.map((version) => [version.version, version]));
  const known = new Set([ours]);
  for (let at: string | undefined = source; at !== undefined && !known.has(at); at = byId.get(at)?.tags[tags.previous])
    known.add(at);
  const since = byId.get(source)?.createdOn.getTime() ?? 0;
  const rotation = byId.get(ours)?.tags[tags.rotation];
  return versions.find(
    (version) =>
      version.createdOn.getTime() > since && !known.has(version.version) && version.tags[tags.rotation] !== rotation,
  )?.version;
}

export function outOfBand(name: string, version: string): PinionError {
  return new PinionError(
    "OUT_OF_BAND_CHANGE",
    `Somebody else wrote version ${version} of ${name} during the rotation: nothing of it was overwritten; look at that version, then roll back or start again.`,
  );
}
