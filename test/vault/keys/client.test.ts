import { createPrivateKey, generateKeyPairSync, sign } from "node:crypto";
import type { JsonWebKey as NodeJwk } from "node:crypto";
import type { JsonWebKey } from "@azure/keyvault-keys";
import { expect, test } from "vitest";
import { collect, cryptographyClient, day, failure, start, testVault } from "../support.ts";

// Operations of the official client for keys, over HTTPS with the CA checked. Deletion and what follows is in
// life.test.ts, cryptography in signatures.test.ts, encryption.test.ts and usage.test.ts.

const rsaOps = ["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"];
const bits = (key: JsonWebKey | undefined) => key!.n!.length * 8;
const missing = { status: 404, code: "KeyNotFound", inner: undefined };

/** A pair of keys as the client takes it, and as node:crypto made it. */
function freshJwk(kind: "rsa" | "ec", option: number | string): { readonly jwk: JsonWebKey; readonly given: NodeJwk } {
  const { privateKey } =
    kind === "rsa"
      ? generateKeyPairSync("rsa", { modulusLength: option as number })
      : generateKeyPairSync("ec", { namedCurve: option as string });
  const given = privateKey.export({ format: "jwk" });
  const bytes = (text: string | undefined) => (text === undefined ? undefined : Buffer.from(text, "base64url"));
  const { n, e, d, p, q, dp, dq, qi, x, y } = given;
  const numbers = { n, e, d, p, q, dp, dq, qi, x, y };
  const entries = Object.entries(numbers).map(([name, text]) => [name, bytes(text)] as const);
  const crv = given.crv === "secp256k1" ? "P-256K" : given.crv;
  const present = Object.fromEntries(entries.filter(([, value]) => value !== undefined));
  return { jwk: { kty: given.kty!, ...(crv ? { crv } : {}), ...present }, given };
}

test("creates RSA keys of every size", { timeout: 120_000 }, async () => {
  const { keys, url } = await testVault();
  const expiresOn = new Date(start + 90 * day);
  const first = await keys.createRsaKey("Signing-Key", {
    keySize: 3072,
    keyOps: ["sign", "verify"],
    tags: { owner: "me" },
    expiresOn,
    notBefore: new Date(start - day),
    enabled: true,
  });
  expect(first).toMatchObject({
    name: "Signing-Key",
    keyType: "RSA",
    keyOperations: ["sign", "verify"],
    id: `${url}/keys/Signing-Key/${first.properties.version}`,
    properties: {
      vaultUrl: url,
      enabled: true,
      expiresOn,
      notBefore: new Date(start - day),
      createdOn: new Date(start),
      updatedOn: new Date(start),
      tags: { owner: "me" },
      recoveryLevel: "Recoverable+Purgeable",
      recoverableDays: 90,
      exportable: false,
      hsmPlatform: "0",
    },
  });
  expect(first.properties.version).toMatch(/^[0-9a-f]{32}$/);
  expect(bits(first.key)).toBe(3072);
  expect(first.key?.d, "the private part stays").toBeUndefined();
  const second = await keys.createKey("signing-key", "RSA");
  expect(second).toMatchObject({ name: "Signing-Key", keyOperations: rsaOps });
  expect(bits(second.key)).toBe(2048);
  expect(second.properties.tags, "tags do not carry over").toBeUndefined();
  expect(bits((await keys.createRsaKey("large", { keySize: 4096 })).key)).toBe(4096);
});

test("creates EC keys on every curve", async () => {
  const { keys } = await testVault();
  const curves = [
    ["P-256", 32],
    ["P-384", 48],
    ["P-521", 66],
    ["P-256K", 32],
  ] as const;
  for (const [curve, bytes] of curves) {
    const { key, keyType, keyOperations } = await keys.createEcKey("a", { curve });
    expect([key?.crv, keyType, keyOperations, key?.x?.length, key?.y?.length]).toEqual([
      curve,
      "EC",
      ["sign", "verify"],
      bytes,
      bytes,
    ]);
  }
  expect((await keys.createEcKey("a")).key?.crv).toBe("P-256");
});

test("imports RSA and EC keys", { timeout: 60_000 }, async () => {
  const { keys } = await testVault();
  for (const [kind, option] of [
    ["rsa", 2048],
    ["rsa", 3072],
    ["ec", "P-256"],
    ["ec", "P-384"],
    ["ec", "P-521"],
    ["ec", "secp256k1"],
  ] as const) {
    const { jwk } = freshJwk(kind, option);
    const imported = await keys.importKey("mine", { ...jwk, keyOps: ["sign"] }, { tags: { from: "outside" } });
    expect(imported).toMatchObject({
      name: "mine",
      keyOperations: ["sign"],
      properties: { tags: { from: "outside" } },
    });
    const parts = kind === "rsa" ? (["n", "e"] as const) : (["x", "y"] as const);
    for (const part of parts) expect(Buffer.from(imported.key![part]!)).toEqual(Buffer.from(jwk[part]!));
    expect(imported.key?.d).toBeUndefined();
  }
  const { jwk } = freshJwk("rsa", 2048);
  const padded = { ...jwk, n: Buffer.concat([Buffer.alloc(1), jwk.n!]), p: Buffer.concat([Buffer.alloc(1), jwk.p!]) };
  const imported = await keys.importKey("mine", padded);
  expect(imported.keyOperations).toEqual(rsaOps);
  expect(Buffer.from(imported.key!.n!), "zeros before a number are no part of it").toEqual(jwk.n);
  expect(await failure(keys.importKey("mine", jwk, { hardwareProtected: true }))).toMatchObject({ status: 400 });
});

test("what is imported is what is used", async () => {
  const { keys, ca, url } = await testVault();
  const { jwk, given } = freshJwk("rsa", 2048);
  await keys.importKey("mine", jwk);
  const outside = createPrivateKey({ key: given, format: "jwk" });
  const { result } = await cryptographyClient(`${url}/keys/mine`, ca).signData("RS256", Buffer.from("text"));
  expect(Buffer.from(result)).toEqual(sign("sha256", Buffer.from("text"), outside));
});

test("gets, updates and lists", async () => {
  const { keys } = await testVault();
  const first = await keys.createKey("a", "EC", { tags: { t: "1" } });
  const second = await keys.createKey("A", "EC", { enabled: false });
  expect(await failure(keys.getKey("a"))).toEqual({ status: 403, code: "Forbidden", inner: "KeyDisabled" });
  expect((await keys.getKey("a", { version: first.properties.version! })).id).toBe(first.id);

  const patched = await keys.updateKeyProperties("a", first.properties.version!, {
    keyOps: ["verify"],
    expiresOn: new Date(start + day),
    tags: { t: "2" },
  });
  expect(patched).toMatchObject({
    keyOperations: ["verify"],
    properties: { expiresOn: new Date(start + day), tags: { t: "2" }, enabled: true },
  });
  const newest = await keys.updateKeyProperties("a", { enabled: true });
  expect(newest.id, "without a version: the newest").toBe(second.id);
  expect((await keys.getKey("a")).keyOperations).toEqual(["sign", "verify"]);

  const versions = await collect(keys.listPropertiesOfKeyVersions("a"));
  expect(versions.map(({ version }) => version)).toEqual(
    [first, second].map(({ properties }) => String(properties.version)).sort(),
  );
  for (const name of ["b", "c"]) await keys.createKey(name, "EC");
  const listed = await collect(keys.listPropertiesOfKeys());
  expect(listed.map(({ name, version, enabled }) => [name, version, enabled])).toEqual([
    ["a", undefined, true],
    ["b", undefined, true],
    ["c", undefined, true],
  ]);
  const pages = await collect(keys.listPropertiesOfKeys().byPage({ maxPageSize: 2 }));
  expect(pages.map(({ length }) => length)).toEqual([2, 1]);
});

test("versions made in the same millisecond keep their order", async () => {
  const { keys } = await testVault();
  const made = [];
  for (let index = 0; index < 20; index++) {
    made.push((await keys.createKey("a", "EC")).id);
    expect((await keys.getKey("a")).id).toBe(made.at(-1));
  }
  expect(new Set(made).size).toBe(20);
});

test("rotates on request", { timeout: 60_000 }, async () => {
  const { keys, clock } = await testVault();
  const first = await keys.createRsaKey("a", {
    keySize: 3072,
    keyOps: ["sign"],
    tags: { t: "1" },
    notBefore: new Date(start - day),
    expiresOn: new Date(start + day),
  });
  clock.advance(1000);
  const second = await keys.rotateKey("a");
  expect(second.id).not.toBe(first.id);
  expect(second).toMatchObject({
    keyType: "RSA",
    keyOperations: ["sign"],
    properties: { tags: { t: "1" }, enabled: true, createdOn: new Date(start + 1000) },
  });
  expect([second.properties.expiresOn, second.properties.notBefore]).toEqual([undefined, undefined]);
  expect(bits(second.key)).toBe(3072);
  await keys.updateKeyRotationPolicy("a", { expiresIn: "P90D", lifetimeActions: [] });
  expect((await keys.getKey("a")).properties.expiresOn, "the policy changes no version").toBeUndefined();
  const third = await keys.rotateKey("a");
  expect(third.properties.expiresOn).toEqual(new Date(start + 1000 + 90 * day));
  await keys.createEcKey("ec", { curve: "P-521" });
  expect((await keys.rotateKey("ec")).key?.crv).toBe("P-521");
});

test("the rotation policy: none, set, replaced, reset", async () => {
  const { keys, url, clock } = await testVault();
  await keys.createKey("a", "EC");
  const notify = { action: "Notify", timeBeforeExpiry: "P30D" };
  expect(await keys.getKeyRotationPolicy("a")).toMatchObject({ lifetimeActions: [notify] });
  const set = await keys.updateKeyRotationPolicy("a", {
    lifetimeActions: [{ action: "Rotate", timeAfterCreate: "P2M" }],
  });
  expect(set).toMatchObject({
    id: `${url}/keys/a/rotationpolicy`,
    createdOn: new Date(start),
    updatedOn: new Date(start),
    lifetimeActions: [{ action: "Rotate", timeAfterCreate: "P2M" }, notify],
  });
  clock.advance(5000);
  await keys.updateKeyRotationPolicy("a", {
    expiresIn: "P90D",
    lifetimeActions: [{ action: "Notify", timeBeforeExpiry: "P14D" }],
  });
  const replaced = await keys.getKeyRotationPolicy("a");
  expect(replaced).toMatchObject({
    expiresIn: "P90D",
    createdOn: new Date(start),
    updatedOn: new Date(start + 5000),
    lifetimeActions: [{ action: "Notify", timeBeforeExpiry: "P14D" }],
  });
  expect(replaced.lifetimeActions).toHaveLength(1);
  const reset = await keys.updateKeyRotationPolicy("a", { lifetimeActions: [] });
  expect([reset.expiresIn, reset.lifetimeActions?.length]).toEqual([undefined, 1]);
});

test("random bytes", async () => {
  const { keys } = await testVault();
  const [one, other] = [await keys.getRandomBytes(128), await keys.getRandomBytes(128)];
  expect([one.length, Buffer.compare(one, other) === 0]).toEqual([128, false]);
  for (const count of [0, 129, -1]) expect(await failure(keys.getRandomBytes(count))).toMatchObject({ status: 400 });
});

test("what a vault without an HSM refuses", async () => {
  const { keys } = await testVault();
  const refused = { status: 400, code: "BadParameter", inner: "KeyTypeNotSupported" };
  expect(await failure(keys.createRsaKey("a", { hsm: true }))).toEqual(refused);
  expect(await failure(keys.createEcKey("a", { hsm: true }))).toEqual(refused);
  expect(await failure(keys.createOctKey("a"))).toEqual(refused);
  expect(await failure(keys.createKey("a", "RSA", { exportable: true }))).toMatchObject({ status: 400 });
  expect(await failure(keys.getKey("a")), "nothing came of it").toEqual(missing);
  await keys.createKey("a", "RSA");
  expect(await failure(keys.releaseKey("a", "target"))).toEqual({
    status: 403,
    code: "Forbidden",
    inner: "KeyOperationForbidden",
  });
  expect(await failure(keys.getKeyAttestation("a"))).toMatchObject({ status: 400, code: "BadParameter" });
});

test("what is not there", async () => {
  const { keys, client } = await testVault();
  await client.setSecret("none", "a secret is no key");
  for (const work of [
    () => keys.getKey("none"),
    () => keys.updateKeyProperties("none", { enabled: true }),
    () => keys.beginDeleteKey("none"),
    () => keys.getDeletedKey("none"),
    () => keys.purgeDeletedKey("none"),
    () => keys.beginRecoverDeletedKey("none"),
    () => keys.backupKey("none"),
    () => keys.rotateKey("none"),
    () => keys.getKeyRotationPolicy("none"),
    () => keys.updateKeyRotationPolicy("none", { lifetimeActions: [] }),
    () => keys.releaseKey("none", "target"),
    () => keys.getKeyAttestation("none"),
  ]) {
    expect(await failure(work())).toEqual(missing);
  }
  await keys.createKey("a", "EC");
  expect(await failure(keys.getKey("a", { version: "0".repeat(32) }))).toEqual(missing);
  expect(await collect(keys.listPropertiesOfKeyVersions("none"))).toEqual([]);
});
