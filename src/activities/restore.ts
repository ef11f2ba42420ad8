import { PinionError } from "../errors.ts";
import type { Credential, Proof } from "../rotator.ts";
import { isOurs } from "../vault/publishing.ts";
import type { Steps } from "../workflow/steps.ts";
import { credentialIn, demand, stagedCredential } from "./credentials.ts";
import type { Deps } from "./deps.ts";
import { createStep, type Scene } from "./step.ts";

/** The first step back: the current credential works, after its value was put back where the strategy is in place. */
export const createRestore = (deps: Deps) =>
  createStep(deps, {
    name: "restore",
    leased: true,
    phases: ["running", "grace", "retiring", "held", "rolling-back"],
    async run(scene, input) {
      const { sourceVersion, current } = input;
      const { rotator, object } = scene.subject;
      const previous = await credentialIn(scene, sourceVersion, current);
      const restored =
        rotator.strategy === "in-place" && rotator.restorable
          ? await rotator.restore(scene.step, previous, await candidateOf(scene, input))
          : [];
      const works = await stillGood(scene, input, previous);
      const proofs = demand(
        [...restored, works],
        () =>
          new PinionError(
            "OUT_OF_BAND_CHANGE",
            `${object.id}: the former credential does not log in: somebody changed it in the target. Both versions are kept; put the target right, then start again.`,
          ),
      );
      return { result: {}, proofs };
    },
  });

/** That the former credential opens the target; or that it is as it was, where nothing can open it with that. */
async function stillGood(
  { deps, subject, step }: Scene,
  { current: { expiresAt }, publishedVersion }: Steps["restore"]["input"],
  previous: Credential,
): Promise<Proof> {
  const { rotator, object } = subject;
  if ((await rotator.withdrawn?.(step, previous)) === true) {
    const name = "the former credential was withdrawn, and nobody was moved off it";
    if (publishedVersion === undefined) return { name, ok: true, detail: previous.id };
    throw new PinionError(
      "ROLLBACK_IMPOSSIBLE",
      `${object.id}: the former credential was withdrawn in an emergency, so nobody is moved back to it; the new one stays. Correct what failed, then start again.`,
    );
  }
  // One that has expired by itself is put back as it was: nobody changed it.
  const expired = rotator.former === "expires" && expiresAt !== undefined && Date.parse(expiresAt) <= deps.now();
  return {
    name: "the former credential logs in",
    ok: expired || (await rotator.works(step, previous)),
    detail: expired ? `${previous.id}, which expired at ${expiresAt}` : previous.id,
  };
}

/**
 * The candidate, wherever it is. Publishing disables its staged copy; when the publisher died before its reply, only the mark on the
 * managed object's version tells where the value went.
 */
async function candidateOf(scene: Scene, input: Steps["restore"]["input"]): Promise<Credential> {
  const { stagedVersion, candidate, publishedVersion } = input;
  if (publishedVersion !== undefined) return await credentialIn(scene, publishedVersion, candidate);
  try {
    return await stagedCredential(scene, stagedVersion, candidate);
  } catch (error) {
    if (!(error instanceof PinionError && error.code === "STAGED_LOST")) throw error;
    const versions = await scene.subject.vault.versions(scene.subject.object.name, scene.signal);
    const published = versions.find((version) => isOurs(version, scene.step.rotationId));
    if (published === undefined) throw error;
    return await credentialIn(scene, published.version, candidate);
  }
}
