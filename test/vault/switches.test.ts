import { request } from "node:https";
import { expect, test } from "vitest";
import { openClock } from "../../local/clock.ts";
import { join } from "node:path";
import { call, day, start, tempDir, testVault, vaultName } from "./support.ts";
import { me, strictVault, tenantId } from "./strict.ts";

// What a test may switch while the vaults run: firewall, Azure Policy, clock, snapshots.

async function controlled(options: Parameters<typeof testVault>[0] = {}) {
  const vault = await testVault(options);
  const emulator = (method: string, what: string, body?: unknown, headers: Record<string, string> = {}) =>
    vault.ask(method, `/_emulator/${what}`, {
      raw: true,
      token: null,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const put = (name: string, body: object = {}) =>
    vault.ask("PUT", `/secrets/${name}`, { body: { value: "v", ...body } });
  return { ...vault, emulator, put };
}

test("the firewall: by address, for good tokens only, before the roles", async () => {
  const { ask, emulator } = await strictVault();
  await emulator("PUT", "network", { defaultAction: "Deny", ipRules: ["10.0.0.0/8", "192.0.2.7"] });
  const refused = await ask("GET", "/secrets/a");
  expect(refused.status).toBe(403);
  expect(refused.json.error).toEqual({
    code: "Forbidden",
    message: [
      "Client address is not authorized and caller is not a trusted service.",
      "Client address: 127.0.0.1",
      `Caller: appid=${me.appId};oid=${me.objectId};iss=https://sts.windows.net/${tenantId}/`,
      `Vault: ${vaultName};location=local`,
    ].join("\r\n"),
    innererror: { code: "ForbiddenByFirewall" },
  });
  expect((await ask("GET", "/secrets/a", { token: null })).status, "the challenge comes first").toBe(401);
  await emulator("PUT", "network", { defaultAction: "Deny", ipRules: ["127.0.0.0/8"] });
  expect((await ask("GET", "/secrets/a")).json.error.innererror.code).toBe("ForbiddenByRbac");
  await emulator("PUT", "network", { publicNetworkAccess: "Disabled", ipRules: ["127.0.0.1"] });
  expect((await ask("GET", "/secrets/a")).json.error.innererror.code).toBe("ForbiddenByConnection");
  await emulator("PUT", "network", null);
  expect((await emulator("GET", "network")).json.value).toBeNull();
  for (const bad of [
    { ipRules: ["::1"] },
    { ipRules: ["1.2.3.4/33"] },
    { ipRules: ["1.2.3"] },
    { defaultAction: "x" },
  ]) {
    expect((await emulator("PUT", "network", bad)).status).toBe(400);
  }
});

test("Azure Policy denies what would break it, and nothing is changed", async () => {
  const { ask, emulator, put } = await controlled();
  const at = start / 1000;
  const exp = (days: number, more: object = {}) => ({ attributes: { exp: at + days * 86_400, ...more } });
  await put("old");
  await emulator("PUT", "policy", {
    secrets: { expirySet: true, minimumValidityDays: 30, maximumValidityDays: 90, contentTypeSet: true },
  });
  const type = { contentType: "text/plain" };
  const cases: [string, object, number, string?][] = [
    ["no expiry", type, 403, "Key Vault secrets should have an expiration date"],
    ["too near", { ...type, ...exp(29) }, 403, "more than the specified number of days before expiration (30)"],
    ["too far", { ...type, ...exp(91) }, 403, "maximum validity period (90 days)"],
    ["far, but from its nbf on short", { ...type, ...exp(120, { nbf: at + 40 * 86_400 }) }, 200],
    ["no content type", exp(60), 403, "content type set"],
    ["good", { ...type, ...exp(60) }, 200],
  ];
  for (const [what, body, status, words] of cases) {
    const answer = await put("a", body);
    expect([what, answer.status]).toEqual([what, status]);
    if (words === undefined) continue;
    expect(answer.json.error).toMatchObject({ code: "Forbidden", innererror: { code: "ForbiddenByPolicy" } });
    expect(answer.json.error.message).toContain(words);
  }
  expect((await ask("GET", "/secrets/a/versions")).json.value).toHaveLength(2);
  expect(
    (await ask("PATCH", "/secrets/a", { body: { contentType: "" } })).status,
    "an update is judged by its result",
  ).toBe(403);
  expect((await ask("GET", "/secrets/a")).json.contentType).toBe("text/plain");
  expect((await ask("PATCH", "/secrets/a", { body: { tags: { a: "b" } } })).status).toBe(200);
  expect((await ask("PATCH", "/secrets/old", { body: { tags: { a: "b" } } })).status).toBe(403);
  expect((await ask("GET", "/secrets/old")).status, "what is there stays readable").toBe(200);
  const { value } = (await ask("POST", "/secrets/old/backup")).json;
  await ask("DELETE", "/secrets/old");
  await ask("DELETE", "/deletedsecrets/old");
  expect((await ask("POST", "/secrets/restore", { body: { value } })).status, "a backup comes back as it was").toBe(
    200,
  );
  expect((await emulator("PUT", "policy", { secrets: { expiry: true } })).status).toBe(400);
  await emulator("PUT", "policy", null);
  expect((await put("a")).status).toBe(200);
});

test("Azure Policy on keys and certificates", async () => {
  const { ask, emulator } = await controlled();
  const at = start / 1000;
  await emulator("PUT", "policy", {
    keys: { expirySet: true, maximumValidityDays: 365 },
    certificates: { maximumValidityDays: 100 },
  });
  const inner = ({ status, json }: Awaited<ReturnType<typeof ask>>) => [status, json.error?.innererror?.code];
  const key = (days?: number) => ({
    body: { kty: "EC", ...(days === undefined ? {} : { attributes: { exp: at + days * 86_400 } }) },
  });
  expect(inner(await ask("POST", "/keys/a/create", key()))).toEqual([403, "ForbiddenByPolicy"]);
  expect(inner(await ask("POST", "/keys/a/create", key(366)))).toEqual([403, "ForbiddenByPolicy"]);
  expect((await ask("POST", "/keys/a/create", key(365))).status).toBe(200);
  expect(inner(await ask("POST", "/keys/a/rotate"))).toEqual([403, "ForbiddenByPolicy"]);
  const far = { attributes: { exp: at + 999 * 86_400 } };
  expect(inner(await ask("PATCH", "/keys/a", { body: far }))).toEqual([403, "ForbiddenByPolicy"]);
  expect((await ask("GET", "/keys/a/versions")).json.value).toHaveLength(1);
  expect((await ask("PUT", "/secrets/a", { body: { value: "v" } })).status, "secrets go free").toBe(200);
  const certificate = (months: number) => ({
    body: {
      policy: {
        issuer: { name: "Self" },
        key_props: { kty: "EC", crv: "P-256" },
        x509_props: { subject: "CN=c", validity_months: months },
      },
    },
  });
  expect(inner(await ask("POST", "/certificates/c/create", certificate(12)))).toEqual([403, "ForbiddenByPolicy"]);
  expect((await ask("GET", "/certificates/c/pending")).status).toBe(404);
  expect(
    (await ask("POST", "/certificates/c/create", certificate(3))).status,
    "its key needs no expiry of its own",
  ).toBe(202);
});

test("the clock over HTTP: set, advance, freeze, resume", async () => {
  const clock = openClock(join(tempDir(), "clock"), { mayGoBack: true });
  const { emulator, put } = await controlled({ clock });
  const move = async (body: object) => (await emulator("POST", "clock", body)).json.value;
  expect(await move({ set: "2026-02-28T23:59:00Z", advance: 59, frozen: true })).toEqual({
    now: expect.stringMatching(/^2026-02-28T23:59:59\.\d{3}Z$/),
    frozen: true,
  });
  const stood = (await emulator("GET", "clock")).json.value.now;
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect((await emulator("GET", "clock")).json.value.now).toBe(stood);
  expect((await move({ advance: "P1DT1S" })).now.slice(0, 19)).toBe("2026-03-02T00:00:00");
  expect((await put("a")).json.attributes.created).toBe(Date.UTC(2026, 2, 2) / 1000);
  const went = await move({ frozen: false });
  expect([went.frozen, went.now.slice(0, 17)]).toEqual([false, "2026-03-02T00:00:"]);
  expect((await move({ set: "2020-01-01T00:00:00Z" })).now.slice(0, 17)).toBe("2020-01-01T00:00:");
  for (const bad of [{ advance: -1 }, { advance: "soon" }, { set: "2026" }, { frozen: 1 }, { forward: 1 }]) {
    expect((await emulator("POST", "clock", bad)).status).toBe(400);
  }
});

test("a clock that several parts share goes forward only, for all who read its file, and can stand", () => {
  const file = join(tempDir(), "clock");
  const [one, other] = [openClock(file), openClock(file)];
  const before = other.now();
  one.advance(day);
  expect(other.now()).toBeGreaterThanOrEqual(before + day);
  one.freeze(true);
  const stood = other.now();
  one.advance(1000);
  expect([other.now(), other.frozen(), openClock(file).now()]).toEqual([stood + 1000, true, stood + 1000]);
  one.set(stood + day);
  expect(other.now()).toBe(stood + day);
  expect(() => one.set(stood)).toThrow("only goes forward");
  other.freeze(false);
  expect(one.now()).toBeGreaterThanOrEqual(stood + day);
  expect(one.now()).toBeLessThan(stood + day + 5000);
  expect(one.frozen()).toBe(false);
});

test("snapshots: all vaults go back, over a restart too, and nothing of them is readable", async () => {
  const vaults = ["kv-one", "kv-two"].map((name) => ({ name, resourceId: `/vaults/${name}` }));
  const stateDir = tempDir();
  const first = await controlled({ vaults, stateDir });
  const other = first.vaults.vaults[1]!.url;
  const { agent, emulator, put, ask, clock } = first;
  const inOther = (path: string) => call(agent, other, "GET", `${path}?api-version=7.5`, {});
  await put("a", { value: "kept" });
  await put("b");
  await ask("DELETE", "/secrets/b");
  expect((await emulator("PUT", "snapshots/before")).status).toBe(204);
  expect((await emulator("PUT", "snapshots/..%2Fx")).status).toBe(400);
  await put("a", { value: "changed" });
  await put("c");
  await ask("POST", "/deletedsecrets/b/recover");
  expect((await emulator("POST", "snapshots/none/restore")).status).toBe(404);
  expect((await emulator("POST", "snapshots/before/restore")).status).toBe(204);
  const holds = async (vault: typeof first) => {
    expect((await vault.ask("GET", "/secrets/a")).json.value).toBe("kept");
    expect((await vault.ask("GET", "/secrets/a/versions")).json.value).toHaveLength(1);
    expect((await vault.ask("GET", "/deletedsecrets/b")).status).toBe(200);
    expect((await vault.ask("GET", "/secrets/c")).status).toBe(404);
  };
  await holds(first);
  expect((await inOther("/secrets/a")).status).toBe(404);
  await put("d", { value: "after the restore" });
  await first.close();
  const second = await controlled({ vaults, stateDir, clock });
  await holds(second);
  expect((await second.ask("GET", "/secrets/d")).json.value).toBe("after the restore");
  expect((await second.emulator("GET", "snapshots")).json.value).toEqual(["before"]);
  await second.emulator("POST", "snapshots/before/restore");
  expect((await second.ask("GET", "/secrets/d")).status).toBe(404);
  expect((await second.emulator("DELETE", "snapshots/before")).status).toBe(204);
  expect((await second.emulator("DELETE", "snapshots/before")).status).toBe(404);
});

test("snapshots hold settings and roles, too", async () => {
  const { ask, emulator, hold } = await strictVault();
  const { id } = (await emulator("POST", "roles", { principalId: me.objectId, role: "Secrets Officer" })).json.value;
  await emulator("PUT", "policy", { secrets: { expirySet: true } });
  await emulator("PUT", "snapshots/s");
  await emulator("DELETE", `roles/${id}`);
  hold("Administrator", "/elsewhere");
  await emulator("PUT", "policy", { secrets: { contentTypeSet: true } });
  await emulator("PUT", "network", { defaultAction: "Deny" });
  await emulator("POST", "snapshots/s/restore");
  expect((await emulator("GET", "policy")).json.value).toEqual({ secrets: { expirySet: true } });
  expect((await emulator("GET", "network")).json.value).toBeNull();
  expect((await emulator("GET", "roles")).json.value).toHaveLength(1);
  expect((await ask("GET", "/secrets")).status).toBe(200);
});

test("a vault that another process serves is left alone", async () => {
  const stateDir = tempDir();
  const first = await controlled({ stateDir });
  await first.put("a");
  await expect(testVault({ stateDir })).rejects.toThrow("is being served already");
  const other = await testVault({ stateDir, vaults: [{ name: "kv-other", resourceId: "/x" }] });
  await other.close();
  await first.close();
  const second = await testVault({ stateDir });
  expect((await second.ask("GET", "/secrets/a")).status).toBe(200);
});

test("the list of controls; only loopback names reach them, and no page of another origin", async () => {
  const { emulator, ca, url } = await controlled();
  const list = (await emulator("GET", "")).json.value as { control: string; does: string }[];
  expect(list.map(({ control }) => control)).toEqual(
    expect.arrayContaining(["GET /_emulator/log", "POST /_emulator/clock", "PUT /_emulator/policy"]),
  );
  expect(list.every(({ does }) => does.length > 5)).toBe(true);
  const statusFor = (host: string, headers: Record<string, string> = {}) =>
    new Promise<number>((resolve, reject) => {
      const { port } = new URL(url);
      const options = {
        host: "127.0.0.1",
        port,
        ca,
        path: "/_emulator/",
        headers: { host, ...headers },
        servername: "localhost",
      };
      request(options, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      })
        .on("error", reject)
        .end();
    });
  for (const host of ["localhost", "127.0.0.1:8443", "kv-a.localhost:1", "[::1]:8443"]) {
    expect([host, await statusFor(host)]).toEqual([host, 200]);
  }
  for (const host of [
    "evil.example",
    "127.0.0.1.evil.example",
    "kv.vault.azure.net:8443",
    "localhost.evil.example:1",
  ]) {
    expect([host, await statusFor(host)]).toEqual([host, 404]);
  }
  expect(await statusFor("localhost", { origin: "https://evil.example" })).toBe(404);
  expect(await statusFor("localhost", { origin: "null" })).toBe(404);
  expect(await statusFor("localhost", { origin: "https://localhost:8443" })).toBe(200);
});

test("a reset brings the settings back, too", async () => {
  const { emulator, ask, put } = await controlled();
  await emulator("PUT", "settings", { throttling: true, deleteDelayMs: 5 });
  await emulator("PUT", "policy", { secrets: { expirySet: true } });
  await emulator("PUT", "network", { defaultAction: "Deny" });
  await emulator("POST", "faults", { operation: "*", kind: "status", status: 502, times: 5 });
  await emulator("POST", "reset");
  expect((await emulator("GET", "settings")).json.value).toEqual({
    deleteDelayMs: 0,
    certificateDelayMs: 500,
    issuerDelayMs: 500,
    issuerError: null,
    throttling: false,
  });
  expect((await put("a")).status).toBe(200);
  for (let index = 0; index < 310; index++) await ask("PUT", "/secrets/a", { body: { value: "v" } });
  expect((await put("a")).status).toBe(200);
});

test("any 4xx or 5xx can be asked for", async () => {
  const { ask, control } = await controlled();
  const expected: [number, string][] = [
    [400, "BadParameter"],
    [408, "RequestTimeout"],
    [418, "BadParameter"],
    [502, "BadGateway"],
    [504, "GatewayTimeout"],
    [599, "InternalServerError"],
  ];
  for (const [status, code] of expected) {
    control.addFault({ operation: "secret.list", kind: "status", status });
    const answer = await ask("GET", "/secrets");
    expect([answer.status, answer.json.error.code]).toEqual([status, code]);
  }
  expect(() => control.addFault({ operation: "*", kind: "status", status: 200 })).toThrow("status");
});
