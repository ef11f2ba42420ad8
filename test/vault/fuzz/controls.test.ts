import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createTokens } from "../../../local/azure/tokens.ts";
import { vaultAccess } from "../../../local/azure/vault-access.ts";
import { openClock } from "../../../local/clock.ts";
import { createAccess } from "../../../local/vault/access.ts";
import { me, strictVault, tenantId } from "../strict.ts";
import { fakeClock, resourceId, tempDir, vaultName } from "../support.ts";
import { patience, seed, share } from "./budget.ts";
import { controlGrammar, controlReads } from "./grammar-controls.ts";
import { oddValue, writeJson } from "./odd.ts";
import { hush, must } from "./oracle.ts";
import { describe, drafts } from "./request.ts";
import { openLane } from "./run.ts";

// Whatever comes to the controls of a vault that checks tokens: it goes on serving, by settings that it can keep.

const batch = 50;
/** Tokens that are nearly right. */
const bend = (token: string) =>
  fc.oneof(
    { weight: 20, arbitrary: fc.constant(token) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        token.slice(0, -3),
        token.replace(".", ""),
        `${token}.a`,
        "a.b.c",
        "..",
        "eyJhbGciOiJub25lIn0.e30.",
        `${token.slice(0, 40)}!${token.slice(41)}`,
      ),
    },
    {
      weight: 1,
      arbitrary: fc
        .nat({ max: token.length - 1 })
        .map((at) => `${token.slice(0, at)}${token[at] === "A" ? "B" : "A"}${token.slice(at + 1)}`),
    },
  );

test("any request to the controls, and what comes after", { timeout: patience }, async () => {
  const clock = fakeClock();
  const tokens = createTokens({ stateDir: tempDir(), clock, tenantId });
  const access = createAccess({ clock });
  const lane = await openLane({ clock, access, authorize: vaultAccess({ tokens, access }) });
  const { control } = lane;
  const { token } = await tokens.issue({ audience: "https://vault.azure.net", ...me });
  const start = () => {
    control.set({ network: undefined, policy: undefined });
    control.setAccessPolicies(vaultName, undefined);
    access.setDelay(0);
    for (const { id } of access.assignments()) access.unassign(id);
    access.assign({ principalId: me.objectId, role: "Administrator", scope: resourceId });
    control.reset();
    lane.sent.length = 0;
  };
  const request = fc.tuple(drafts(controlGrammar), bend(token)).map(([draft, bent]) => ({
    ...draft,
    authorization: draft.authorization === "Bearer t" ? `Bearer ${bent}` : draft.authorization,
  }));
  const counts = { accepted: 0, refused: 0 };
  const property = fc.asyncProperty(fc.array(request, { minLength: batch, maxLength: batch }), async (requests) => {
    start();
    let state: string | undefined;
    for (const one of requests) {
      const { status } = await lane.send(one);
      counts[status < 400 ? "accepted" : "refused"] += 1;
      if (status < 400 && one.method !== "GET") state = undefined;
      if (status < 400 || !/_emulator|%5f/i.test(one.path)) continue;
      const now = await lane.read(controlReads);
      if (state !== undefined) must(now === state, `Changed at or before ${describe(one)}:\n${now}\nbefore:\n${state}`);
      state = now;
    }
    must(!JSON.stringify(control.log()).includes(hush), "A value is in the log.");
  });
  const began = performance.now();
  await fc
    .assert(property, { seed, numRuns: Math.ceil(share(10) / batch), endOnFailure: true })
    .catch((error: Error) => {
      throw new Error(
        [
          String((error.cause as Error | undefined)?.stack),
          `Seed ${seed}. Sent before:`,
          ...lane.sent.slice(-40).map((one) => one.replaceAll(token, "t")),
        ].join("\n"),
      );
    });
  const sent = counts.accepted + counts.refused;
  console.log(
    `controls: seed ${seed}, ${sent} requests, ${counts.accepted} accepted, ${counts.refused} refused, ${Math.round((sent * 1000) / (performance.now() - began))} a second.`,
  );
  expect(counts.accepted).toBeGreaterThan(sent / 10);
  expect(counts.refused).toBeGreaterThan(sent / 10);
  start();
  const good = {
    method: "PUT",
    path: "/secrets/after",
    query: "api-version=7.5",
    authorization: `Bearer ${token}`,
    headers: [],
  };
  expect((await lane.send({ ...good, body: '{"value":"v"}' })).status).toBe(200);
});

test("any move of the clock leaves one that runs", { timeout: patience }, async () => {
  const clock = openClock(join(tempDir(), "clock"), { mayGoBack: true });
  const { emulator } = await strictVault({ clock });
  const moves = fc.record(
    {
      set: fc.oneof(
        oddValue,
        fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
      ),
      advance: fc.oneof(oddValue, fc.double({ min: 0, noNaN: true }), fc.constantFrom("P300Y", "PT1S", "P1M")),
      frozen: fc.oneof(fc.boolean(), oddValue),
    },
    { requiredKeys: [] },
  );
  const property = fc.asyncProperty(moves, async (move) => {
    expect((await emulator("POST", "clock", writeJson(move))).status).toBeLessThan(500);
    const { now } = (await emulator("GET", "clock")).json.value;
    expect(Date.parse(now)).toBeGreaterThanOrEqual(0);
  });
  await fc.assert(property, { seed, numRuns: 300 });
});
