import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startAppHost } from "../../local/cloud/app-host.ts";
import { type Bench, day, openBench, type Shown, vault } from "./app.ts";

// A fresh app over a fleet of overdue objects, and an app whose settings are wrong.

const fleet = 400;
let bench: Bench;
beforeAll(async () => {
  bench = await openBench({ policy: (policy) => ({ ...policy, mode: "observe" }) });
  // Overdue: the last day before their end.
  const expiresOn = new Date(bench.cloud.clock.now() + day);
  const secrets = bench.cloud.secrets(vault);
  const numbers = Array.from({ length: fleet }, (_, at) => at);
  // Their server is not there: what is started stays in its preflight, and keeps its place.
  const put = (at: number) =>
    secrets.setSecret(`overdue-${at}`, JSON.stringify({ username: `a${at}`, password: "none" }), { expiresOn });
  for (let at = 0; at < fleet; at += 20) await Promise.all(numbers.slice(at, at + 20).map(put));
}, 180_000);
afterAll(() => bench?.close());

const overdue = (mode: "observe" | "rotate") => {
  const [first] = bench.policy.objects;
  if (first === undefined) throw new Error("the sample policy is empty");
  const { tls, probe, admin } = first.rotator.target;
  const objects = Array.from({ length: fleet }, (_, at) => ({
    ...first,
    id: `overdue-${at}`,
    name: `overdue-${at}`,
    consumers: [],
    rotator: {
      ...first.rotator,
      target: { host: "127.0.0.1", port: 1, database: `d${at}`, tls, probe, admin, roles: [`a${at}`, `b${at}`] },
    },
  }));
  return { ...bench.policy, mode, objects, limits: { concurrent: 3, perDay: 5 } };
};
const listed = async () => (await bench.call("GET", "/api/rotations")).json["rotations"] as Shown[];
const instances = async () => {
  const code = bench.host.systemKeys["durabletask_extension"] ?? "";
  return JSON.parse(
    (await bench.call("GET", `/runtime/webhooks/durabletask/instances?code=${code}`, { key: "" })).text,
  ) as object[];
};

describe("400 overdue objects", () => {
  test("in observe mode nothing starts, and every one is reported as due", async () => {
    await bench.setPolicy(overdue("observe"));
    const log = bench.cloud.vaults.control.log();
    expect(await bench.sweep()).toContain(`sweep: ${fleet} objects, ${fleet} due, 0 started, 0 not readable`);
    const all = await listed();
    expect(all).toHaveLength(fleet);
    for (const { phase, mode, report, rotationId, attempts } of all) {
      expect({ phase, mode, rotationId, attempts }).toEqual({
        phase: "idle",
        mode: "observe",
        rotationId: undefined,
        attempts: 0,
      });
      expect(report?.notes).toEqual(["due, but only observed"]);
      expect(Date.parse(report?.dueAt ?? "")).toBeLessThan(bench.cloud.clock.now());
    }
    expect(await instances()).toEqual([]);
    // Nothing was read or written one by one: the vault was listed in pages.
    const asked = bench.cloud.vaults.control.log().slice(log.length);
    expect(new Set(asked.map(({ operation, status }) => (status === 401 ? "challenge" : operation)))).toEqual(
      new Set(["challenge", "secret.list"]),
    );
    expect(asked.length).toBeLessThan(30);
  }, 120_000);

  test("a second sweep changes nothing", async () => {
    const before = await listed();
    expect(await bench.sweep()).toContain(`${fleet} due, 0 started`);
    expect(await listed()).toEqual(before);
  }, 60_000);

  test("an event for an observed object starts nothing and is remembered", async () => {
    const { version } = await bench.newest("overdue-7");
    const { resourceId } = bench.cloud.vaults.vaults[0] ?? { resourceId: "" };
    const code = bench.host.systemKeys["eventgrid_extension"] ?? "";
    const event = {
      id: "1",
      eventType: "Microsoft.KeyVault.SecretNearExpiry",
      topic: resourceId,
      subject: "overdue-7",
      eventTime: new Date(bench.cloud.clock.now()).toISOString(),
      dataVersion: "1",
      metadataVersion: "1",
      data: {
        Id: "x",
        VaultName: vault,
        ObjectType: "Secret",
        ObjectName: "overdue-7",
        Version: version,
        NBF: null,
        EXP: 1,
      },
    };
    const reply = await bench.call("POST", `/runtime/webhooks/eventgrid?functionName=events-webhook&code=${code}`, {
      body: [event],
      key: "",
      headers: { "aeg-event-type": "Notification" },
    });
    expect(reply.status).toBe(202);
    await expect.poll(async () => (await bench.show("overdue-7")).remembered?.version).toBe(version);
    expect(await instances()).toEqual([]);
    expect(bench.log()).toMatch(/event refused: overdue-7 is observed only/);
  });

  test("with the kill switch nothing starts; in rotate mode no more than the caps allow", async () => {
    await bench.setPolicy(overdue("rotate"), { PINION_STOP: "true" });
    expect(await bench.sweep()).toContain(`${fleet} due, 0 started`);
    const { version } = await bench.newest("overdue-1");
    const reply = await bench.call("POST", "/api/rotations/overdue-1/start", { body: { version } });
    expect(reply).toMatchObject({ status: 409, json: { code: "KILL_SWITCH" } });
    expect(await bench.call("GET", "/api/health")).toMatchObject({ json: { stopped: true } });
    expect(await instances()).toEqual([]);

    await bench.restart();
    const said = await bench.sweep();
    expect(said).toContain(`${fleet} due, 3 started`);
    expect(await instances()).toHaveLength(3);
    const waiting = (await listed()).filter(({ remembered }) => remembered?.why.includes("limits.concurrent"));
    expect(waiting).toHaveLength(fleet - 3);
  }, 180_000);
});

describe("wrong settings", () => {
  test("the app starts, says every fault at once in the log and over HTTP, and rotates nothing", async () => {
    const env = {
      PINION_POLICY: "../elsewhere.json",
      PINION_COMMAND_AUTHORITY: "anybody",
      PINION_SWEEP_SCHEDULE: "hourly",
      PINION_STOP: "perhaps",
      PINION_TOPIC_ENDPOINT: "http://example.com/?sig=canary-9b1e",
    };
    const host = await startAppHost({
      cloud: bench.cloud,
      env,
      name: "faulty",
      ...(process.env["PINION_APP"] !== undefined && { app: process.env["PINION_APP"] }),
    });
    try {
      const ask = async (method: string, path: string, body?: string) => {
        const reply = await fetch(`${host.url}${path}`, {
          method,
          headers: { "x-functions-key": host.key },
          ...(body !== undefined && { body }),
        });
        return { status: reply.status, type: reply.headers.get("content-type"), text: await reply.text() };
      };
      const health = await ask("GET", "/api/health");
      expect(health).toMatchObject({ status: 503, type: "application/json" });
      const { status, settings } = JSON.parse(health.text) as { status: string; settings: string[] };
      expect(status).toBe("faulty");
      expect(new Set(settings.map((fault) => fault.split(":", 1)[0]))).toEqual(new Set(Object.keys(env)));
      await expect.poll(() => bench.log("faulty")).toContain("PINION_STOP");
      for (const said of [health.text, bench.log("faulty")]) {
        for (const name of Object.keys(env)) expect(said).toContain(name);
        expect(said).not.toContain("canary-9b1e");
      }
      expect(bench.log("faulty")).toContain("5 faults");
      const before = (await instances()).length;
      // Who may command is settled first, and a key may not while the settings do not say so.
      for (const [method, path, status] of [
        ["GET", "/api/rotations", 503],
        ["POST", "/api/rotations/overdue-1/start", 503],
        ["POST", "/api/rotations/overdue-1/rollback", 403],
        ["GET", "/api/evidence/r-1", 503],
      ] as const)
        expect(await ask(method, path, method === "POST" ? `{"version":"a"}` : undefined)).toMatchObject({ status });
      // No event and no sweep is even registered; the steps are, for rotations that wait for better settings.
      const functions = JSON.parse(
        await (await fetch(`${host.url}/admin/functions`, { headers: { "x-functions-key": host.masterKey } })).text(),
      ) as { name: string }[];
      expect(functions.map(({ name }) => name)).not.toEqual(
        expect.arrayContaining([expect.stringMatching(/sweep|events/)]),
      );
      expect(functions.map(({ name }) => name)).toContain("publish");
      expect((await instances()).length).toBe(before);
    } finally {
      await host.stop();
    }
  }, 60_000);

  test("a policy that is not there is one fault, and everything else stands still", async () => {
    await bench.restart({ PINION_POLICY: "missing.json" });
    expect(await bench.call("GET", "/api/health")).toMatchObject({
      status: 503,
      json: { status: "faulty", faults: [{ path: "", message: expect.stringContaining("missing.json") }] },
    });
    expect((await bench.call("GET", "/api/rotations")).json["rotations"]).toEqual([]);
    expect(await bench.sweep()).toContain("sweep: 0 objects, 0 due, 0 started");
  });
});
