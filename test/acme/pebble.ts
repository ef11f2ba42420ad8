import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { hasPebble, startPebble } from "../../local/targets/pebble.ts";
import type { Pebble, PebbleOptions } from "../../local/targets/pebble.ts";
import { ensureTls } from "../../local/tls.ts";
import type { Tls } from "../../local/tls.ts";

/** Whether suites that need Debian's package `pebble` are skipped, by a name that says so; never in CI. */
export const skipped = !hasPebble() && process.env.CI !== "true";
export const where = skipped ? " (skipped: the package pebble is not installed)" : "";

/** One pebble for all tests of a suite. */
export function usePebble(options: Partial<PebbleOptions> = {}): { pebble(): Pebble; tls(): Tls } {
  const dir = mkdtempSync(join(tmpdir(), "pinion-pebble-"));
  let tls: Tls | undefined;
  let pebble: Pebble | undefined;
  beforeAll(async () => {
    tls = await ensureTls(join(dir, "tls"), { now: () => Date.now() });
    pebble = await startPebble({ dir, tls, ...options });
  });
  afterAll(async () => {
    await pebble?.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  return { pebble: () => pebble!, tls: () => tls! };
}
