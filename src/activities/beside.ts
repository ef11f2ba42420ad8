import type { Notes, Step } from "../rotator.ts";
import type { Deps, Subject } from "./deps.ts";
import { noted } from "./notes.ts";

/** A rotator's step that belongs to no rotation: for what is asked of it beside them. Its notes are those of the object. */
export async function stepBeside(
  deps: Deps,
  subject: Subject,
  name: string,
  signal: AbortSignal,
): Promise<Step<unknown>> {
  let { state } = await deps.records.read(subject.key);
  const notes: Notes = {
    read: (note) => state.value.notes?.[note],
    async write(note, text) {
      for (;;) {
        const next = { ...state.value, notes: noted(state.value.notes, note, text) };
        const etag = await deps.records.write(subject.key, next, state.etag);
        if (etag !== undefined) return void (state = { value: next, etag });
        ({ state } = await deps.records.read(subject.key));
      }
    },
  };
  return {
    target: subject.object.rotator.target,
    rotationId: name,
    round: 1,
    ports: subject.zone.ports,
    notes,
    signal,
  };
}
