import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Bed, openBed, rotate } from "../../bench/rotation/bed.ts";
import { callsOfRotation, count, over, readCeilings } from "../../bench/rotation/counts.ts";
import { recordRotation } from "../../bench/rotation/record.ts";
import type { OutsideCall } from "../../bench/rotation/recorder.ts";
import { buildApp } from "../crash/build.ts";

const { postgresAlternating: ceilings, vaultCalls } = readCeilings();
const built = mkdtempSync(join(tmpdir(), "pinion-ceilings-"));
let bed: Bed;

beforeAll(async () => {
  bed = await openBed();
  // Tables and leases are made by the first rotation of all.
  const host = await bed.host({ app: process.env["PINION_APP"] });
  await rotate(bed, host);
  await host.stop();
}, 120_000);

afterAll(async () => {
  await bed.close();
  rmSync(built, { recursive: true, force: true });
});

async function counted(app?: string) {
  const { rotation, calls } = await recordRotation(bed, app);
  const ours = callsOfRotation(calls);
  return { calls: ours, counts: count(ours, rotation.activities) };
}

const namesAt = (place: OutsideCall["place"], calls: readonly OutsideCall[]): readonly string[] =>
  calls.flatMap((call) => (call.place === place && call.place !== "postgres" ? [call.name] : []));

test("a clean rotation stays within its ceilings, and each vault call is one that has a reason", async () => {
  const { calls, counts } = await counted(process.env["PINION_APP"]);
  expect(over(counts, ceilings)).toEqual([]);
  expect(namesAt("vault", calls)).toEqual(vaultCalls.map(({ call }) => call));
  expect(ceilings.activities).toBeLessThanOrEqual(12);
}, 120_000);

test("an app that asks more is caught: the password read for each connection, the platform asked about each pin", async () => {
  await buildApp(built, [
    { file: "src/vault/secret-port.ts", from: "const lifetime = 60_000;", to: "const lifetime = 0;" },
    { file: "src/consumers/app-service.ts", from: 'active = pinned === "" ?', to: "active = pinned !== undefined ?" },
  ]);
  const { counts } = await counted(built);
  expect(over(counts, ceilings).map((sentence) => sentence.split(":")[0])).toEqual(["vault", "arm"]);
}, 120_000);
