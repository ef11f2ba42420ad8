import type { StepName } from "../workflow/steps.ts";
import { createAbandon } from "./abandon.ts";
import { createCutover } from "./cutover.ts";
import type { Deps } from "./deps.ts";
import { createDiscard } from "./discard.ts";
import { createHear } from "./hear.ts";
import { createHold } from "./hold.ts";
import { createPreflight } from "./preflight.ts";
import { createPublish } from "./publish.ts";
import { createRecord } from "./record.ts";
import { createRepublish } from "./republish.ts";
import { createRestore } from "./restore.ts";
import { createResume } from "./resume.ts";
import { createRetreat } from "./retreat.ts";
import { createRevoke } from "./revoke.ts";
import { createSet } from "./set.ts";
import { createStage } from "./stage.ts";
import type { Activity } from "./step.ts";
import { createSuspend } from "./suspend.ts";
import { createValidate } from "./validate.ts";
import { createVerify } from "./verify.ts";
import { createWatch } from "./watch.ts";

/** Every activity by the name of its step; the type checker finds a step without one. */
export function createActivities(deps: Deps): { readonly [S in StepName]: Activity<S> } {
  return {
    preflight: createPreflight(deps),
    stage: createStage(deps),
    set: createSet(deps),
    validate: createValidate(deps),
    publish: createPublish(deps),
    cutover: createCutover(deps),
    verify: createVerify(deps),
    hear: createHear(deps),
    suspend: createSuspend(deps),
    watch: createWatch(deps),
    revoke: createRevoke(deps),
    resume: createResume(deps),
    restore: createRestore(deps),
    abandon: createAbandon(deps),
    discard: createDiscard(deps),
    retreat: createRetreat(deps),
    republish: createRepublish(deps),
    hold: createHold(deps),
    record: createRecord(deps),
  };
}
