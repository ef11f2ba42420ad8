import { join } from "node:path";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { identities } from "../../local/cloud/cloud.ts";
import { ordersSite } from "../../local/cloud/scenario.ts";
import { openClock } from "../../local/clock.ts";
import { asSuperuser } from "../../local/targets/postgres-seed.ts";
import { type Bench, day, everything, hour, minute, openBench, setSetting, settingsOf, vault } from "./app.ts";

// What preflight finds before anything is changed: each refusal with its code and what to do; what passes by itself is waited out.

let bench: Bench;
beforeAll(async () => (bench = await openBench()), 120_000);
afterAll(() => bench?.close());

type Change = (object: Bench["policy"]["objects"][number]) => object;
const orders = (change: Change) => ({
  ...bench.policy,
  objects: bench.policy.objects.map((object) => (object.id === "orders-db" ? change(object) : object)),
});

/** Vault, target and sites; the records tell of the refused attempt. */
async function outside() {
  const { records: _, ...rest } = (await everything(bench)) as Record<string, unknown>;
  return rest;
}

async function refusal(patience?: number) {
  const before = await outside();
  const rotationId = await bench.start("orders-db");
  const end = await bench.end("orders-db", rotationId, patience);
  expect(await outside()).toEqual(before);
  expect(end.outcome).toBe("refused");
  const { json } = await bench.call("GET", `/api/evidence/${rotationId}`);
  expect(json).toMatchObject({ outcome: "refused", fault: { code: end.code } });
  return `${end.code ?? ""}: ${end.message ?? ""}`;
}

const sql = (text: string) => asSuperuser(bench.cloud.postgres, "postgres", (client) => client.query(text));

describe("refused for good, each with what to do", () => {
  test("an administrator without the right to change a role", async () => {
    onTestFinished(
      async () => void (await sql("GRANT orders_b TO pinion_orders WITH ADMIN OPTION, INHERIT FALSE, SET FALSE")),
    );
    await sql("REVOKE ADMIN OPTION FOR orders_b FROM pinion_orders");
    expect(await refusal()).toMatch(/^TARGET_FORBIDDEN: .*orders_b.*GRANT orders_b TO it WITH ADMIN OPTION/);
  });

  test("a wrong password of the administrator", async () => {
    const secrets = bench.cloud.secrets(vault);
    const { value } = await bench.newest("pinion-orders-admin");
    // A running app remembers that password for a minute.
    onTestFinished(async () => {
      await secrets.setSecret("pinion-orders-admin", value);
      await bench.restart();
    });
    await secrets.setSecret("pinion-orders-admin", "not-the-password");
    await bench.restart();
    expect(await refusal()).toMatch(/^ADMIN_LOGIN_FAILED: .*pinion_orders.*correct the administrator/);
  });

  test("a current credential that does not log in", async () => {
    const { value } = await bench.newest("orders-db");
    onTestFinished(async () => {
      await bench.cloud.secrets(vault).setSecret("orders-db", value);
      await repin();
    });
    await bench.cloud
      .secrets(vault)
      .setSecret("orders-db", JSON.stringify({ ...(JSON.parse(value) as object), password: "changed-by-hand" }));
    expect(await refusal()).toMatch(/^(CURRENT_LOGIN_FAILED|SLOT_UNCLEAR): .*orders_a/);
  });

  test("a newest version that is disabled", async () => {
    const { version } = await bench.newest("orders-db");
    onTestFinished(
      async () =>
        void (await bench.cloud.secrets(vault).updateSecretProperties("orders-db", version, { enabled: true })),
    );
    await bench.cloud.secrets(vault).updateSecretProperties("orders-db", version, { enabled: false });
    const reply = await bench.call("POST", "/api/rotations/orders-db/start", { body: { version } });
    expect(reply.status).toBe(202);
    const end = await bench.end("orders-db", String(reply.json["rotationId"]));
    expect(end).toMatchObject({
      outcome: "refused",
      code: "SECRET_DISABLED",
      message: expect.stringContaining("enable it"),
    });
  });

  test("a value that is not in the policy's format; it is not quoted", async () => {
    const { value } = await bench.newest("orders-db");
    onTestFinished(async () => {
      await bench.cloud.secrets(vault).setSecret("orders-db", value);
      await repin();
    });
    await bench.cloud.secrets(vault).setSecret("orders-db", "canary-5f0c plain text");
    const said = await refusal();
    expect(said).toMatch(/^SECRET_MALFORMED: /);
    expect(said + bench.log()).not.toContain("canary-5f0c");
  });

  test.each([
    [
      "settings",
      { actions: ["*/read", "Microsoft.Web/sites/config/list/action"] },
      /^CONSUMER_FORBIDDEN: .*Microsoft.Web\/sites\/config\/write.*orders-api.*assign/,
    ],
    [
      "the vault",
      { dataActions: ["Microsoft.KeyVault/vaults/secrets/getSecret/action"] },
      /^VAULT_FORBIDDEN: .*setSecret.*secrets\/orders-db.*assign/,
    ],
  ] as const)("an identity that may read, but not write %s", async (_, given, said) => {
    const { rights } = bench.cloud.azure;
    const all = { actions: ["*"], notActions: [], dataActions: ["*"], notDataActions: [] };
    onTestFinished(() => rights.limit(identities.app.objectId, undefined));
    rights.limit(identities.app.objectId, [{ ...all, ...given }]);
    expect(await refusal(60_000)).toMatch(said);
  });

  test("a consumer whose setting is no reference", async () => {
    const { ORDERS_DB = "" } = await settingsOf(bench.cloud, ordersSite);
    onTestFinished(() => setSetting(bench.cloud, ordersSite, "ORDERS_DB", ORDERS_DB));
    await setSetting(bench.cloud, ordersSite, "ORDERS_DB", "canary-77aa");
    const said = await refusal();
    expect(said).toMatch(/^CONSUMER_MISCONFIGURED: .*ORDERS_DB.*orders-api.*(correct|check)/);
    expect(said + bench.log()).not.toContain("canary-77aa");
  });

  test("a consumer that somebody pinned elsewhere", async () => {
    const { ORDERS_DB = "" } = await settingsOf(bench.cloud, ordersSite);
    onTestFinished(() => setSetting(bench.cloud, ordersSite, "ORDERS_DB", ORDERS_DB));
    await setSetting(bench.cloud, ordersSite, "ORDERS_DB", ORDERS_DB.replace(/[0-9a-f]{32}/, "0".repeat(32)));
    expect(await refusal()).toMatch(/^CONSUMER_REPINNED: .*0{32}.*move it to the newest version/);
  });

  test("an idle slot that somebody uses", async () => {
    await sql("ALTER ROLE orders_b PASSWORD 'given-by-hand'");
    const { host, port } = bench.cloud.postgres;
    const somebody = new Client({ host, port, database: "orders", user: "orders_b", password: "given-by-hand" });
    await somebody.connect();
    onTestFinished(() => somebody.end());
    expect(await refusal()).toMatch(/^NO_FREE_SLOT: .*orders_b.*Move them to orders_a/);
  });

  test("a clock that is five minutes from the vault's", async () => {
    const file = join(bench.cloud.dir, "skewed");
    const skewed = openClock(file);
    skewed.advance(bench.cloud.clock.now() - skewed.now() + 5 * minute);
    await bench.restart({ PINION_CLOCK: file });
    onTestFinished(() => bench.restart());
    expect(await refusal()).toMatch(/^CLOCK_SKEW: .*30[01] s apart.*correct/);
  });

  test("a target that is not there, after half an hour of tries", async () => {
    onTestFinished(() => bench.setPolicy(bench.policy));
    await bench.setPolicy(
      orders((object) => ({
        ...object,
        rotator: { ...object.rotator, target: { ...object.rotator.target, port: 1 } },
      })),
    );
    const said = await refusal();
    expect(said).toMatch(/^TARGET_UNREACHABLE: 127\.0\.0\.1:1 .*check host, port and firewall/);
  });
});

/** The consumer follows what a test wrote by hand. */
async function repin() {
  const { version } = await bench.newest("orders-db");
  const url = bench.cloud.vaultUrl(vault);
  await setSetting(
    bench.cloud,
    ordersSite,
    "ORDERS_DB",
    `@Microsoft.KeyVault(SecretUri=${url}/secrets/orders-db/${version})`,
  );
}

test("a policy fault stops its object, named with its path, while the others run", async () => {
  await bench.setPolicy(
    orders((object) => ({ ...object, grace: "soon", rotator: { ...object.rotator, kind: "oracle" } })),
  );
  const { version } = await bench.newest("orders-db");
  expect(await bench.call("POST", "/api/rotations/orders-db/start", { body: { version } })).toMatchObject({
    status: 404,
    json: { code: "OBJECT_UNKNOWN", detail: expect.stringContaining("GET /api/health") },
  });
  const health = await bench.call("GET", "/api/health");
  expect(health).toMatchObject({ status: 503, json: { status: "faulty", objects: 1 } });
  const faults = health.json["faults"] as { path: string; object: string; message: string }[];
  expect(faults.map(({ path }) => path).sort()).toEqual(
    expect.arrayContaining(["objects[0].grace", expect.stringMatching(/^objects\[0\]\.rotator/)]),
  );
  for (const { object } of faults) expect(object).toBe("orders-db");
  expect(health.json["summary"]).toMatch(/oracle/);
  const rotationId = await bench.start("reports-db");
  expect(await bench.end("reports-db", rotationId)).toMatchObject({ outcome: "rotated" });
  await bench.setPolicy(bench.policy);
}, 120_000);

test("what waits for its window holds no place: others run meanwhile, and it waits for one of them when it comes back", async () => {
  const opens = new Date(Math.ceil((bench.cloud.clock.now() + 3 * hour) / hour) * hour);
  const window = { cron: `0 ${opens.getUTCHours()} * * *`, duration: "PT8H", timeZone: "Etc/UTC" };
  const alone = { concurrent: 1, perDay: 500 };
  await bench.setPolicy({ ...orders((object) => ({ ...object, window })), limits: alone });
  const waiting = await bench.start("orders-db");
  const shut = ({ status }: { status?: { fault?: { code?: string } } | null }) => status?.fault?.code;
  await bench.until("orders-db", "waiting for its window", (seen) => shut(seen) === "WINDOW_CLOSED");
  const other = await bench.start("reports-db");
  await bench.until("reports-db", "at work", ({ status }) => status !== undefined && status.step !== "preflight");
  bench.cloud.clock.advance(opens.getTime() - bench.cloud.clock.now());
  expect(await bench.end("reports-db", other, 90_000, ["orders-db"])).toMatchObject({ outcome: "rotated" });
  expect(await bench.end("orders-db", waiting, 90_000)).toMatchObject({ outcome: "rotated" });
  await bench.setPolicy(bench.policy);
}, 180_000);

test("observed by hand: everything is looked at, nothing is changed", async () => {
  await bench.setPolicy({ ...bench.policy, mode: "observe" });
  const before = await outside();
  const rotationId = await bench.start("orders-db");
  expect(await bench.end("orders-db", rotationId)).toMatchObject({ outcome: "observed" });
  expect(await outside()).toEqual(before);
  const { json } = await bench.call("GET", `/api/evidence/${rotationId}`);
  expect((json["steps"] as { proofs: unknown[] }[])[0]?.proofs.length).toBeGreaterThan(5);
  await bench.setPolicy(bench.policy);
});

test("a closed window is waited for, and what passes by itself is waited out", async () => {
  const opens = new Date(Math.ceil((bench.cloud.clock.now() + 3 * hour) / hour) * hour);
  const window = { cron: `0 ${opens.getUTCHours()} * * *`, duration: "PT8H", timeZone: "Etc/UTC" };
  await bench.setPolicy(orders((object) => ({ ...object, window })));
  const rotationId = await bench.start("orders-db");
  const waiting = await bench.until(
    "orders-db",
    "waiting for its window",
    ({ status }) => status?.step === "retry" && status.fault?.code === "WINDOW_CLOSED",
  );
  expect(Math.abs(Date.parse(waiting.status?.until ?? "") - opens.getTime())).toBeLessThan(2 * minute);
  const before = await outside();
  bench.cloud.clock.advance(hour);
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(await outside()).toEqual(before);

  // Roles that have not spread yet, a throttled vault, replies that never come, ARM out of order.
  const { control } = bench.cloud.vaults;
  const { rights, faults } = bench.cloud.azure;
  rights.deny(identities.app.objectId, "vault", opens.getTime() / 1000 - bench.cloud.clock.now() / 1000 + 60);
  for (const [operation, fault] of [
    ["secret.set", { kind: "status", status: 429, retryAfter: 7 }],
    ["secret.set", { kind: "status", status: 429 }],
    ["secret.set", { kind: "drop", when: "after" }],
    ["secret.versions", { kind: "status", status: 503 }],
    ["secret.update", { kind: "drop" }],
  ] as const)
    control.addFault({ operation, ...fault });
  for (const [operation, status, when] of [
    ["appsettings.list", 403, "before"],
    ["appsettings.put", 429, "before"],
    ["appsettings.put", 500, "after"],
  ] as const)
    faults.add({ operation, times: 1, kind: "status", status, when });
  faults.add({ operation: "references.get", times: 1, kind: "drop", status: 500, when: "before" });

  expect(await bench.end("orders-db", rotationId, 90_000)).toMatchObject({
    outcome: "rotated",
    rotationId,
  });
  expect(control.faults()).toEqual([]);
  expect(bench.cloud.clock.now()).toBeGreaterThan(opens.getTime());
  expect(bench.cloud.clock.now()).toBeLessThan(opens.getTime() + day);
  // One version for the rotation, whatever was sent twice.
  const { versions } = (await outside()) as { versions: string[] };
  expect(versions.filter((line) => line.startsWith("orders-db/") && line.includes(rotationId))).toHaveLength(1);
  await bench.setPolicy(bench.policy);
}, 180_000);
