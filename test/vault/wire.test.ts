import { expect, test } from "vitest";
import { day, start, testVault } from "./support.ts";

// What goes over the wire, asked with plain HTTPS requests.

const at = start / 1000;
const version = expect.stringMatching(/^[0-9a-f]{32}$/);

test("the first request of official clients: no token, no body", async () => {
  const { ask, control } = await testVault({
    authority: "https://login.windows.net/11111111-2222-3333-4444-555555555555",
  });
  for (const asked of [{ token: null }, { token: null, body: "{ not json" }, { token: null, raw: true }]) {
    const answer = await ask("PUT", "/secrets/a_b", asked);
    expect(answer.status).toBe(401);
    expect(answer.headers["www-authenticate"]).toBe(
      'Bearer authorization="https://login.windows.net/11111111-2222-3333-4444-555555555555", resource="https://vault.azure.net"',
    );
    expect(answer.json).toEqual({
      error: { code: "Unauthorized", message: "AKV10000: Request is missing a Bearer or PoP token." },
    });
  }
  expect(control.log()).toHaveLength(3);
});

test("idle connections outlast the minute for which .NET's clients use them again", async () => {
  const { ask } = await testVault();
  const { headers } = await ask("GET", "/secrets");
  expect(Number(/timeout=(\d+)/.exec(String(headers["keep-alive"]))?.[1])).toBeGreaterThan(60);
});

test("the authorizer's word stands", async () => {
  const { ask } = await testVault({
    authorize: async (token, { name }, { operation }) =>
      token === "good"
        ? { ok: true, caller: "me" }
        : { ok: false, status: token ? 403 : 401, code: "Forbidden", message: `${name} ${operation}` },
  });
  expect((await ask("PUT", "/secrets/a", { token: "good", body: { value: "v" } })).status).toBe(200);
  const refused = await ask("GET", "/secrets/a", { token: "bad" });
  expect(refused.status).toBe(403);
  expect(refused.headers["www-authenticate"]).toBeUndefined();
  expect(refused.json).toEqual({ error: { code: "Forbidden", message: "kv-contoso-orders-dev secret.get" } });
  expect((await ask("GET", "/secrets/a", { token: null })).headers["www-authenticate"]).toContain("vault.azure.net");
});

test("headers of every reply", async () => {
  const { ask, clock } = await testVault();
  clock.advance(day);
  const answer = await ask("GET", "/secrets", {
    headers: { "x-ms-client-request-id": "mine", "x-ms-return-client-request-id": "true" },
  });
  expect(answer.headers).toMatchObject({
    date: "Fri, 16 Jan 2026 12:00:00 GMT",
    "content-type": "application/json; charset=utf-8",
    "cache-control": "no-cache",
    pragma: "no-cache",
    expires: "-1",
    "strict-transport-security": "max-age=31536000;includeSubDomains",
    "x-content-type-options": "nosniff",
    "x-ms-client-request-id": "mine",
  });
  for (const name of [
    "x-ms-request-id",
    "x-ms-keyvault-region",
    "x-ms-keyvault-service-version",
    "x-ms-keyvault-network-info",
  ]) {
    expect([name, answer.headers[name]]).toEqual([name, expect.stringMatching(/./)]);
  }
  expect((await ask("GET", "/secrets")).headers["x-ms-client-request-id"]).toBeUndefined();
});

test("bundles: what is there and what is left out", async () => {
  const { ask, url } = await testVault();
  const attributes = {
    enabled: true,
    created: at,
    updated: at,
    recoveryLevel: "Recoverable+Purgeable",
    recoverableDays: 90,
  };
  const id = expect.stringMatching(new RegExp(`^${url}/secrets/a/[0-9a-f]{32}$`));
  const set = await ask("PUT", "/secrets/a", { body: { value: "v" } });
  expect(set.json).toStrictEqual({ value: "v", id, attributes });
  expect((await ask("GET", "/secrets/a")).json).toStrictEqual({ value: "v", id, attributes });
  const patched = await ask("PATCH", "/secrets/a/", {
    body: { contentType: "t", tags: {}, attributes: { nbf: 1, exp: 2 } },
  });
  const full = { ...attributes, nbf: 1, exp: 2 };
  expect(patched.json).toStrictEqual({ id, contentType: "t", tags: {}, attributes: full });
  const listed = { contentType: "t", tags: {}, attributes: full };
  expect((await ask("GET", "/secrets")).json).toStrictEqual({ value: [{ id: `${url}/secrets/a`, ...listed }] });
  expect((await ask("GET", "/secrets/a/versions")).json).toStrictEqual({ value: [{ id, ...listed }] });
  expect((await ask("GET", "/secrets/none/versions")).json).toStrictEqual({ value: [], nextLink: null });
  const deletion = { recoveryId: `${url}/deletedsecrets/a`, deletedDate: at, scheduledPurgeDate: at + 90 * 86_400 };
  expect((await ask("DELETE", "/secrets/a")).json).toStrictEqual({ ...deletion, id, ...listed });
  expect((await ask("GET", "/deletedsecrets/a")).json).toStrictEqual({ ...deletion, id, ...listed });
  expect((await ask("GET", "/deletedsecrets")).json).toStrictEqual({
    value: [{ ...deletion, id: `${url}/secrets/a`, ...listed }],
  });
  expect((await ask("POST", "/deletedsecrets/a/recover")).json).toStrictEqual({ id, ...listed });
  const blob = await ask("POST", "/secrets/a/backup");
  expect(blob.json).toStrictEqual({ value: expect.stringMatching(/^[\w-]+$/) });
  await ask("DELETE", "/secrets/a");
  const purged = await ask("DELETE", "/deletedsecrets/a");
  expect([purged.status, purged.text]).toEqual([204, ""]);
  expect((await ask("POST", "/secrets/restore", { body: blob.json })).json).toStrictEqual({ id, ...listed });
});

test("patch replaces what it names and keeps the rest", async () => {
  const { ask, clock } = await testVault();
  const body = {
    value: "v",
    contentType: "t",
    tags: { a: "1", b: "2" },
    attributes: { enabled: false, exp: 9, nbf: 8 },
  };
  await ask("PUT", "/secrets/a", { body });
  clock.advance(5000);
  const { json } = await ask("PATCH", "/secrets/a", {
    body: { tags: { c: "3" }, attributes: { enabled: true, exp: null } },
  });
  expect(json).toMatchObject({
    contentType: "t",
    attributes: { enabled: true, exp: 9, nbf: 8, created: at, updated: at + 5 },
  });
  expect(json.tags).toStrictEqual({ c: "3" });
});

test("names and paths in every spelling that clients use", async () => {
  const { ask, url } = await testVault();
  const set = await ask("PUT", "/secrets/Orders-Db?api%2Dversion=2026-04-01", { body: { value: "v" }, raw: true });
  const id: string = set.json.id;
  const short = id.slice(id.lastIndexOf("/") + 1);
  for (const path of [
    "/secrets/orders-db",
    "/secrets/ORDERS-DB/",
    "//secrets//orders-db//",
    "/Secrets/orders-db",
    "/secrets/%6Frders-db",
    "/secrets/orders%2Ddb",
    `/secrets/orders-db/${short}`,
    `/secrets/orders-db/${short.toUpperCase()}/`,
  ]) {
    const answer = await ask("GET", path);
    expect([path, answer.status, answer.json?.id]).toEqual([path, 200, id]);
  }
  expect((await ask("GET", `${url}/secrets/orders-db`)).status, "absolute form").toBe(200);
  await ask("DELETE", "/secrets/orders-db");
  expect((await ask("POST", "/deletedsecrets/orders-db//recover")).status).toBe(200);
});

test("api-version", async () => {
  const { ask } = await testVault();
  const get = (query: string) => ask("GET", `/secrets${query}`, { raw: true });
  for (const good of ["7.0", "7.1", "7.2", "7.3", "7.4", "7.4-preview.1", "7.5", "7.6", "2025-07-01", "2026-04-01"]) {
    expect([good, (await get(`?api-version=${good}`)).status]).toEqual([good, 200]);
  }
  for (const bad of ["", "?api-version=", "?api-version=1.0", "?api-version=2099-01-01", "?apiversion=7.5"]) {
    const answer = await get(bad);
    expect([bad, answer.status, answer.json.error.code]).toEqual([bad, 400, "BadParameter"]);
  }
  expect((await get("?api-version=1.0")).json.error.message).toBe(
    "The specified version (1.0) is not recognized. Consider using the latest supported version (2026-04-01).",
  );
});

test("pages follow their link, while objects come and go", async () => {
  const { ask, url } = await testVault();
  for (const name of ["a", "b", "c", "d", "e"]) await ask("PUT", `/secrets/${name}`, { body: { value: "v" } });
  const first = await ask("GET", "/secrets?maxresults=2");
  const link: string = first.json.nextLink;
  expect(link).toMatch(new RegExp(`^${url}/secrets\\?api-version=7.5&\\$skiptoken=[^&]+&maxresults=2$`));
  await ask("DELETE", "/secrets/b");
  await ask("PUT", "/secrets/cc", { body: { value: "v" } });
  const names: string[] = [];
  for (let next: string | undefined = link; next;) {
    const { json } = await ask("GET", next.slice(url.length), { raw: true });
    names.push(...json.value.map(({ id }: { id: string }) => id.split("/").at(-1)));
    next = json.nextLink;
  }
  expect(names).toEqual(["c", "cc", "d", "e"]);
  for (let index = 0; index < 4; index++) await ask("PUT", "/secrets/a", { body: { value: "v" } });
  const versions = await ask("GET", "/secrets/a/versions?maxresults=3");
  const rest = await ask("GET", versions.json.nextLink.slice(url.length), { raw: true });
  const ids = [...versions.json.value, ...rest.json.value].map(({ id }: { id: string }) => id);
  expect([ids.length, rest.json.nextLink]).toEqual([5, undefined]);
  expect(ids).toEqual(ids.toSorted());
  for (const bad of [
    "maxresults=0",
    "maxresults=26",
    "maxresults=x",
    "maxresults=-1",
    "maxresults=1.5",
    "$skiptoken=zz",
    "$skiptoken=",
  ]) {
    const answer = await ask("GET", `/secrets?${bad}`);
    expect([bad, answer.status, answer.json.error.code]).toEqual([bad, 400, "BadParameter"]);
  }
});

test("two vaults share nothing", async () => {
  const vaults = ["kv-one", "kv-two"].map((name) => ({ name, resourceId: `/vaults/${name}` }));
  const { vaults: running, ask, ca } = await testVault({ vaults });
  const [one, two] = running.vaults;
  expect([one?.name, two?.name, one?.url === two?.url]).toEqual(["kv-one", "kv-two", false]);
  await ask("PUT", "/secrets/a", { body: { value: "v" } });
  const { client } = await import("./support.ts");
  await expect(client(two!.url, ca).getSecret("a")).rejects.toMatchObject({ statusCode: 404 });
});

test("the id of a version is the service's own choice", async () => {
  const { ask } = await testVault();
  const { json } = await ask("PUT", "/secrets/a", {
    body: { value: "v", id: "mine", attributes: { created: 1, recoveryLevel: "x" } },
  });
  expect(json.id.split("/").at(-1)).toEqual(version);
  expect(json.attributes).toMatchObject({ created: at, recoveryLevel: "Recoverable+Purgeable" });
});
