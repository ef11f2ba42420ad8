import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { FaultInput } from "../../local/vault/faults.ts";
import { openSecrets } from "../../src/vault/secrets.ts";
import type { Vault } from "../../src/vault/vault.ts";
import { day, openLocalVault } from "./vault.ts";

let local: Awaited<ReturnType<typeof openLocalVault>>;
let version = "";
beforeAll(async () => {
  local = await openLocalVault();
  version = await local.put("db", "canary-3d21");
});
afterAll(() => local.close());
afterEach(() => local.control.clearFaults());

const signal = () => AbortSignal.timeout(20_000);
/** Every operation, and what the vault calls it. */
const operations: readonly [string, (vault: Vault) => Promise<unknown>][] = [
  ["secret.get", (vault) => vault.latest("db", signal())],
  ["secret.get", (vault) => vault.value("db", version, signal())],
  [
    "secret.set",
    (vault) =>
      vault.write("db-2", { value: "canary-3d21", expiresOn: new Date(local.clock.now() + day), tags: {} }, signal()),
  ],
  ["secret.versions", (vault) => vault.versions("db", signal())],
  ["secret.update", (vault) => vault.disable("db", version, signal())],
  ["secret.list", (vault) => vault.inventory(signal())],
  ["secret.recover", (vault) => vault.recover("db-gone", signal())],
];

describe.each(operations)("%s", (operation, ask) => {
  test.each<[string, Omit<FaultInput, "operation">, object]>([
    ["403", { kind: "status", status: 403 }, { code: "VAULT_FORBIDDEN", class: "propagation" }],
    [
      "429 without Retry-After",
      { kind: "status", status: 429 },
      { code: "VAULT_THROTTLED", class: "throttled", retryAfterSeconds: undefined },
    ],
    [
      "429 with Retry-After",
      { kind: "status", status: 429, retryAfter: 17 },
      { code: "VAULT_THROTTLED", class: "throttled", retryAfterSeconds: 17 },
    ],
    ["500", { kind: "status", status: 500 }, { code: "VAULT_UNAVAILABLE", class: "transient" }],
    ["503", { kind: "status", status: 503 }, { code: "VAULT_UNAVAILABLE", class: "transient" }],
    ["a connection cut before", { kind: "drop" }, { code: "VAULT_UNAVAILABLE", class: "transient" }],
    ["a connection cut after", { kind: "drop", when: "after" }, { code: "VAULT_UNAVAILABLE", class: "transient" }],
  ])("%s, asked once and not again", async (_name, fault, expected) => {
    local.control.addFault({ operation, ...fault });
    const before = local.control.log().filter((entry) => entry.operation === operation && entry.status !== 401).length;
    const error = await ask(local.open()).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: "PinionError", ...expected });
    const asked =
      local.control.log().filter((entry) => entry.operation === operation && entry.status !== 401).length - before;
    expect(asked).toBe(1);
    // The service's text names callers and objects, and never leaves this place.
    expect((error as Error).message).not.toMatch(/canary|Caller|AKV|VaultRequestTypeLimitReached/);
    expect((error as Error).message).toContain(new URL(local.uri).host);
  });
});

test("what a name can be: not there, deleted, disabled", async () => {
  const vault = local.open();
  await expect(vault.latest("nobody", signal())).rejects.toMatchObject({
    code: "SECRET_NOT_FOUND",
    class: "permanent",
  });
  await expect(vault.value("db", "0".repeat(32), signal())).rejects.toMatchObject({ code: "SECRET_NOT_FOUND" });
  await local.put("deleted", "x");
  await (await local.person.beginDeleteSecret("deleted")).pollUntilDone();
  const next = { value: "y", expiresOn: new Date(local.clock.now() + day), tags: {} };
  await expect(vault.write("deleted", next, signal())).rejects.toMatchObject({ code: "CONFLICT", class: "transient" });
  await expect(vault.latest("deleted", signal())).rejects.toMatchObject({ code: "SECRET_NOT_FOUND" });
  const off = await local.put("off", "x", { enabled: false });
  for (const ask of [() => vault.latest("off", signal()), () => vault.value("off", off, signal())])
    await expect(ask()).rejects.toMatchObject({
      code: "SECRET_DISABLED",
      class: "permanent",
      // A named version may be an older one.
      message: expect.not.stringContaining("newest"),
    });
});

test("the newest version decides, even when an older one is enabled", async () => {
  await local.put("mixed", "old");
  await local.put("mixed", "new", { enabled: false });
  await expect(local.open().latest("mixed", signal())).rejects.toMatchObject({ code: "SECRET_DISABLED" });
});

test("a vault that is not there, and one that needs another tenant's token", async () => {
  const credential = { getToken: async () => ({ token: "t", expiresOnTimestamp: Date.now() + day }) };
  const gone = openSecrets("https://127.0.0.1:1", credential);
  await expect(gone.latest("db", signal())).rejects.toMatchObject({ code: "VAULT_UNAVAILABLE", class: "transient" });
  const nobody = openSecrets(local.uri, { getToken: async () => null });
  await expect(nobody.latest("db", signal())).rejects.toMatchObject({ name: "PinionError" });
});

test("a deadline is a deadline, not a fault of the vault", async () => {
  local.control.addFault({ operation: "secret.get", kind: "delay", latencyMs: 5000 });
  await expect(local.open().latest("db", AbortSignal.timeout(50))).rejects.toMatchObject({ name: "AbortError" });
});

test("each version's value is fetched once; the newest is always asked for", async () => {
  const vault = local.open();
  const asked = () =>
    local.control.log().filter(({ operation, status }) => operation === "secret.get" && status === 200).length;
  const before = asked();
  for (let n = 0; n < 5; n++)
    expect(await vault.value("mixed-2", await local.put("mixed-2", `v${n}`), signal())).toBe(`v${n}`);
  expect(asked() - before).toBe(5);
  const { version: newest } = await vault.latest("mixed-2", signal());
  await vault.latest("mixed-2", signal());
  expect(await vault.value("MIXED-2", newest, signal())).toBe("v4");
  expect(asked() - before).toBe(7);
});

test("sixty secrets are listed whole, over pages", async () => {
  for (let n = 0; n < 60; n++) await local.put(`many-${n}`, "x", { tags: { n: String(n) } });
  const all = await local.open().inventory(signal());
  expect(all.filter(({ name }) => name.startsWith("many-"))).toHaveLength(60);
  expect(JSON.stringify(all)).not.toContain("canary");
});
