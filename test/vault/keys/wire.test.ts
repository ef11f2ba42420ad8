import { expect, test } from "vitest";
import { start, testVault } from "../support.ts";
import { digestOf, ecJwk, encode, rsaJwk } from "./material.ts";

// What goes over the wire about keys, asked with plain HTTPS requests.

const at = start / 1000;
const base64url = expect.stringMatching(/^[\w-]+$/);
const attributes = {
  enabled: true,
  created: at,
  updated: at,
  recoveryLevel: "Recoverable+Purgeable",
  recoverableDays: 90,
};
const newest = { ...attributes, exportable: false, hsmPlatform: "0" };
const versioned = (url: string, name = "a") => expect.stringMatching(new RegExp(`^${url}/keys/${name}/[0-9a-f]{32}$`));

test("bundles: what is there and what is left out", async () => {
  const { ask, url } = await testVault();
  const kid = versioned(url);
  const rsa = await ask("POST", "/keys/a/create", { body: { kty: "RSA" } });
  expect(rsa.status).toBe(200);
  expect(rsa.json).toStrictEqual({
    key: {
      kid,
      kty: "RSA",
      key_ops: ["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"],
      n: base64url,
      e: "AQAB",
    },
    attributes: newest,
  });
  expect(rsa.json.key.n).toHaveLength(342);
  expect((await ask("GET", "/keys/a")).json).toStrictEqual(rsa.json);

  const ec = await ask("POST", "/keys/a/create", { body: { kty: "EC" } });
  const key = { kid, kty: "EC", key_ops: ["sign", "verify"], crv: "P-256", x: base64url, y: base64url };
  expect(ec.json).toStrictEqual({ key, attributes: newest });

  const body = { tags: {}, attributes: { nbf: 1, exp: 2 }, key_ops: ["verify"] };
  const patched = await ask("PATCH", "/keys/a/", { body });
  const full = { attributes: { ...newest, nbf: 1, exp: 2 }, tags: {} };
  const bundle = { key: { ...ec.json.key, key_ops: ["verify"] }, ...full };
  expect(patched.json).toStrictEqual(bundle);
  expect((await ask("GET", "/keys")).json).toStrictEqual({ value: [{ kid: `${url}/keys/a`, ...full }] });
  const versions = await ask("GET", "/keys/a/versions");
  expect(versions.json.value).toHaveLength(2);
  expect(versions.json.value).toContainEqual({ kid: ec.json.key.kid, ...full });
  expect(versions.json.value).toContainEqual({ kid: rsa.json.key.kid, attributes: newest });
  expect((await ask("GET", "/keys/none/versions")).json).toStrictEqual({ value: [], nextLink: null });

  const deletion = { recoveryId: `${url}/deletedkeys/a`, deletedDate: at, scheduledPurgeDate: at + 90 * 86_400 };
  expect((await ask("DELETE", "/keys/a")).json).toStrictEqual({ ...deletion, ...bundle });
  expect((await ask("GET", "/deletedkeys/a")).json).toStrictEqual({ ...deletion, ...bundle });
  expect((await ask("GET", "/deletedkeys")).json).toStrictEqual({
    value: [{ ...deletion, kid: `${url}/keys/a`, ...full }],
  });
  expect((await ask("POST", "/deletedkeys/a/recover")).json).toStrictEqual(bundle);
  const blob = await ask("POST", "/keys/a/backup");
  expect(blob.json).toStrictEqual({ value: base64url });
  await ask("DELETE", "/keys/a");
  const purged = await ask("DELETE", "/deletedkeys/a");
  expect([purged.status, purged.text]).toEqual([204, ""]);
  expect((await ask("POST", "/keys/restore", { body: blob.json })).json).toStrictEqual(bundle);
  const imported = await ask("PUT", "/keys/b", { body: { key: { ...ecJwk(), kid: "mine" }, Hsm: false } });
  expect(imported.json).toStrictEqual({ key: { ...key, kid: versioned(url, "b") }, attributes: newest });
});

test("a private part never leaves", async () => {
  const { ask } = await testVault();
  const jwk = rsaJwk();
  const put = await ask("PUT", "/keys/a", { body: { key: jwk } });
  const answers = [
    put,
    await ask("GET", "/keys/a"),
    await ask("PATCH", "/keys/a", { body: {} }),
    await ask("GET", "/keys"),
    await ask("POST", "/keys/a/backup"),
    await ask("DELETE", "/keys/a"),
    await ask("GET", "/_emulator/log", { raw: true }),
  ];
  for (const secret of [jwk.d, jwk.p, jwk.q, jwk.dp, jwk.dq, jwk.qi]) {
    for (const { status, text } of answers) expect([status, text.includes(secret!)]).toEqual([200, false]);
  }
});

test("older versions of the protocol show fewer attributes", async () => {
  const { ask } = await testVault();
  await ask("POST", "/keys/a/create", { body: { kty: "EC" } });
  for (const [versions, shown] of [
    [["7.0", "7.3", "7.3-preview"], attributes],
    [["7.4-preview.1", "7.4"], { ...attributes, exportable: false }],
    [["7.5", "7.6", "2025-07-01", "2026-04-01"], newest],
  ] as const) {
    for (const version of versions) {
      const { json } = await ask("GET", `/keys/a?api-version=${version}`, { raw: true });
      expect([version, json.attributes]).toStrictEqual([version, shown]);
    }
  }
});

test("numbers stand without zeros before them, coordinates with", async () => {
  const { ask } = await testVault();
  const jwk = rsaJwk();
  const padded = Object.fromEntries(
    Object.entries(jwk).map(([name, text]) =>
      name === "kty"
        ? [name, text]
        : [name, encode(Buffer.concat([Buffer.alloc(2), Buffer.from(text as string, "base64url")]))],
    ),
  );
  const { json } = await ask("PUT", "/keys/a", { body: { key: padded } });
  expect([json.key.n, json.key.e]).toEqual([jwk.n, jwk.e]);
  for (const [crv, length] of [
    ["P-256", 43],
    ["P-384", 64],
    ["P-521", 88],
    ["P-256K", 43],
  ] as const) {
    const { json: ec } = await ask("POST", "/keys/b/create", { body: { kty: "EC", crv } });
    expect([ec.key.crv, ec.key.x.length, ec.key.y.length]).toEqual([crv, length, length]);
  }
  const odd = await ask("POST", "/keys/c/create", { body: { kty: "RSA", public_exponent: 3 } });
  expect(odd.json.key.e).toBe("Aw");
  const sized = await ask("POST", "/keys/d/create", { body: { kty: "EC", key_size: 384 } });
  expect(sized.json.key.crv).toBe("P-384");
});

test("results of cryptography", async () => {
  const { ask, url } = await testVault();
  const { json } = await ask("PUT", "/keys/a", { body: { key: rsaJwk() } });
  const kid: string = json.key.kid;
  const value = encode(digestOf("sha256", "text"));
  const post = (operation: string, body: unknown) => ask("POST", `/keys/a/${operation}`, { body });
  const signed = await post("sign", { alg: "RS256", value });
  expect(signed.json).toStrictEqual({ kid, value: expect.stringMatching(/^[\w-]{342}$/) });
  const checked = await post("verify", { alg: "RS256", digest: value, value: signed.json.value });
  expect(checked.json).toStrictEqual({ value: true });
  const encrypted = await post("encrypt", { alg: "RSA-OAEP", value });
  expect(encrypted.json).toStrictEqual({ kid, value: expect.stringMatching(/^[\w-]{342}$/) });
  expect((await post("decrypt", { alg: "RSA-OAEP", value: encrypted.json.value })).json).toStrictEqual({ kid, value });
  const wrapped = await post("wrapkey", { alg: "RSA1_5", value });
  expect((await post("unwrapkey", { alg: "RSA1_5", value: wrapped.json.value })).json).toStrictEqual({ kid, value });
  const version = kid.split("/").at(-1)!;
  for (const path of [
    `/keys/a/${version}/sign`,
    `/keys/A/${version.toUpperCase()}/sign/`,
    "/keys/a//sign",
    "/Keys/a/Sign",
    `${url}/keys/a/sign`,
  ]) {
    const { json: same } = await ask("POST", path, { body: { alg: "RS256", value } });
    expect([path, same]).toStrictEqual([path, signed.json]);
  }
  const random = await ask("POST", "/rng", { body: { count: 16 } });
  expect(random.json).toStrictEqual({ value: expect.stringMatching(/^[\w-]{22}$/) });
});

test("the rotation policy by versions of the protocol", async () => {
  const { ask, url, clock } = await testVault();
  await ask("POST", "/keys/a/create", { body: { kty: "EC" } });
  const notify = { trigger: { timeBeforeExpiry: "P30D" }, action: { type: "Notify" } };
  const get = async (version: string) =>
    (await ask("GET", `/keys/a/rotationpolicy?api-version=${version}`, { raw: true })).json;
  expect(await get("7.3")).toStrictEqual({ lifetimeActions: null, attributes: null });
  expect(await get("2025-07-01")).toStrictEqual({ lifetimeActions: [notify], attributes: {} });
  const rotate = { trigger: { timeAfterCreate: "P2M" }, action: { type: "Rotate" } };
  const set = await ask("PUT", "/keys/a/rotationpolicy", {
    body: {
      lifetimeActions: [{ trigger: { timeAfterCreate: "P2M", timeBeforeExpiry: null }, action: { type: "rotate" } }],
      attributes: {},
    },
  });
  const id = `${url}/keys/a/rotationpolicy`;
  const policy = { id, lifetimeActions: [rotate, notify], attributes: { created: at, updated: at } };
  expect(set.json).toStrictEqual(policy);
  expect(await get("7.3")).toStrictEqual(policy);
  clock.advance(2000);
  const again = await ask("PUT", "/keys/a/rotationpolicy", { body: { attributes: { expiryTime: "P1Y10D" } } });
  const replaced = {
    id,
    lifetimeActions: [notify],
    attributes: { expiryTime: "P1Y10D", created: at, updated: at + 2 },
  };
  expect(again.json).toStrictEqual(replaced);
  const rotated = await ask("POST", "/keys/a/rotate");
  expect(rotated.status).toBe(200);
  expect(rotated.json.key.kid).toEqual(versioned(url));
  expect(rotated.json.attributes.exp).toBe(at + 2 + 375 * 86_400);
});

test("patch replaces what it names and keeps the rest", async () => {
  const { ask, clock } = await testVault();
  const body = {
    kty: "EC",
    tags: { a: "1", b: "2" },
    attributes: { enabled: false, exp: 9, nbf: 8 },
    key_ops: ["sign"],
  };
  const { json: made } = await ask("POST", "/keys/a/create", { body });
  clock.advance(5000);
  const patched = await ask("PATCH", "/keys/a", {
    body: { tags: { c: "3" }, attributes: { enabled: true, exp: null }, key_ops: null },
  });
  expect(patched.json).toStrictEqual({
    key: made.key,
    attributes: { ...newest, enabled: true, nbf: 8, exp: 9, created: at, updated: at + 5 },
    tags: { c: "3" },
  });
});

test("pages of keys, of versions and of deleted keys", async () => {
  const { ask, url } = await testVault();
  for (const name of ["a", "b", "c"]) await ask("POST", `/keys/${name}/create`, { body: { kty: "EC" } });
  const follow = async (path: string) => {
    const pages: string[][] = [];
    for (let next: string | undefined = path; next;) {
      const { json } = await ask("GET", next, { raw: true });
      pages.push(json.value.map(({ kid }: { kid: string }) => kid.split("/").at(-1)));
      next = json.nextLink?.slice(url.length);
    }
    return pages;
  };
  expect(await follow("/keys?api-version=7.5&maxresults=2")).toEqual([["a", "b"], ["c"]]);
  const link = (await ask("GET", "/keys?maxresults=2")).json.nextLink;
  expect(link).toMatch(new RegExp(`^${url}/keys\\?api-version=7.5&\\$skiptoken=[^&]+&maxresults=2$`));
  for (let index = 0; index < 2; index++) await ask("POST", "/keys/a/create", { body: { kty: "EC" } });
  const versions = await follow("/keys/a/versions?api-version=7.5&maxresults=1");
  expect(versions.flat()).toHaveLength(3);
  expect(versions.flat()).toEqual(versions.flat().toSorted());
  for (const name of ["a", "b", "c"]) await ask("DELETE", `/keys/${name}`);
  expect(await follow("/keys?api-version=7.5")).toEqual([[]]);
  expect(await follow("/deletedkeys/?api-version=7.5&maxresults=2")).toEqual([["a", "b"], ["c"]]);
  const wrong = await ask("GET", "/keys?maxresults=26");
  expect([wrong.status, wrong.json.error.code]).toEqual([400, "BadParameter"]);
});

test("a name of its own for each kind", async () => {
  const { ask } = await testVault();
  await ask("PUT", "/secrets/a", { body: { value: "v" } });
  await ask("POST", "/keys/a/create", { body: { kty: "EC" } });
  await ask("DELETE", "/keys/a");
  expect((await ask("GET", "/secrets/a")).status).toBe(200);
  expect((await ask("GET", "/deletedsecrets/a")).json.error.code).toBe("SecretNotFound");
  for (const name of ["versions", "create", "restore", "rotationpolicy", "sign"]) {
    expect((await ask("POST", `/keys/${name}/create`, { body: { kty: "EC" } })).status).toBe(200);
    expect((await ask("GET", `/keys/${name}`)).status).toBe(200);
  }
});
