import type { Deps, Subject } from "../activities/deps.ts";
import type { ObjectState } from "../store/types.ts";
import type { ObjectSummary } from "../vault/vault.ts";

/** A version as the sweep's report names it. */
export type Current = NonNullable<NonNullable<ObjectState["report"]>["current"]>;

const patience = 30_000;

/**
 * The version that a start names. A list tells when the newest one was made, and not its id: that is asked for once for each version, and
 * only of objects that may be rotated. Undefined also where it could not be read, or two were made in one second.
 */
export async function currentVersion(
  { stop }: Deps,
  { object, vault }: Subject,
  seen: ObjectSummary | undefined,
  known: Current | undefined,
): Promise<Current | undefined> {
  if (seen?.enabled !== true) return undefined;
  const madeAt = seen.createdOn.toISOString();
  if (seen.version !== "") return { version: seen.version, madeAt };
  if (known?.madeAt === madeAt) return known;
  if (stop || object.mode === "observe") return undefined;
  const [newest, next] = await vault.versions(object.name, AbortSignal.timeout(patience)).catch(() => []);
  if (newest === undefined || newest.createdOn.getTime() === next?.createdOn.getTime()) return undefined;
  return { version: newest.version, madeAt: newest.createdOn.toISOString() };
}
