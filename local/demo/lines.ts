import type { Shown, Told } from "./api.ts";

// The lines in which the story tells of a rotation.

/** Says each step once, whoever tells of it first: the status, poll by poll, or at the end the evidence, which has them all. */
export function createSteps(say: (line: string) => void): (steps: readonly Told[]) => void {
  const said = new Set<string>();
  return (steps) => {
    for (const told of steps) {
      const key = `${told.step} ${told.startedAt} ${told.endedAt}`;
      if (said.has(key)) continue;
      said.add(key);
      say(stepLine(told));
    }
  };
}

function stepLine({ step, startedAt, endedAt, proofs, fault }: Told): string {
  const seconds = ((Date.parse(endedAt) - Date.parse(startedAt)) / 1000).toFixed(2).padStart(6);
  const mark = fault === undefined ? "✓" : "✗";
  const what = fault === undefined ? `${proofs} ${proofs === 1 ? "proof" : "proofs"}` : fault.message;
  return `  ${mark} ${step.padEnd(10)} ${seconds} s  ${what}`;
}

export function waitLine(
  { step, until, fault }: NonNullable<Shown["status"]> & { until: string },
  now: number,
): string {
  const minutes = Math.max(1, Math.round((Date.parse(until) - now) / 60_000));
  const span = minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
  return `  … ${step}: ${span} on the cloud's clock, skipped${fault === undefined ? "" : ` (${fault.message})`}`;
}

/** A step that is tried again and again: what it still finds. */
export const retryLine = (message: string): string => `  … tried again, the waits between skipped: ${message}`;
