import type { Report } from "../report.ts";

/** How the app looks from outside. */
export interface Outside {
  /** Ends in /api, without a slash. */
  readonly url: string;
  /** What says who calls. */
  readonly headers: Readonly<Record<string, string>>;
  /** The version of Pinion that asks. */
  readonly version: string;
  readonly fetch: typeof fetch;
  /** What the app found itself, once it was asked. */
  report?: Report;
}
