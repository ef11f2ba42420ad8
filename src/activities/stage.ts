import { writeValue } from "../format.ts";
import { PinionError } from "../errors.ts";
import type { CredentialRef } from "../rotator.ts";
import { findStaged, writeStaged } from "../vault/staging.ts";
import type { Steps } from "../workflow/steps.ts";
import { toCredential } from "./credentials.ts";
import type { Deps } from "./deps.ts";
import { issue } from "./issue.ts";
import { publicFacts } from "./plan.ts";
import { reaching } from "./reached.ts";
import { createStep, type Scene } from "./step.ts";

/**
 * Makes the candidate before the target knows of it: a value goes into the staging secret; a certificate is issued into the staging
 * certificate, or, like a key, by the vault into the object itself. What was made for this rotation is reused.
 */
export const createStage = (deps: Deps) =>
  createStep(deps, {
    name: "stage",
    leased: true,
    phases: ["running"],
    async run(scene, input) {
      const { kind } = scene.subject.object;
      const { result } = kind === "secret" ? await stageValue(scene, input) : await issue(scene, input);
      const over = { pendingSince: undefined, remindedAt: undefined };
      return { result, state: (now) => ({ ...over, ...reaching(now, { staged: result }) }) };
    },
  });

interface Sources {
  readonly sourceVersion: string;
  readonly current: CredentialRef;
  readonly idle: CredentialRef;
}

async function stageValue(
  scene: Scene,
  { sourceVersion, current, idle }: Sources,
): Promise<{ result: Steps["stage"]["result"] }> {
  const { deps, subject, step, signal } = scene;
  const { object, key, staging, vault, rotator } = subject;
  const { rotationId } = step;
  const found = await findStaged(staging, key, rotationId, signal);
  if (found !== undefined) {
    const candidate = publicFacts(toCredential(scene, found.value, idle));
    return { result: { stagedVersion: found.version, candidate } };
  }
  const candidate = await rotator.create(step, { current, idle });
  if (typeof candidate.material !== "string") {
    throw new PinionError(
      "TARGET_MISCONFIGURED",
      `${rotator.kind} makes a credential that is no text; a secret cannot hold it.`,
    );
  }
  const text = await vault.value(object.name, sourceVersion, signal);
  const value = writeValue(object.format, text, { username: candidate.id, password: candidate.material });
  const staged = await writeStaged(
    staging,
    key,
    rotationId,
    { value, contentType: "application/vnd.pinion.staged", at: new Date(deps.now()) },
    signal,
  );
  return { result: { stagedVersion: staged.version, candidate: publicFacts(candidate) } };
}
