import * as fc from "fast-check";
import { expect, test } from "vitest";
import { controlRoutes } from "../../local/vault/control-routes.ts";
import { openClock } from "../../local/clock.ts";
import { join } from "node:path";
import { tempDir } from "./support.ts";
import { strictVault } from "./strict.ts";

// Whatever comes to the controls: no 5xx, and the vault goes on serving.

const seed = 20260116;

const member = fc.oneof(
  fc.jsonValue({ maxDepth: 1 }),
  fc.constantFrom<unknown>(
    null,
    "",
    -1,
    0,
    1,
    1e300,
    true,
    [],
    {},
    "P1D",
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00Z",
  ),
);
const names = (
  "operation kind times rate status latencyMs vault deleteDelayMs throttling subscribedSince set advance frozen ipRules " +
  "defaultAction publicNetworkAccess secrets keys expirySet principalId role scope seconds duplicate reorder lose __proto__"
).split(" ");
const body = fc.oneof(
  fc.dictionary(fc.constantFrom(...names), fc.oneof(member, fc.dictionary(fc.constantFrom(...names), member))),
  fc.jsonValue(),
);
const route = fc.constantFrom(...controlRoutes.map(({ method, path }) => ({ method, path })));
const name = fc.constantFrom("a", "b", "x".repeat(65), "..%2F..%2Fa", "%00", "é", "ports", "__proto__");

test("any body to any control", async () => {
  const { ask, emulator, hold } = await strictVault();
  hold("Administrator");
  const property = fc.asyncProperty(route, name, fc.option(body), async ({ method, path }, given, sent) => {
    // A fault that was asked for is no finding, nor is the time that it takes.
    if (path === "faults" && method === "POST") return;
    const answer = await emulator(
      method,
      path.replace(":name", given.includes("%") ? given : encodeURIComponent(given)),
      sent ?? undefined,
    );
    expect(answer.status).toBeLessThan(500);
  });
  await fc.assert(property, { seed, numRuns: 1500 });
  for (const [what, value] of [
    ["network", null],
    ["policy", null],
    ["access-policies", null],
  ] as const) {
    expect((await emulator("PUT", what, value)).status).toBe(204);
  }
  await emulator("POST", "reset");
  await emulator("PUT", "roles-delay", { seconds: 0 });
  hold("Administrator");
  expect((await ask("PUT", "/secrets/after", { body: { value: "v" } })).status).toBe(200);
});

test("any move of the clock leaves one that runs", async () => {
  const clock = openClock(join(tempDir(), "clock"), { mayGoBack: true });
  const { emulator } = await strictVault({ clock });
  const moves = fc.record(
    {
      set: fc.oneof(
        member,
        fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
      ),
      advance: fc.oneof(member, fc.double({ min: 0, noNaN: true }), fc.constantFrom("P300Y", "PT1S", "P1M")),
      frozen: fc.oneof(fc.boolean(), member),
    },
    { requiredKeys: [] },
  );
  const property = fc.asyncProperty(moves, async (move) => {
    expect((await emulator("POST", "clock", move)).status).toBeLessThan(500);
    const { now } = (await emulator("GET", "clock")).json.value;
    expect(Date.parse(now)).toBeGreaterThanOrEqual(0);
  });
  await fc.assert(property, { seed, numRuns: 300 });
});
