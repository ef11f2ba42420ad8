import { PinionError } from "../../src/errors.ts";
import type { Step } from "../../src/rotator.ts";

// When something was put before its readers, who may hold a copy for a while. The time is noted after the change, so that a crash between
// the two makes the wait longer, never shorter.

type S = Pick<Step<unknown>, "notes" | "ports">;

/** Remembers that `what` is there from now on; a second call for the same keeps the first time. */
export async function noteChange(step: S, note: string, what: string, fresh: boolean): Promise<void> {
  if (!fresh && settledAt(step, note, what) !== undefined) return;
  await step.notes.write(note, `${what} ${new Date(step.ports.now()).toISOString()}`);
}

/** Whether `what` was noted. Throws `NOT_SETTLED`, with the seconds to wait, while readers may still hold an older copy. */
export function demandSettled(step: S, note: string, what: string, seconds: number): boolean {
  const since = settledAt(step, note, what);
  if (since === undefined) return false;
  const wait = Math.ceil((since + seconds * 1000 - step.ports.now()) / 1000);
  if (wait <= 0) return true;
  throw new PinionError("NOT_SETTLED", `Readers may hold the former copy for another ${wait} seconds; wait.`, {
    class: "transient",
    retryAfterSeconds: wait,
  });
}

function settledAt({ notes }: S, note: string, what: string): number | undefined {
  const [known, time] = notes.read(note)?.split(" ") ?? [];
  return known === what && time !== undefined ? Date.parse(time) : undefined;
}
