import type { RetryPolicy } from "./retry.ts";
import type { Candidate, Plan } from "./steps.ts";

/** What is known of a rotation so far; grows as the steps go, and tells a rollback where to begin. */
export interface Progress {
  readonly plan: Plan;
  candidate?: Candidate;
  /** True from the moment somebody may have been asked for a candidate. */
  stageBegun: boolean;
  /** True from the moment the candidate may be in the target. */
  setBegun: boolean;
  /** True from the moment a version of ours may be in the vault. */
  publishBegun: boolean;
  publishedVersion?: string;
  /** The round in which the old credential may be suspended; absent when it is not. */
  suspended: number | undefined;
  /** The last round of suspending in an orchestration that was lost; 0 for none. */
  readonly lastRound: number;
}

/** How long and how often a consumer is asked whether it has moved. */
export function uptake(plan: Plan): RetryPolicy {
  return { first: 5, factor: 2, most: 120, total: plan.uptakeSeconds };
}
