import type { Consumer, Retention } from "../consumer.ts";
import { PinionError } from "../errors.ts";
import { ownMarks, tags } from "../vault/tags.ts";
import type { ObjectVersion } from "../vault/vault.ts";
import type { Ending } from "../workflow/steps.ts";
import { boundConsumers } from "./consumers.ts";
import type { Scene } from "./step.ts";

const day = 86_400_000;

/**
 * The versions that are disabled at the end of a rotation. Of a secret or certificate: those that are retired, but never the newest, which
 * readers may follow. Of a key: none, unless the policy allows it; then those that no consumer holds and no backup can need.
 */
export async function disposable(scene: Scene, { outcome, retired = [] }: Ending): Promise<readonly string[]> {
  const { deps, subject, signal } = scene;
  const { object, vault, rotator, madeIn } = subject;
  if (rotator.former === "serves") {
    if (!object.disableOld || outcome !== "rotated") return [];
    return await outlived(scene).catch((error: unknown) => {
      if (!(error instanceof PinionError && error.class === "permanent")) throw error;
      // Tidying is worth no rotation that is never written down.
      deps.log("warning", `${object.id}: its old versions are left as they are: ${error.code}. ${error.message}`);
      return [];
    });
  }
  if (madeIn === "staging" || retired.length === 0) return retired;
  const [newest] = await vault.versions(object.name, signal);
  return retired.filter((version) => version !== newest?.version);
}

/**
 * Old versions of a key that nothing can need any more: left longer ago than the longest time for which any consumer keeps backups or
 * logs that its services cannot read without them. A consumer that does not tell keeps all of them.
 */
async function outlived(scene: Scene): Promise<readonly string[]> {
  const { deps, subject, signal } = scene;
  const { object, vault } = subject;
  const bound = boundConsumers(scene);
  const now = deps.now();
  const told = await Promise.all(bound.map(async ({ kind, at }) => await retentionOf(kind, at, now)));
  if (told.some((retention) => retention === undefined)) return [];
  const longest = Math.max(0, ...told.map((retention) => retention?.days ?? 0)) * day;
  const references = await Promise.all(bound.map(({ kind, at }) => kind.read(at)));
  const { version: current } = await vault.latest(object.name, signal);
  const versions = await vault.versions(object.name, signal);
  // One that follows the newest may still be at work with an older one.
  const held = new Set([
    current,
    versions[0]?.version,
    ...references.flatMap(({ pinned, active }) => [pinned, active]),
  ]);
  return versions
    .filter(({ version, enabled }) => {
      const left = leftAt(scene, versions, version);
      return enabled && !held.has(version) && left !== undefined && left + longest + object.grace < now;
    })
    .map(({ version }) => version);
}

/**
 * When every consumer had left a version (milliseconds). Of one that was replaced by hand it is not known: they had when the version after
 * its successor was made. Versions that were turned back replaced nothing.
 */
function leftAt({ state }: Scene, versions: readonly ObjectVersion[], version: string): number | undefined {
  const known = state.left?.find((one) => one.version === version);
  if (known !== undefined) return Date.parse(known.at);
  const newer = versions.slice(
    0,
    versions.findIndex((one) => one.version === version),
  );
  return newer
    .filter((one) => ownMarks(one)[tags.withdrawn] === undefined)
    .at(-2)
    ?.createdOn.getTime();
}

const retentionOf = async (
  kind: Consumer,
  at: Parameters<Consumer["read"]>[0],
  now: number,
): Promise<Retention | undefined> => await kind.retention?.(at, now);
