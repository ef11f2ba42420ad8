import { SecretClient } from "@azure/keyvault-secrets";
import { expect, test } from "vitest";
import { client as officialClient, start, testVault, vaultName } from "./support.ts";

const set = (value: string) => ({ body: { value } });

test("a status before the work: it is not done; after it: it is", async () => {
  const { ask, control } = await testVault();
  control.addFault({ operation: "secret.set", kind: "status", status: 500 });
  const before = await ask("PUT", "/secrets/a", set("v"));
  expect([before.status, before.json.error.code]).toEqual([500, "InternalServerError"]);
  expect((await ask("GET", "/secrets/a")).status).toBe(404);
  control.addFault({ operation: "secret.set", kind: "status", when: "after", status: 503 });
  const after = await ask("PUT", "/secrets/a", set("v"));
  expect([after.status, after.json.error.code]).toEqual([503, "ServiceUnavailable"]);
  expect((await ask("GET", "/secrets/a")).json.value).toBe("v");
});

test("a cut connection before the work and after it", async () => {
  const { ask, client, control } = await testVault();
  control.addFault({ operation: "secret.set", kind: "drop" });
  await expect(client.setSecret("a", "v")).rejects.toMatchObject({ code: "ECONNRESET" });
  expect((await ask("GET", "/secrets/a")).status).toBe(404);
  control.addFault({ operation: "secret.set", kind: "drop", when: "after" });
  await expect(ask("PUT", "/secrets/a", set("v"))).rejects.toMatchObject({ code: "ECONNRESET" });
  expect((await ask("GET", "/secrets/a")).json.value).toBe("v");
});

test("a connection that is reset, as by a machine that went down", async () => {
  const { ask, control } = await testVault();
  for (const when of ["before", "after"] as const) {
    control.addFault({ operation: "secret.set", kind: "reset", when });
    await expect(ask("PUT", "/secrets/a", set("v"))).rejects.toMatchObject({ code: "ECONNRESET", syscall: "read" });
    expect((await ask("GET", "/secrets/a")).status).toBe(when === "before" ? 404 : 200);
  }
});

test("continuous access evaluation: a token that was good is asked for anew, with claims", async () => {
  const { ask, control, url, ca } = await testVault();
  await ask("PUT", "/secrets/a", set("v"));
  const asked: (string | undefined)[] = [];
  const credential = {
    getToken: (_: unknown, options: { claims?: string } = {}) => {
      asked.push(options.claims);
      return Promise.resolve({ token: "a-token", expiresOnTimestamp: Date.now() + 3_600_000 });
    },
  };
  const secrets = new SecretClient(url, credential, {
    disableChallengeResourceVerification: true,
    tlsOptions: { ca },
    retryOptions: { maxRetries: 0 },
  });
  await secrets.getSecret("a");
  expect(asked).toEqual([undefined]);
  control.addFault({ operation: "secret.get", kind: "status", status: 401, code: "insufficient_claims" });
  expect((await secrets.getSecret("a")).value).toBe("v");
  expect(asked).toHaveLength(2);
  expect(JSON.parse(asked[1]!)).toMatchObject({ access_token: { nbf: { essential: true } } });
});

test("429 with and without Retry-After, and what the official client makes of it", async () => {
  const { ask, control, url, ca } = await testVault();
  await ask("PUT", "/secrets/a", set("v"));
  control.addFault({ operation: "secret.get", kind: "status", status: 429 });
  const bare = await ask("GET", "/secrets/a");
  expect(bare.headers["retry-after"]).toBeUndefined();
  expect(bare.json).toStrictEqual({
    error: {
      code: "Throttled",
      message:
        "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached",
    },
  });
  control.addFault({ operation: "secret.get", kind: "status", status: 429, retryAfter: 7 });
  expect((await ask("GET", "/secrets/a")).headers["retry-after"]).toBe("7");
  control.addFault({ operation: "secret.get", kind: "status", status: 429, retryAfter: 0, times: 2 });
  const patient = officialClient(url, ca, 3);
  expect((await patient.getSecret("a")).value).toBe("v");
  const statuses = control.log().map(({ operation, status }) => [operation, status]);
  expect(statuses.slice(-4), "the challenge takes no fault").toEqual([
    ["secret.get", 401],
    ["secret.get", 429],
    ["secret.get", 429],
    ["secret.get", 200],
  ]);
});

test("403 in the service's words, or with another inner code", async () => {
  const { ask, control } = await testVault();
  control.addFault({ operation: "*", kind: "status", status: 403 });
  control.addFault({ operation: "*", kind: "status", status: 403, code: "ForbiddenByFirewall" });
  for (const inner of ["ForbiddenByRbac", "ForbiddenByFirewall"]) {
    const { json } = await ask("GET", "/secrets");
    expect([json.error.code, json.error.innererror.code]).toEqual(["Forbidden", inner]);
  }
  expect((await ask("GET", "/secrets")).status).toBe(200);
});

test("by operation, by vault, by number and by share", async () => {
  const vaults = ["kv-one", "kv-two"].map((name) => ({ name, resourceId: `/vaults/${name}` }));
  const { ask, control } = await testVault({ vaults });
  const list = async () => (await ask("GET", "/secrets")).status;
  control.addFault({ operation: "secret.get", kind: "status" });
  control.addFault({ operation: "secret.*", vault: "kv-two", kind: "status" });
  expect(await list()).toBe(200);
  control.clearFaults();
  control.addFault({ operation: "secret.*", vault: "kv-one", kind: "status", times: 2 });
  expect([await list(), await list(), await list()]).toEqual([500, 500, 200]);
  control.addFault({ operation: "secret.list", kind: "status", rate: 1 });
  expect([await list(), await list(), await list()]).toEqual([500, 500, 500]);
  control.clearFaults();
  control.addFault({ operation: "secret.list", kind: "status", rate: 0.5 });
  const statuses = [];
  for (let index = 0; index < 100; index++) statuses.push(await list());
  expect(new Set(statuses)).toEqual(new Set([200, 500]));
});

test("latency", async () => {
  const { ask, control } = await testVault();
  control.addFault({ operation: "secret.list", kind: "delay", latencyMs: 150 });
  const began = performance.now();
  expect((await ask("GET", "/secrets")).status).toBe(200);
  expect(performance.now() - began).toBeGreaterThan(140);
});

test("controls over HTTP need no token and no api-version", async () => {
  const { ask, control, clock } = await testVault();
  const emulator = (method: string, what: string, body?: unknown) =>
    ask(method, `/_emulator/${what}`, { raw: true, token: null, ...(body === undefined ? {} : { body }) });
  const added = await emulator("POST", "faults", { operation: "secret.set", kind: "status", status: 503, times: 9 });
  expect(added.status).toBe(201);
  expect(control.faults()).toMatchObject([{ vault: vaultName, status: 503, times: 9, when: "before" }]);
  expect((await ask("PUT", "/secrets/a", set("v"))).status).toBe(503);
  expect((await emulator("GET", "faults")).json.value).toMatchObject([{ times: 8 }]);
  expect((await emulator("DELETE", "faults")).status).toBe(204);
  const { json } = await ask("PUT", "/secrets/a", set("very secret"));
  const version: string = json.id.split("/").at(-1);
  await ask("GET", `/secrets/a/${version}`);
  const log = await emulator("GET", "log");
  expect(log.text).not.toContain("very secret");
  const common = { vault: vaultName, time: new Date(start).toISOString(), name: "a", caller: "anyone" };
  expect(log.json.value).toEqual([
    { ...common, method: "PUT", operation: "secret.set", status: 503 },
    { ...common, method: "PUT", operation: "secret.set", status: 200 },
    { ...common, method: "GET", operation: "secret.get", version, status: 200 },
  ]);
  expect((await emulator("PUT", "settings", { deleteDelayMs: 1000 })).status).toBe(204);
  await ask("DELETE", "/secrets/a");
  expect((await ask("GET", "/deletedsecrets/a")).status).toBe(404);
  clock.advance(1000);
  expect((await ask("GET", "/deletedsecrets/a")).status).toBe(200);
  expect((await emulator("POST", "reset")).status).toBe(204);
  expect((await ask("GET", "/deletedsecrets/a")).status).toBe(404);
  expect(control.log()).toHaveLength(1);
  for (const bad of [{}, { operation: "x", kind: "boom" }, { operation: "x", kind: "status", extra: 1 }, []]) {
    expect((await emulator("POST", "faults", bad)).status).toBe(400);
  }
  expect((await emulator("PUT", "settings", { deleteDelayMs: -1 })).status).toBe(400);
  expect((await emulator("GET", "nothing")).status).toBe(404);
});

test("throttling as documented: 300 creations in ten seconds, refused ones not counted", async () => {
  const { ask, control, clock } = await testVault();
  control.set({ throttling: true });
  const put = async () => (await ask("PUT", "/secrets/a", set("v"))).status;
  for (let index = 0; index < 300; index++) expect(await put()).toBe(200);
  expect([await put(), await put()]).toEqual([429, 429]);
  expect((await ask("GET", "/secrets/a")).status, "reads have a limit of their own").toBe(200);
  clock.advance(9_999);
  expect(await put()).toBe(429);
  clock.advance(1);
  expect(await put()).toBe(200);
  expect((await ask("GET", "/secrets/a/versions?maxresults=1")).status).toBe(200);
});
