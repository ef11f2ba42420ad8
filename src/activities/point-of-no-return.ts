import { PinionError } from "../errors.ts";
import type { ObjectState, Phase } from "../store/types.ts";
import type { Scene, StatePatch } from "./step.ts";

/** The phases from which a rotation goes on to the point of no return. */
export const beforeNoReturn: readonly Phase[] = ["grace", "retiring", "held"];

/**
 * Records the point of no return against the state as it is read here: from then on a rollback is answered with 409, and one that was
 * recorded before makes this fail with `CONFLICT` (transient: the step looks again, and hears it).
 * `more` is written with it.
 */
export async function passPointOfNoReturn(
  { deps, subject, step, state }: Scene,
  more: (now: ObjectState) => StatePatch = () => ({}),
): Promise<void> {
  if (state.pointOfNoReturn) return;
  const page = await deps.records.read(subject.key, step.rotationId);
  const asked = page.commands.some(({ verb }) => verb === "rollback");
  // A copy that was held up must not write its phase over one that came after it.
  const { rotationId, phase } = page.state.value;
  const late = rotationId !== step.rotationId || !beforeNoReturn.includes(phase);
  const { value } = page.state;
  const next = { ...value, ...more(value), phase: "retiring", pointOfNoReturn: true } as ObjectState;
  const written = asked || late ? undefined : await deps.records.write(subject.key, next, page.state.etag);
  if (written !== undefined) return;
  throw new PinionError("CONFLICT", "The rotation changed just before its point of no return; the step looks again.", {
    class: "transient",
  });
}
