import { PinionError } from "../errors.ts";
import type { ManagedObject } from "../policy.ts";
import { windowState } from "../window.ts";
import type { Scene } from "./step.ts";

/** What a rotation needs beyond its consumers' lag, in milliseconds: an opening later than that before the expiry comes too late. */
const workTime = 3_600_000;

/**
 * Throws `WINDOW_CLOSED` with the seconds until it opens. A window never lets an expiry pass: without an opening that leaves time for
 * the work before the current version expires, it counts as open.
 */
export function requireOpenWindow({ deps, subject, state }: Scene): void {
  checkWindow(
    subject.object,
    new Date(deps.now()),
    state.expiresAt === undefined ? undefined : new Date(state.expiresAt),
  );
}

export function checkWindow(object: ManagedObject, at: Date, expiresOn: Date | undefined): void {
  if (object.window === undefined) return;
  const lag = Math.max(0, ...object.consumers.map((consumer) => consumer.lag));
  const deadline = expiresOn === undefined ? undefined : new Date(expiresOn.getTime() - lag - workTime);
  const window = windowState(object.window, at, deadline);
  if (window.open) return;
  throw new PinionError(
    "WINDOW_CLOSED",
    `The window of ${object.id} opens at ${window.opensAt.toISOString()}; the step waits for it.`,
    { class: "throttled", retryAfterSeconds: Math.ceil((window.opensAt.getTime() - at.getTime()) / 1000) },
  );
}
