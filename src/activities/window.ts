import { PinionError } from "../errors.ts";
import type { ManagedObject } from "../policy.ts";
import { windowState } from "../window.ts";

/** Throws `WINDOW_CLOSED` with the seconds until it opens. A window never lets an expiry pass: without an opening before it, it is open. */
export function requireOpenWindow(object: ManagedObject, at: Date, expiresOn: Date | undefined): void {
  if (object.window === undefined) return;
  const state = windowState(object.window, at, expiresOn);
  if (state.open) return;
  throw new PinionError(
    "WINDOW_CLOSED",
    `The window of ${object.id} opens at ${state.opensAt.toISOString()}; the step waits for it.`,
    {
      class: "throttled",
      retryAfterSeconds: Math.ceil((state.opensAt.getTime() - at.getTime()) / 1000),
    },
  );
}
