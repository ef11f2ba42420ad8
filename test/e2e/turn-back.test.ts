import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ordersSite, reportsSite } from "../../local/cloud/scenario.ts";
import { type Bench, hour, minute, openBench, settingsOf, vault } from "./app.ts";

// The ways back: by command in the grace, by itself when a probe fails, in place; and the end of all ways back.

let bench: Bench;
let health: Server;
/** Whether a site is sick with a version. */
let sick = (_version: string): boolean => false;

beforeAll(async () => {
  health = createServer(
    (request, reply) =>
      void versionOf(request.url ?? "").then((version) =>
        reply.writeHead(sick(version) ? 503 : 200).end(JSON.stringify({ version })),
      ),
  );
  await new Promise<void>((resolve) => void health.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(health.address() as AddressInfo).port}`;
  bench = await openBench({
    health: { [ordersSite]: `${url}/${ordersSite}`, [reportsSite]: `${url}/${reportsSite}` },
  });
}, 120_000);
afterAll(async () => {
  await bench?.close();
  health.close();
});

/** A site says which version it was started with. */
async function versionOf(path: string): Promise<string> {
  const texts = Object.values(await settingsOf(bench.cloud, path.slice(1)));
  const [, version] = /SecretUri=.*\/([0-9a-f]{32})\)/.exec(texts.join()) ?? [];
  return version ?? "";
}

const command = (id: string, verb: "rollback" | "finish", rotationId: string) =>
  bench.call("POST", `/api/rotations/${id}/${verb}`, { body: { rotationId, reason: "drill", change: "CHG-1" } });
const inGrace = (id: string) => bench.until(id, "in its grace", ({ status }) => status?.step === "grace");
const version = async (name: string, id: string) =>
  (await bench.cloud.secrets(vault).getSecret(name, { version: id })).value ?? "";
const enabled = async (name: string) => {
  const found: Record<string, boolean> = {};
  for await (const one of bench.cloud.secrets(vault).listPropertiesOfSecretVersions(name))
    found[one.version ?? ""] = one.enabled ?? false;
  return found;
};
const raise = async (id: string) => {
  const code = bench.host.systemKeys["durabletask_extension"] ?? "";
  const path = `/runtime/webhooks/durabletask/instances/${vault}--secret--${id}/raiseEvent/command?code=${code}`;
  expect((await bench.call("POST", path, { raw: "{}", key: "" })).status).toBe(202);
};

describe("alternating", () => {
  test("rolled back by command in the grace: the consumer has the reference it had, the candidate lives out its lag", async () => {
    const before = await bench.newest("orders-db");
    const settings = await settingsOf(bench.cloud, ordersSite);
    const rotationId = await bench.start("orders-db");
    await inGrace("orders-db");
    const candidate = await bench.newest("orders-db");
    expect(candidate.value).not.toBe(before.value);
    expect(await bench.works(before.value)).toBe(true);

    expect((await command("orders-db", "rollback", rotationId)).status).toBe(202);
    const lag = await bench.until("orders-db", "waiting for the lag", ({ status }) => status?.step === "lag");
    expect(await settingsOf(bench.cloud, ordersSite)).toEqual(settings);
    const back = await bench.newest("orders-db");
    expect(back.value).toBe(before.value);

    // Somebody may still hold the candidate: neither a repeated command nor a forged event shortens its time.
    expect((await command("orders-db", "rollback", rotationId)).status).toBe(202);
    await raise("orders-db");
    expect((await command("orders-db", "finish", rotationId)).status).toBe(409);
    await new Promise((resolve) => setTimeout(resolve, 2000));
    expect((await bench.show("orders-db")).status).toMatchObject({ step: "lag", until: lag.status?.until });
    expect(await bench.works(candidate.value)).toBe(true);

    const end = await bench.end("orders-db", rotationId);
    expect(end).toMatchObject({ outcome: "rolled-back", rotationId });
    expect(await bench.works(candidate.value)).toBe(false);
    expect(await bench.works(before.value)).toBe(true);
    expect(await enabled("orders-db")).toMatchObject({ [candidate.version]: false, [back.version]: true });
    for (const verb of ["rollback", "finish"] as const)
      expect(await command("orders-db", verb, rotationId)).toMatchObject({ status: 409, json: { code: "CONFLICT" } });
    const { json } = await bench.call("GET", `/api/evidence/${rotationId}`);
    expect(json).toMatchObject({ outcome: "rolled-back", versions: { published: candidate.version } });
    expect(json["commands"]).toContainEqual(
      expect.objectContaining({ verb: "rollback", change: "CHG-1", reason: "drill" }),
    );
  }, 120_000);

  test("what was rolled back is as due as before: the sweep obeys the back-off, then tries again", async () => {
    // The seeded version lives 90 days, and is due 30 days before its end.
    bench.cloud.clock.advance(61 * 24 * hour);
    const { retryNotBefore = "" } = await bench.show("orders-db");
    expect(Date.parse(retryNotBefore)).toBeLessThan(bench.cloud.clock.now());
    expect(await bench.sweep()).toContain("started");
    const { rotationId = "" } = await inGrace("orders-db");

    // Finished by command: the rest of the grace is not waited for.
    const asked = bench.cloud.clock.now();
    expect((await command("orders-db", "finish", rotationId)).status).toBe(202);
    const done = await bench.end("orders-db", rotationId);
    expect(done.outcome).toBe("rotated");
    expect(bench.cloud.clock.now() - asked).toBeLessThan(hour - minute);
    expect(await bench.works((await bench.newest("orders-db")).value)).toBe(true);
  }, 120_000);

  test("an unhealthy consumer turns the rotation back by itself", async () => {
    const before = await bench.newest("orders-db");
    const settings = await settingsOf(bench.cloud, ordersSite);
    sick = (id) => id !== before.version;
    const rotationId = await bench.start("orders-db");
    await bench.until("orders-db", "unhealthy", ({ status }) => status?.fault?.code === "CONSUMER_UNHEALTHY");
    const candidate = await bench.newest("orders-db");
    expect(await bench.works(before.value)).toBe(true);
    // A consumer has its lag and a minute to be proven.
    bench.cloud.clock.advance(3 * minute);
    const end = await bench.end("orders-db", rotationId);
    sick = () => false;
    expect(end).toMatchObject({ outcome: "rolled-back", code: "CONSUMER_UNHEALTHY", rotationId });
    expect(end.retryNotBefore).toBeDefined();
    expect(await settingsOf(bench.cloud, ordersSite)).toEqual(settings);
    const back = await bench.newest("orders-db");
    expect(back.value).toBe(before.value);
    expect(await bench.works(back.value)).toBe(true);
    expect(candidate.value).not.toBe(before.value);
    expect(await bench.works(candidate.value)).toBe(false);
  }, 120_000);

  test("a consumer that misses the suspended credential has it back within minutes, long before the watch ends", async () => {
    await bench.setPolicy({
      ...bench.policy,
      objects: bench.policy.objects.map((object) => ({ ...object, suspend: { watch: "PT8H", idleFor: "PT1M" } })),
    });
    const before = await bench.newest("orders-db");
    const rotationId = await bench.start("orders-db");
    await bench.until("orders-db", "suspended", ({ phase }) => phase === "retiring");
    expect(await bench.works(before.value)).toBe(false);
    const suspended = bench.cloud.clock.now();
    sick = () => true;
    await bench.until("orders-db", "held", ({ phase, code }) => phase === "held" && code === "CONSUMER_UNHEALTHY");
    expect(bench.cloud.clock.now() - suspended).toBeLessThan(10 * minute);
    expect(await bench.works(before.value)).toBe(true);
    sick = () => false;
    expect(await bench.end("orders-db", rotationId, 90_000)).toMatchObject({ outcome: "rotated", rotationId });
    expect(await bench.works(before.value)).toBe(false);
    await bench.setPolicy(bench.policy);
  }, 180_000);

  test("past the point of no return a rollback is 409, and nothing is lost by asking", async () => {
    const rotationId = await bench.start("orders-db");
    await inGrace("orders-db");
    // The revocation reaches its point of no return, and then the vault does not take the last write for a while.
    bench.cloud.vaults.control.addFault({ operation: "secret.update", kind: "status", status: 503, times: 8 });
    await bench.until("orders-db", "revoking", ({ phase }) => phase === "retiring");
    await bench.until("orders-db", "refusing a rollback", ({ pointOfNoReturn }) => pointOfNoReturn);
    const late = await command("orders-db", "rollback", rotationId);
    expect(late).toMatchObject({ status: 409, json: { code: "POINT_OF_NO_RETURN" } });
    bench.cloud.vaults.control.clearFaults();
    expect(await bench.end("orders-db", rotationId)).toMatchObject({ outcome: "rotated", rotationId });
    expect(await bench.works((await bench.newest("orders-db")).value)).toBe(true);
  }, 120_000);
});

describe("in place", () => {
  test("rolled back by command: the former value works again, and is the newest version", async () => {
    // The sweep found it due, too.
    await bench.until("reports-db", "idle", ({ phase }) => phase === "idle");
    const before = await bench.newest("reports-db");
    const settings = await settingsOf(bench.cloud, reportsSite);
    const rotationId = await bench.start("reports-db");
    await inGrace("reports-db");
    const candidate = await bench.newest("reports-db");
    expect([await bench.works(before.value), await bench.works(candidate.value)]).toEqual([false, true]);
    expect((await command("reports-db", "rollback", rotationId)).status).toBe(202);
    expect(await bench.end("reports-db", rotationId)).toMatchObject({ outcome: "rolled-back" });
    expect([await bench.works(before.value), await bench.works(candidate.value)]).toEqual([true, false]);
    expect((await bench.newest("reports-db")).value).toBe(before.value);
    expect(await settingsOf(bench.cloud, reportsSite)).toEqual(settings);
    expect(await version("reports-db", before.version)).toBe(before.value);
  }, 120_000);

  test("rotated to its end", async () => {
    const before = await bench.newest("reports-db");
    const rotationId = await bench.start("reports-db");
    expect(await bench.end("reports-db", rotationId)).toMatchObject({ outcome: "rotated" });
    const after = await bench.newest("reports-db");
    expect([await bench.works(before.value), await bench.works(after.value)]).toEqual([false, true]);
    expect(await enabled("reports-db")).toMatchObject({ [before.version]: false, [after.version]: true });
  }, 120_000);
});
