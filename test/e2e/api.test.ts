import { QueueServiceClient } from "@azure/storage-queue";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventsQueue } from "../../local/cloud/cloud.ts";
import { type Bench, day, ended, everything, openBench, signedInAs } from "./app.ts";

// The HTTP edge as a caller sees it: every refusal a problem with its code, and nothing changed by a request that has no right to.

let bench: Bench;
beforeAll(async () => (bench = await openBench()), 120_000);
afterAll(() => bench?.close());

const problem = (status: number, code: string) =>
  ({ status, type: "application/problem+json", json: expect.objectContaining({ status, code }) }) as unknown;
const principal = (roles: readonly string[], oid = "dddddddd-0000-4000-8000-000000000001") =>
  Buffer.from(
    JSON.stringify({
      auth_typ: "aad",
      claims: [{ typ: "oid", val: oid }, ...roles.map((val) => ({ typ: "roles", val }))],
    }),
  ).toString("base64");

test("the first request to a fresh app may be the list", async () => {
  const reply = await bench.call("GET", "/api/rotations");
  expect(reply).toMatchObject({ status: 200, json: { faults: [] } });
  expect((reply.json["rotations"] as { id: string }[]).map(({ id }) => id)).toEqual(["orders-db", "reports-db"]);
});

describe("refusals before anything is read", () => {
  test.each([
    ["no key", ""],
    ["a wrong key", "wrong"],
  ])("%s is 401 at every route", async (_name, key) => {
    for (const [method, path] of [
      ["GET", "/api/rotations"],
      ["GET", "/api/rotations/orders-db"],
      ["POST", "/api/rotations/orders-db/start"],
      ["POST", "/api/rotations/orders-db/rollback"],
      ["POST", "/api/rotations/orders-db/finish"],
      ["GET", "/api/evidence/r-1"],
      ["GET", "/api/health"],
    ] as const)
      expect((await bench.call(method, path, { key })).status).toBe(401);
  });

  test.each([
    ["DELETE", "/api/rotations/orders-db"],
    ["POST", "/api/rotations"],
    ["GET", "/api/rotations/orders-db/start"],
    ["PUT", "/api/rotations/orders-db/rollback"],
    ["POST", "/api/health"],
  ])("%s %s has no function: 404 or 405", async (method, path) => {
    expect([404, 405]).toContain((await bench.call(method, path)).status);
  });

  test("an unknown object is 404 with a way on", async () => {
    const body = { version: "a".repeat(32), rotationId: "r-1" };
    for (const [method, path] of [
      ["GET", "/api/rotations/nobody"],
      ["POST", "/api/rotations/nobody/start"],
      ["POST", "/api/rotations/nobody/rollback"],
      ["POST", "/api/rotations/%2e%2e%2fhealth/finish"],
      ["GET", "/api/rotations/__proto__"],
      ["GET", `/api/rotations/${"x".repeat(3000)}`],
    ] as const) {
      const reply = await bench.call(method, path, method === "POST" ? { body } : {});
      expect(reply).toMatchObject(problem(404, "OBJECT_UNKNOWN") as object);
      expect(reply.json["detail"]).toContain("GET /api/rotations");
    }
  });

  test("evidence that is not there is 404, whatever the id", async () => {
    for (const id of ["r-none", "R-UPPER", "..%2Fsecrets", "a'b", "x".repeat(500)])
      expect(await bench.call("GET", `/api/evidence/${id}`)).toMatchObject(problem(404, "NOT_FOUND") as object);
  });

  test("a body over 1 MiB is 413, declared or chunked", async () => {
    const large = `{"version":"${"a".repeat(1024 * 1024)}"}`;
    expect(await bench.call("POST", "/api/rotations/orders-db/start", { raw: large })).toMatchObject(
      problem(413, "BODY_TOO_LARGE") as object,
    );
    const stream = new Blob([large]).stream();
    const chunked = await fetch(`${bench.host.url}/api/rotations/orders-db/start`, {
      method: "POST",
      headers: { "x-functions-key": bench.host.key },
      body: stream,
      duplex: "half",
    });
    expect(chunked.status).toBe(413);
    expect(await chunked.json()).toMatchObject({ code: "BODY_TOO_LARGE" });
  });

  test.each([
    ["not JSON", "{version"],
    ["not UTF-8", new Uint8Array([0x7b, 0xff, 0xfe, 0x7d])],
    ["an array", "[]"],
    ["null", "null"],
    ["empty", ""],
    ["no version", "{}"],
    ["a version that is no version", `{"version":"a/../b"}`],
    ["a number", `{"version":1}`],
    ["an unknown member", `{"version":"abc","instanceId":"x"}`],
    ["a reason of 1001 characters", JSON.stringify({ version: "abc", reason: "x".repeat(1001) })],
    ["nesting of 100,000", `${"[".repeat(100_000)}${"]".repeat(100_000)}`],
  ])("a body that is %s is 400 and is not quoted", async (_name, raw) => {
    const reply = await bench.call("POST", "/api/rotations/orders-db/start", { raw });
    expect(reply).toMatchObject(problem(400, "BAD_REQUEST") as object);
    expect(reply.text.length).toBeLessThan(600);
    expect(reply.text).not.toContain("a/../b");
  });

  test("an Idempotency-Key of 201 characters is 400", async () => {
    const options = { body: { version: "abc" }, headers: { "idempotency-key": "k".repeat(201) } };
    expect(await bench.call("POST", "/api/rotations/orders-db/start", options)).toMatchObject(
      problem(400, "BAD_REQUEST") as object,
    );
  });

  test("commands for a rotation that is not there are 404", async () => {
    for (const verb of ["rollback", "finish"])
      expect(
        await bench.call("POST", `/api/rotations/orders-db/${verb}`, { body: { rotationId: "r-none" } }),
      ).toMatchObject(problem(404, "NOT_FOUND") as object);
  });

  test("junk in the events queue and at the webhook is acknowledged, counted and explained", async () => {
    const queue = QueueServiceClient.fromConnectionString(bench.cloud.azurite.connectionString);
    const foreign = {
      eventType: "Microsoft.KeyVault.SecretNearExpiry",
      topic: "/subscriptions/x/vaults/kv-other",
      data: { VaultName: "kv-other", ObjectType: "Secret", ObjectName: "orders-db", Version: "0".repeat(32) },
    };
    for (const text of ["no JSON", "[]", "null", "{}", JSON.stringify(foreign), "\u0000"])
      await queue.getQueueClient(eventsQueue).sendMessage(Buffer.from(text).toString("base64"));
    await expect.poll(() => bench.log().match(/event malformed: /g)?.length, { timeout: 15_000 }).toBe(5);
    await expect.poll(() => bench.log()).toMatch(/event foreign: its vault is not in the policy .*events\.foreign/);
    await expect
      .poll(async () => (await queue.getQueueClient(eventsQueue).getProperties()).approximateMessagesCount)
      .toBe(0);

    const code = bench.host.systemKeys["eventgrid_extension"] ?? "";
    const reply = await bench.call("POST", `/runtime/webhooks/eventgrid?functionName=events-webhook&code=${code}`, {
      body: [{ ...foreign, id: "1", subject: "x", eventTime: "2026-01-01T00:00:00Z", dataVersion: "1" }],
      headers: { "aeg-event-type": "Notification" },
      key: "",
    });
    expect(reply.status).toBe(202);
    await expect.poll(() => bench.log().match(/event foreign: /g)?.length).toBe(2);
    expect(await queue.getQueueClient(`${eventsQueue}-poison`).exists()).toBe(false);
  });

  test("none of that was written down", async () => {
    const { records } = (await everything(bench)) as { records: string[] };
    expect(records).toEqual([]);
  });
});

describe("a forged principal", () => {
  test("is refused where App Service authentication is not on, even beside a valid key", async () => {
    const before = await everything(bench);
    const { version } = await bench.newest("orders-db");
    const headers = { "x-ms-client-principal": principal(["Pinion.Operator"]) };
    for (const [path, body] of [
      ["start", { version }],
      ["rollback", { rotationId: "r-1" }],
      ["finish", { rotationId: "r-1" }],
    ] as const)
      expect(await bench.call("POST", `/api/rotations/orders-db/${path}`, { body, headers })).toMatchObject(
        problem(401, "UNAUTHORIZED") as object,
      );
    expect(await everything(bench)).toEqual(before);
  });
});

test("one key, twenty concurrent starts: one rotation, one answer; a start beside it is not taken for another", async () => {
  const { version } = await bench.newest("orders-db");
  const ask = (key?: string) =>
    bench.call("POST", "/api/rotations/orders-db/start", {
      body: { version, reason: "drill" },
      ...(key !== undefined && { headers: { "idempotency-key": key } }),
    });
  const replies = await Promise.all(Array.from({ length: 20 }, () => ask("drill-1")));
  for (const reply of replies) expect([200, 202]).toContain(reply.status);
  const ids = new Set(replies.map(({ json }) => json["rotationId"]));
  expect(ids.size).toBe(1);
  const [rotationId] = ids;

  const others = await Promise.all([ask("drill-2"), ask(), ask()]);
  for (const other of others) expect(other.json["rotationId"]).toBe(rotationId);

  const grace = await bench.until("orders-db", "in grace", ({ status }) => status?.step === "grace");
  expect(grace.rotationId).toBe(rotationId);
  const { records } = (await everything(bench)) as { records: string[] };
  expect(records.find((row) => row.startsWith("fleet "))).toContain(`"started":1,`);
  const again = await ask("drill-1");
  expect([again.status, again.json["rotationId"], again.json["code"]]).toEqual([409, undefined, "VERSION_NOT_CURRENT"]);
}, 120_000);

test("the list shows a running rotation, and no reply holds a durable URL or key", async () => {
  const paths = [
    "/api/rotations",
    "/api/rotations/orders-db",
    "/api/health",
    "/api/rotations/nobody",
    "/api/evidence/x",
  ];
  const texts = await Promise.all(paths.map(async (path) => (await bench.call("GET", path)).text));
  const start = await bench.call("POST", "/api/rotations/orders-db/start", { body: { version: "0".repeat(32) } });
  for (const text of [...texts, start.text]) {
    expect(text).not.toMatch(
      /durabletask|runtime\/webhooks|raiseEvent|terminate|taskHub|[?&]code=|https?:\/\/[^"]*instances/i,
    );
    for (const key of [bench.host.key, bench.host.masterKey, ...Object.values(bench.host.systemKeys)])
      expect(text).not.toContain(key);
  }
});

describe("whoever holds a system key", () => {
  const durable = (path: string, raw: string) =>
    bench.call(
      "POST",
      `/runtime/webhooks/durabletask/${path}?code=${bench.host.systemKeys["durabletask_extension"] ?? ""}`,
      {
        raw,
        key: "",
      },
    );
  const instance = async () => {
    const { vault } = (await bench.call("GET", "/api/rotations/orders-db")).json;
    return `${String(vault)}--secret--orders-db`;
  };
  /** Lets the forged instance run to its end. */
  const settled = async (id: string) => {
    const url = `${bench.host.url}/runtime/webhooks/durabletask/instances/${id}?code=${bench.host.systemKeys["durabletask_extension"] ?? ""}`;
    await expect
      .poll(async () => ((await (await fetch(url)).json()) as { runtimeStatus: string }).runtimeStatus, {
        timeout: 15_000,
      })
      .toMatch(/Completed|Failed/);
  };

  test("raises events in vain: nothing changes without a command record", async () => {
    await bench.until("orders-db", "in grace", ({ status }) => status?.step === "grace");
    const before = await everything(bench);
    const id = await instance();
    for (const [name, raw] of [
      ["command", "{}"],
      ["command", `{"verb":"rollback"}`],
      ["Command", `"finish"`],
      ["command", "null"],
      ["rollback", "{}"],
    ] as const)
      expect((await durable(`instances/${id}/raiseEvent/${name}`, raw)).status).toBe(202);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(await everything(bench)).toEqual(before);
    expect(await bench.show("orders-db")).toMatchObject({ status: { step: "grace" } });
  });

  test("cannot start a second instance for a running rotation", async () => {
    const before = await everything(bench);
    const { rotationId } = await bench.show("orders-db");
    const input = JSON.stringify({ objectId: "orders-db", rotationId });
    expect((await durable("orchestrators/rotate/second", input)).status).toBe(202);
    await settled("second");
    // The running one's own id is taken.
    expect((await durable(`orchestrators/rotate/${await instance()}`, input)).status).toBeGreaterThanOrEqual(400);
    expect(await everything(bench)).toEqual(before);
  });

  test("cannot start without a record, with another object's, or with one that was used", async () => {
    const { rotationId: first } = await bench.show("orders-db");
    await bench.until("orders-db", "ended", ended);
    const key = await instance();
    const { version } = await bench.newest("orders-db");

    // Two refused attempts leave two records that name the version which is current still.
    const refused: string[] = [];
    await bench.setPolicy({
      ...bench.policy,
      objects: bench.policy.objects.map((object) => ({
        ...object,
        consumers: object.consumers.map((consumer) => ({ ...consumer, setting: "NOT_THERE" })),
      })),
    });
    for (let round = 0; round < 2; round++) {
      refused.push(await bench.start("orders-db"));
      await bench.until("orders-db", "refused", (shown) => shown.rotationId === refused.at(-1) && ended(shown));
    }
    await bench.setPolicy(bench.policy);
    expect((await bench.newest("orders-db")).version).toBe(version);

    const before = await everything(bench);
    for (const [objectId, rotationId, id] of [
      ["orders-db", "r-000000000-forged00", key],
      ["orders-db", "zzzz", key],
      ["orders-db", "", key],
      ["orders-db", "x' or PartitionKey ne '", key],
      ["orders-db", first, key],
      ["orders-db", refused[0], key],
      ["orders-db", refused[1], key],
      ["reports-db", first, key.replace("orders-db", "reports-db")],
      ["reports-db", refused[1], key.replace("orders-db", "reports-db")],
      ["orders-db", refused[1], "some-other-id"],
    ] as const) {
      expect((await durable(`orchestrators/rotate/${id}`, JSON.stringify({ objectId, rotationId }))).status).toBe(202);
      await settled(id);
      expect(await everything(bench)).toEqual(before);
    }
    for (const raw of ["null", "7", `"text"`, "[]", "{}", `{"objectId":{"a":1},"rotationId":7}`]) {
      await durable("orchestrators/rotate/odd", raw);
      await settled("odd");
      expect(await everything(bench)).toEqual(before);
    }
  }, 180_000);
});

describe("with Entra as the authority", () => {
  test("a function key starts, and can neither roll back nor finish", async () => {
    await bench.restart({ PINION_COMMAND_AUTHORITY: "entra" });
    const rotationId = await bench.start("orders-db");
    await bench.until("orders-db", "in grace", ({ status }) => status?.step === "grace");
    for (const verb of ["rollback", "finish"])
      expect(await bench.call("POST", `/api/rotations/orders-db/${verb}`, { body: { rotationId } })).toMatchObject(
        problem(403, "FORBIDDEN") as object,
      );
    expect((await bench.show("orders-db")).phase).toBe("grace");
  }, 120_000);

  test("a function key's wish to rotate again in the grace waits until that is over, and the reason says so", async () => {
    const { version } = await bench.newest("orders-db");
    const reply = await bench.call("POST", "/api/rotations/orders-db/start", { body: { version } });
    expect(reply).toMatchObject(problem(409, "NO_FREE_SLOT") as object);
    expect((await bench.show("orders-db")).remembered?.version).toBe(version);
  });

  /** Every route that the app registers, with something in its places. */
  const routes = async () => {
    const { text } = await bench.call("GET", "/admin/functions", { key: bench.host.masterKey });
    const functions = JSON.parse(text) as { name: string; config: { bindings: readonly Record<string, unknown>[] } }[];
    return functions.flatMap(({ name, config }) =>
      config.bindings
        .filter(({ type }) => type === "httpTrigger")
        .map(({ methods, route }) => {
          const path = String(route).replace("{id}", "orders-db").replace("{rotationId}", "r-1");
          return { name, method: String(methods).toUpperCase(), path: `/api/${path}` };
        }),
    );
  };

  test("with authentication on, a key opens nothing: reading takes the reader's role, everything else the operator's", async () => {
    await bench.restart({ PINION_COMMAND_AUTHORITY: "entra", WEBSITE_AUTH_ENABLED: "true" });
    const before = await everything(bench);
    const all = await routes();
    expect(all.length).toBeGreaterThan(9);
    for (const { name, method, path } of all) {
      if (name === "jwks" || name === "health") {
        expect([200, 404]).toContain((await bench.call(method, path, { key: "" })).status);
        continue;
      }
      const ask = (headers: Readonly<Record<string, string>>) => bench.call(method, path, { key: "", headers });
      expect(await ask({ "x-functions-key": bench.host.key })).toMatchObject(problem(401, "UNAUTHORIZED") as object);
      expect(await ask(signedInAs("Another.Role"))).toMatchObject(problem(403, "FORBIDDEN") as object);
      const reader = await ask(signedInAs("Pinion.Reader"));
      if (method === "POST") expect(reader).toMatchObject(problem(403, "FORBIDDEN") as object);
      else expect([401, 403]).not.toContain(reader.status);
    }
    expect(await everything(bench)).toEqual(before);
  }, 60_000);

  test("health: a reader gets all of it, whoever else gets through its status alone", async () => {
    const health = async (headers: Readonly<Record<string, string>>) =>
      (await bench.call("GET", "/api/health", { key: "", headers })).json;
    for (const stranger of [{}, signedInAs(), { "x-functions-key": bench.host.key }])
      expect(await health(stranger)).toEqual({ status: "ok" });
    expect(await health(signedInAs("Pinion.Reader"))).toMatchObject({ status: "ok", objects: 2, observed: false });
  });

  test("with authentication on, the operator's role counts, not the mere header", async () => {
    await bench.restart({ PINION_COMMAND_AUTHORITY: "entra", WEBSITE_AUTH_ENABLED: "true" });
    const { rotationId } = await bench.show("orders-db");
    const finish = (header: string) =>
      bench.call("POST", "/api/rotations/orders-db/finish", {
        body: { rotationId },
        headers: { "x-ms-client-principal": header },
      });
    for (const header of ["", "nonsense", Buffer.from("{}").toString("base64"), Buffer.from("null").toString("base64")])
      expect([401, 403]).toContain((await finish(header)).status);
    expect(await finish(principal([]))).toMatchObject(problem(403, "FORBIDDEN") as object);
    expect(await finish(principal(["pinion.operator"]))).toMatchObject(problem(403, "FORBIDDEN") as object);
    expect((await finish(principal(["Reader", "Pinion.Operator"]))).status).toBe(202);
    await bench.until("orders-db", "rotated", (shown) => ended(shown) && shown.outcome === "rotated");
    const { json } = await bench.call("GET", `/api/evidence/${rotationId ?? ""}`);
    expect(json["commands"]).toContainEqual(
      expect.objectContaining({
        verb: "finish",
        actor: {
          kind: "person",
          id: "dddddddd-0000-4000-8000-000000000001",
          roles: ["Reader", "Pinion.Operator"],
        },
      }),
    );
  }, 120_000);

  test("an operator's wish to rotate again in the grace is first a finish, with all its gates", async () => {
    const operator = { "x-ms-client-principal": principal(["Pinion.Operator"]) };
    const first = await bench.start("orders-db");
    await bench.until("orders-db", "in grace", ({ status }) => status?.step === "grace");
    const { version } = await bench.newest("orders-db");
    const wish = () =>
      bench.call("POST", "/api/rotations/orders-db/start", { body: { version, reason: "again" }, headers: operator });
    for (const _ of [1, 2])
      expect(await wish()).toMatchObject({ status: 202, json: { status: "finishing", rotationId: first } });
    expect((await bench.show("orders-db")).remembered?.version).toBe(version);
    await bench.until("orders-db", "rotated", (shown) => ended(shown) && shown.outcome === "rotated");
    const { json } = await bench.call("GET", `/api/evidence/${first}`);
    expect((json["commands"] as { verb: string }[]).map(({ verb }) => verb)).toEqual(["finish", "finish", "start"]);
    // Now there is room for it.
    const next = await wish();
    expect(next).toMatchObject({ status: 202, json: { status: "started" } });
    expect(next.json["rotationId"]).not.toBe(first);
  }, 180_000);
});

describe("PINION_OBSERVE", () => {
  test("refuses every start with the reason, changes nothing, and reports on", async () => {
    await bench.restart({ PINION_OBSERVE: "true" });
    const { version } = await bench.newest("reports-db");
    const start = () => bench.call("POST", "/api/rotations/reports-db/start", { body: { version } });
    expect(await start()).toMatchObject(problem(409, "OBSERVE_ONLY") as object);
    expect((await bench.call("GET", "/api/health")).json).toMatchObject({ observed: true, stopped: false });
    await bench.sweep();
    const { report } = await bench.show("reports-db");
    bench.cloud.clock.advance(Date.parse(report?.dueAt ?? "") - bench.cloud.clock.now() + day);
    expect(await bench.sweep()).toMatch(/[12] due, 0 started/);
    const shown = await bench.show("reports-db");
    expect(shown).toMatchObject({ mode: "observe", attempts: 0, report: { notes: ["due, but only observed"] } });
    expect(await start()).toMatchObject(problem(409, "OBSERVE_ONLY") as object);
    expect((await bench.newest("reports-db")).version).toBe(version);
  }, 60_000);
});
