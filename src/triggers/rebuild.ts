import type { Deps, Subject } from "../activities/deps.ts";
import { emptyState, type Stored } from "../store/records.ts";
import type { ObjectState } from "../store/types.ts";
import { carriedBy, ownMarks, tags } from "../vault/tags.ts";
import type { ObjectVersion } from "../vault/vault.ts";

/** Versions that are remembered as former ones, as `publish` does. */
const mostSuperseded = 20;

/**
 * What the tags of an object's versions tell of its record; undefined where the newest is not Pinion's. `versions` newest first. What the last
 * rotation was, which version it published and when, and which versions were current before it: so pins are compared again, a late event
 * for a former version is known for one, and a young version is not rotated at once.
 */
export function recordOf(newest: ObjectVersion, versions: readonly ObjectVersion[]): ObjectState | undefined {
  const marks = ownMarks(newest);
  const rotationId = marks[tags.rotation];
  if (rotationId === undefined) return undefined;
  // A version that carries a former credential again is as due as that one, whenever it was written.
  const fresh = marks[tags.rollbackOf] === undefined;
  const current = [newest.version, ...carriedBy(newest.tags)];
  return {
    ...emptyState,
    rotationId,
    sourceVersion: marks[tags.previous] ?? "",
    publishedVersion: newest.version,
    ...(fresh && { publishedAt: newest.createdOn.toISOString() }),
    ...(newest.expiresOn && { publishedUntil: newest.expiresOn.toISOString() }),
    versionCount: versions.length,
    superseded: versions
      .map(({ version }) => version)
      .filter((version) => !current.includes(version))
      .slice(0, mostSuperseded)
      .toReversed(),
  };
}

/**
 * Writes the record of an object anew that has none, from its tags in the vault: Pinion's storage was lost, or another Pinion rotated it
 * before. A former version that is still enabled may belong to a rotation that never ended; that is told, and the next rotation retires it.
 */
export async function rebuild(
  deps: Deps,
  { object, key, vault, rotator }: Subject,
  signal: AbortSignal,
): Promise<Stored<ObjectState> | undefined> {
  // Versions of one second have no order; which one is newest the vault knows.
  const newest = await vault.latest(object.name, signal);
  const versions = await vault.versions(object.name, signal);
  const record = recordOf(newest, versions);
  if (record === undefined) return undefined;
  const etag = await deps.records.write(key, record, "");
  if (etag === undefined) return undefined;
  const { rotationId = "", sourceVersion } = record;
  const dies = rotator.former === undefined;
  const open = dies && versions.some(({ version, enabled }) => version === sourceVersion && enabled);
  const hint = open ? `; version ${sourceVersion} is still enabled, and its credential may be alive` : "";
  deps.log("warning", `${object.id} had no record: it was rebuilt from the vault's tags${hint}`, {
    counter: "record.rebuilt",
    object: object.id,
    rotationId,
    formerEnabled: open,
  });
  return { value: record, etag };
}
