import { randomBytes } from "node:crypto";
import type { VersionRecord } from "./model.ts";

/** What a version made at the instant `now` has before the caller's attributes are put over it. */
export function newVersion(now: number): VersionRecord {
  return { id: randomBytes(16).toString("hex"), created: now, updated: now, enabled: true, announced: [] };
}
