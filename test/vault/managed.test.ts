import { X509Certificate, verify } from "node:crypto";
import { statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fakeClock, tempDir, testVault, vaultName } from "./support.ts";
import type { Answer } from "./support.ts";
import { digestOf, ecJwk, encode } from "./keys/material.ts";

// A certificate's secret and key: they can be read and used, but they live and die with their certificate only.

/** Certificate `c`, issued by itself. */
async function certificate({ ask, clock }: Awaited<ReturnType<typeof testVault>>): Promise<Answer> {
  const policy = { issuer: { name: "Self" }, x509_props: { subject: "CN=test" }, key_props: { kty: "RSA" } };
  expect((await ask("POST", "/certificates/c/create", { body: { policy } })).status).toBe(202);
  clock.advance(60_000);
  expect((await ask("GET", "/certificates/c/pending")).json.status).toBe("completed");
  return ask("GET", "/certificates/c");
}

test("they say whose they are, in bundles and in lists", async () => {
  const vault = await testVault();
  const { ask, url } = vault;
  const { json } = await certificate(vault);
  const version: string = json.id.split("/").at(-1);
  const secret = await ask("GET", "/secrets/c");
  expect(secret.json).toMatchObject({
    id: `${url}/secrets/c/${version}`,
    kid: `${url}/keys/c/${version}`,
    managed: true,
    contentType: "application/x-pkcs12",
    attributes: { enabled: true, nbf: json.attributes.nbf, exp: json.attributes.exp },
  });
  const key = await ask("GET", "/keys/c");
  expect(key.json).toMatchObject({ key: { kid: `${url}/keys/c/${version}`, kty: "RSA" }, managed: true });
  expect((await ask("GET", "/secrets")).json.value).toMatchObject([{ id: `${url}/secrets/c`, managed: true }]);
  expect((await ask("GET", "/keys")).json.value).toMatchObject([{ kid: `${url}/keys/c`, managed: true }]);
  await ask("POST", "/keys/own/create", { body: { kty: "EC" } });
  expect((await ask("GET", "/keys/own")).json.managed).toBeUndefined();
});

test("the key signs for its certificate", async () => {
  const vault = await testVault();
  const { ask } = vault;
  const { json } = await certificate(vault);
  const { publicKey } = new X509Certificate(Buffer.from(json.cer, "base64"));
  const body = { alg: "RS256", value: encode(digestOf("sha256", "text")) };
  const signed = await ask("POST", "/keys/c/sign", { body });
  expect(verify("sha256", Buffer.from("text"), publicKey, Buffer.from(signed.json.value, "base64url"))).toBe(true);
});

test("nothing is done to them on their own", async () => {
  const vault = await testVault();
  const { ask } = vault;
  const { json } = await certificate(vault);
  const version: string = json.id.split("/").at(-1);
  const read = async () =>
    JSON.stringify(
      await Promise.all(
        ["/secrets/c", "/keys/c", "/keys/c/rotationpolicy"].map(async (one) => (await ask("GET", one)).json),
      ),
    );
  const before = await read();
  const expected: [string, string, unknown][] = [
    ["PUT", "/secrets/c", { value: "mine" }],
    ["PATCH", "/secrets/c", { tags: { t: "1" } }],
    ["PATCH", `/secrets/c/${version}`, { attributes: { enabled: false } }],
    ["DELETE", "/secrets/c", undefined],
    ["POST", "/secrets/c/backup", undefined],
    ["POST", "/keys/c/create", { kty: "EC" }],
    ["PUT", "/keys/c", { key: ecJwk() }],
    ["PATCH", "/keys/C", { key_ops: ["sign"] }],
    ["DELETE", "/keys/c", undefined],
    ["POST", "/keys/c/backup", undefined],
    ["POST", "/keys/c/rotate", undefined],
    ["PUT", "/keys/c/rotationpolicy", { lifetimeActions: [] }],
  ];
  for (const [method, path, body] of expected) {
    const answer = await ask(method, path, body === undefined ? {} : { body });
    const type = path.startsWith("/keys") ? "Key" : "Secret";
    expect([method, path, answer.status, answer.json.error]).toEqual([
      method,
      path,
      403,
      {
        code: "Forbidden",
        message: expect.stringMatching(
          /^Operation "[a-z]+" is not allowed as this object's lifetime is managed by Key Vault\.$/,
        ),
        innererror: { code: `${type}ManagedByKeyVault` },
      },
    ]);
  }
  expect(await read()).toBe(before);
});

test("they go, come back and are lost with their certificate", async () => {
  const vault = await testVault();
  const { ask } = vault;
  await certificate(vault);
  const all = ["secrets", "keys"];
  const statuses = (prefix: string) =>
    Promise.all(all.map(async (one) => (await ask("GET", `/${prefix}${one}/c`)).status));
  const value = (await ask("GET", "/secrets/c")).json.value;
  expect((await ask("DELETE", "/certificates/c")).status).toBe(200);
  expect([await statuses(""), await statuses("deleted")]).toEqual([
    [404, 404],
    [200, 200],
  ]);
  for (const one of all) {
    for (const [method, path] of [
      ["POST", `/deleted${one}/c/recover`],
      ["DELETE", `/deleted${one}/c`],
    ] as const) {
      const { status, json } = await ask(method, path);
      expect([method, path, status, json?.error.code]).toEqual([method, path, 403, "Forbidden"]);
    }
  }
  expect((await ask("PUT", "/secrets/c", { body: { value: "mine" } })).status).toBe(409);
  expect((await ask("POST", "/deletedcertificates/c/recover")).status).toBe(200);
  expect((await ask("GET", "/secrets/c")).json.value).toBe(value);
  const blob = (await ask("POST", "/certificates/c/backup")).json;
  await ask("DELETE", "/certificates/c");
  expect((await ask("DELETE", "/deletedcertificates/c")).status).toBe(204);
  expect(await statuses("deleted")).toEqual([404, 404]);
  await ask("PUT", "/secrets/c", { body: { value: "mine" } });
  expect((await ask("POST", "/certificates/restore", { body: blob })).status, "the secret's name is taken").toBe(409);
  expect([(await ask("GET", "/keys/c")).status, (await ask("GET", "/certificates/c")).status]).toEqual([404, 404]);
  await ask("DELETE", "/secrets/c");
  await ask("DELETE", "/deletedsecrets/c");
  expect((await ask("POST", "/certificates/restore", { body: blob })).status).toBe(200);
  expect((await ask("GET", "/secrets/c")).json).toMatchObject({ value, managed: true });
});

test("a kill in the middle of a write takes all three back, or none", async () => {
  const [clock, stateDir] = [fakeClock(), tempDir()];
  const first = await testVault({ clock, stateDir });
  await certificate({ ...first, clock });
  await first.ask("DELETE", "/certificates/c");
  await first.close();
  const file = join(stateDir, `${vaultName}.journal`);
  truncateSync(file, statSync(file).size - 10);
  const second = await testVault({ clock, stateDir });
  for (const kind of ["certificates", "keys", "secrets"]) {
    expect([kind, (await second.ask("GET", `/${kind}/c`)).status]).toEqual([kind, 200]);
    expect((await second.ask("GET", `/deleted${kind}/c`)).status).toBe(404);
  }
});
