import { expect, test } from "vitest";
import type { Deps } from "../../src/activities/deps.ts";
import { at, stage } from "./fakes.ts";

// When the next attempt may come, after one that failed.

const evidence = { getBlockBlobClient: () => ({ upload: async () => undefined }) } as unknown as Deps["evidence"];
const hour = 3600;

test.each([
  ["the policy's back-off, where nobody asked for more", 0, 1 * hour],
  ["the policy's back-off, where it is longer than what was asked", 60, 1 * hour],
  ["as long as a service asked, so that no attempt is used up on a sure refusal", 7 * 24 * hour, 7 * 24 * hour],
])("%s", async (_name, asked, seconds) => {
  const { steps, records, given } = stage({ evidence, object: { retry: { backoff: "PT1H" } } });
  records.become({ attempts: 1 });
  const fault = {
    code: "ISSUANCE_LIMITED",
    class: "throttled",
    message: "Later.",
    ...(asked > 0 && { retryAfterSeconds: asked }),
  } as const;
  const ending = { outcome: "failed", fault, timeline: [], startedAt: "", endedAt: "" } as const;
  expect(await steps.record({ ...given, ...ending })).toMatchObject({ ok: true });
  expect(records.now().retryNotBefore).toBe(new Date(at + seconds * 1000).toISOString());
});
