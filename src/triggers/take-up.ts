import type { Subject } from "../activities/deps.ts";
import type { ObjectState } from "../store/types.ts";
import type { Engine } from "./engine.ts";

/** One that loses its orchestration as often as this has a reason for it that another orchestration does not mend. */
const mostTakeUps = 5;

/** Whether the record of a rotation says enough to go on with it. */
export function isTakeable({ phase, rotationId, step = "preflight", reached }: ObjectState): boolean {
  if (phase === "idle" || rotationId === undefined) return false;
  // Before the end of its preflight a rotation has done nothing, and begins anew.
  if (reached === undefined) return phase === "running" && step === "preflight";
  return (reached.takenUp ?? 0) < mostTakeUps;
}

/**
 * Starts another orchestration for a rotation that is under way by its record while nothing runs it: the task hub was lost, or the
 * orchestration failed. `lost`: nothing runs it, and its record does not say enough. The record is the authority, as it was before: nothing is begun that nobody asked for.
 */
export async function takeUpIfLost(
  engine: Engine,
  { key, object }: Pick<Subject, "key" | "object">,
  state: ObjectState,
): Promise<"runs" | "taken-up" | "lost"> {
  const { rotationId = "" } = state;
  if ((await engine.running(key)) !== undefined) return "runs";
  if (!isTakeable(state)) return "lost";
  // One without a plan has done nothing: its preflight begins anew, and may refuse.
  const more = state.reached === undefined ? {} : ({ takeUp: true } as const);
  return (await engine.start(key, { objectId: object.id, rotationId, ...more })).started ? "taken-up" : "runs";
}
