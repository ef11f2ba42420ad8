import type { ObjectState } from "../store/types.ts";
import type { Reached } from "../workflow/steps.ts";
import type { StatePatch } from "./step.ts";

/** Notes in the record what a rotation has come to; nothing for one that was begun before there were such notes. */
export const reaching = ({ reached }: ObjectState, more: Partial<Reached>): StatePatch =>
  reached === undefined ? {} : { reached: { ...reached, ...more } };
