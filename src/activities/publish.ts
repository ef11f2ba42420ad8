import { adopt } from "../vault/adopting.ts";
import { type Publication, publish } from "../vault/publishing.ts";
import { stagingName } from "../vault/staging.ts";
import type { Deps } from "./deps.ts";
import { stagedCredential } from "./credentials.ts";
import { reaching } from "./reached.ts";
import type { Candidate } from "../workflow/steps.ts";
import { createStep, type Scene } from "./step.ts";
import { requireOpenWindow } from "./window.ts";

/** Writes the new version, after the candidate was proven; then the staged copy is disabled. For readers of *latest* this is the cutover. */
export const createPublish = (deps: Deps) =>
  createStep(deps, {
    name: "publish",
    leased: true,
    phases: ["running"],
    async run(scene, { stagedVersion, candidate, sourceVersion }) {
      const { subject } = scene;
      const { object } = subject;
      // For readers of *latest* this is the cutover. In place the gap is open by now, and nothing may lengthen it.
      const moves = object.consumers.some(({ reads }) => reads === "latest");
      if (moves && subject.rotator.strategy !== "in-place") requireOpenWindow(scene);
      const published =
        subject.madeIn === "object"
          ? await adoptMade(scene, stagedVersion, sourceVersion)
          : await publishStaged(scene, { stagedVersion, candidate, sourceVersion });
      return {
        result: { publishedVersion: published.version, expiresAt: published.expiresAt },
        proofs: [
          {
            name: "the newest version is ours, and its predecessor is the source",
            ok: true,
            detail: published.version,
          },
        ],
        state: (now) => ({
          ...reaching(now, { publishedVersion: published.version }),
          publishedVersion: published.version,
          publishedAt: new Date(deps.now()).toISOString(),
          publishedUntil: published.expiresAt === "" ? undefined : published.expiresAt,
          versionCount: published.versions,
          superseded: [...now.superseded.filter((version) => version !== sourceVersion), sourceVersion].slice(-20),
        }),
        event: { name: "Published", data: { sourceVersion, publishedVersion: published.version } },
      };
    },
  });

/** What the vault made in the object is the publication. A key is told when it ends: only the next one is by its rotation policy. */
async function adoptMade(scene: Scene, version: string, sourceVersion: string): Promise<Publication> {
  const { subject, signal, step } = scene;
  const { object, vault, keys } = subject;
  const { name, tags, validity } = object;
  const published = await adopt(vault, { name, rotationId: step.rotationId, sourceVersion, version, tags }, signal);
  if (object.kind !== "key" || published.expiresAt !== "") return published;
  const { at } = await vault.latest(name, signal);
  const expiresOn = new Date(at.getTime() + validity);
  await keys.expire(name, version, expiresOn, signal);
  return { ...published, expiresAt: expiresOn.toISOString() };
}

/** Writes what was staged as a new version of the object; then the staged copy is disabled. */
async function publishStaged(
  scene: Scene,
  { stagedVersion, candidate, sourceVersion }: Pick<Candidate, "stagedVersion" | "candidate" | "sourceVersion">,
): Promise<Publication> {
  const { subject, signal, step } = scene;
  const { object, key, vault, staging } = subject;
  const render = async (): Promise<string> => {
    // Proven readable in the object's format before it is written.
    await stagedCredential(scene, stagedVersion, candidate);
    return staging.value(stagingName(key), stagedVersion, signal);
  };
  const { name, validity, tags } = object;
  const published = await publish(
    vault,
    { name, rotationId: step.rotationId, sourceVersion, render, validity, tags },
    signal,
  );
  await staging.disable(stagingName(key), stagedVersion, signal);
  return published;
}
