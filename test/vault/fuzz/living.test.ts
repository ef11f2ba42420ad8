import { setTimeout as sleep } from "node:timers/promises";
import * as fc from "fast-check";
import { expect, test, vi } from "vitest";
import { patience, seed, share } from "./budget.ts";
import { policy, plainPolicy } from "./grammar-certificates.ts";
import { rotationPolicy } from "./grammar-keys.ts";
import { openLane } from "./run.ts";

// What was accepted lives on: issuers answer, keys rotate, certificates renew as the clock leaps, and nothing fails.

const year = 365 * 86_400_000;
const end = Date.UTC(9999, 11, 30);

test("any policy over thousands of years", { timeout: patience }, async () => {
  const complaints = vi.spyOn(console, "error");
  const lane = await openLane({ tickMs: 5, subscribedSince: 0, onEvent: () => undefined });
  const { control, clock } = lane;
  const life = fc.record({
    policies: fc.array(fc.oneof(policy, plainPolicy), { minLength: 3, maxLength: 5 }),
    rotations: fc.array(rotationPolicy, { minLength: 1, maxLength: 2 }),
    leaps: fc.array(fc.constantFrom(0.01, 0.1, 1, 1, 100, 10_000), { minLength: 1, maxLength: 3 }),
  });
  let lives = 0;
  const property = fc.asyncProperty(life, async ({ policies, rotations, leaps }) => {
    control.reset();
    control.set({ certificateDelayMs: 0, issuerDelayMs: 0 });
    lives += 1;
    const post = (path: string, body: unknown, method = "POST") => lane.ask(method, path, { body });
    await post("/certificates/issuers/ca", { provider: "Test" }, "PUT");
    for (const [at, one] of policies.entries())
      expect((await post(`/certificates/c${at}/create`, { policy: one })).status).toBeLessThan(500);
    for (const [at, one] of rotations.entries()) {
      await post(`/keys/k${at}/create`, { kty: "EC" });
      expect((await post(`/keys/k${at}/rotationpolicy`, one, "PUT")).status).toBeLessThan(500);
    }
    for (const leap of leaps) {
      clock.advance(Math.max(0, Math.min(leap * year, end - clock.now())));
      await sleep(25);
      for (const path of ["/certificates", "/keys", "/secrets"]) expect((await lane.ask("GET", path)).status).toBe(200);
    }
  });
  await fc.assert(property, { seed, numRuns: Math.max(10, share(0.1)), endOnFailure: true });
  console.log(`living: seed ${seed}, ${lives} lives, until ${new Date(clock.now()).toISOString()}.`);
  expect(complaints.mock.calls).toEqual([]);
  complaints.mockRestore();
});
