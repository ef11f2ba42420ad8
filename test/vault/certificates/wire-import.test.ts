import { createPublicKey } from "node:crypto";
import { expect, test } from "vitest";
import { writePem } from "../../../local/vault/certificates/pem.ts";
import { writePkcs12 } from "../../../local/vault/certificates/pkcs12.ts";
import { testVault } from "../support.ts";
import { chainOf, keyOf } from "./material.ts";
import { at, policyBody, ec, openPem, quickVault } from "./support.ts";

// Imports over the wire, and secrets as PEM.

test("import: 200, what the certificate tells, and what a policy changes", async () => {
  const { ask, url } = await testVault();
  const key = keyOf("P-384");
  const { leaf, root } = chainOf(key);
  const pkcs8 = key.export({ format: "der", type: "pkcs8" });
  const value = writePkcs12({ key: pkcs8, certificates: [leaf, root] }).toString("base64");
  const imported = await ask("POST", "/certificates/a/import", { body: { value, tags: { a: "1" } } });
  expect(imported.status).toBe(200);
  const version = imported.json.id.split("/").at(-1);
  expect(imported.json).toStrictEqual({
    id: `${url}/certificates/a/${version}`,
    kid: `${url}/keys/a/${version}`,
    sid: `${url}/secrets/a/${version}`,
    x5t: expect.any(String),
    cer: leaf.toString("base64"),
    attributes: {
      enabled: true,
      nbf: at - 86_400,
      exp: at + 365 * 86_400,
      created: at,
      updated: at,
      recoveryLevel: "Recoverable+Purgeable",
      recoverableDays: 90,
    },
    policy: policyBody(url, "a", {
      key_props: { exportable: true, kty: "EC", key_size: 384, reuse_key: false, crv: "P-384" },
      x509_props: {
        subject: "CN=leaf",
        ekus: [],
        key_usage: ["digitalSignature"],
        validity_months: 12,
        basic_constraints: { ca: false },
      },
      lifetime_actions: [{ trigger: { lifetime_percentage: 80 }, action: { action_type: "EmailContacts" } }],
      issuer: { name: "Unknown" },
    }),
    tags: { a: "1" },
  });
  expect((await ask("GET", "/certificates/a/pending")).status).toBe(404);
  const pem = await ask("POST", "/certificates/b/import", {
    body: {
      value: writePem({ key: pkcs8, certificates: [root, leaf] }),
      attributes: { enabled: false },
      policy: {
        key_props: { exportable: false, kty: "RSA", key_size: 2048 },
        secret_props: { contentType: "application/x-pem-file" },
        issuer: { name: "Self" },
        x509_props: { subject: "CN=next" },
        lifetime_actions: [{ trigger: { days_before_expiry: 20 }, action: { action_type: "AutoRenew" } }],
      },
    },
  });
  expect(pem.json).toMatchObject({
    attributes: { enabled: false },
    cer: leaf.toString("base64"),
    policy: {
      key_props: { exportable: false, kty: "EC", key_size: 384 },
      issuer: { name: "Self" },
      x509_props: { subject: "CN=next", key_usage: ["digitalSignature"] },
    },
  });
  await ask("PATCH", "/certificates/b", { body: { attributes: { enabled: true } } });
  expect((await ask("GET", "/secrets/b")).json.value, "not exportable").toBe(writePem({ certificates: [leaf, root] }));
});

test("import: what is refused", async () => {
  const { ask } = await testVault();
  const key = keyOf("P-256");
  const pkcs8 = key.export({ format: "der", type: "pkcs8" });
  const { leaf } = chainOf(key);
  const pemPolicy = { secret_props: { contentType: "application/x-pem-file" } };
  const pfx = (certificates = [leaf]) => writePkcs12({ key: pkcs8, certificates }).toString("base64");
  const other = chainOf(keyOf("P-384")).leaf;
  const refusals: [body: object, message: RegExp][] = [
    [{}, /value/],
    [{ value: 1 }, /value/],
    [{ value: "" }, /value/],
    [{ value: "garbage" }, /PKCS#12 X\.509 certificate content can not be read/],
    [{ value: pfx(), pwd: "wrong" }, /can not be read/],
    [{ value: pfx(), pwd: 1 }, /pwd/],
    [{ value: pfx([other]) }, /does not match the public part/],
    [{ value: writePkcs12({ certificates: [leaf] }).toString("base64") }, /Private key is not specified/],
    [{ value: pfx(), policy: pemPolicy }, /PEM X\.509 certificate content is in an unexpected format/],
    [{ value: writePem({ certificates: [leaf] }), policy: pemPolicy }, /Private key is not specified/],
    [{ value: pfx(), policy: { issuer: { name: "nobody" } } }, /There is no issuer nobody/],
    [{ value: pfx(), policy: { x509_props: { subject: "nonsense" } } }, /Invalid X\.500 distinguished name/],
    [{ value: pfx(), tags: { a: 1 } }, /tags/],
  ];
  for (const [body, message] of refusals) {
    const answer = await ask("POST", "/certificates/a/import", { body });
    expect([answer.status, answer.json.error.code, answer.json.error.message]).toEqual([
      400,
      "BadParameter",
      expect.stringMatching(message),
    ]);
  }
  for (const path of ["/certificates/a", "/secrets/a", "/keys/a"]) expect((await ask("GET", path)).status).toBe(404);
});

test("the order of the chain is kept on request, from 7.6 on", async () => {
  const { ask } = await testVault();
  const key = keyOf("P-256");
  const { leaf, root } = chainOf(key);
  const pkcs8 = key.export({ format: "der", type: "pkcs8" });
  const value = writePem({ key: pkcs8, certificates: [root, leaf] });
  const bring = (version: string, preserveCertOrder: unknown) =>
    ask("POST", `/certificates/a/import?api-version=${version}`, { raw: true, body: { value, preserveCertOrder } });
  const kept = await bring("7.6", true);
  expect(kept.json).toMatchObject({ preserveCertOrder: true, cer: leaf.toString("base64") });
  expect((await ask("GET", "/secrets/a")).json.value).toBe(value);
  for (const [version, asked] of [
    ["2025-07-01", false],
    ["7.5", true],
    ["7.5", "yes"],
  ] as const) {
    expect((await bring(version, asked)).json).not.toHaveProperty("preserveCertOrder");
    expect((await ask("GET", "/secrets/a")).json.value).toBe(writePem({ key: pkcs8, certificates: [leaf, root] }));
  }
  expect((await bring("2026-04-01", "yes")).status).toBe(400);
});

test("a secret as PEM, when its reader asks for that", async () => {
  const { ask } = await quickVault();
  await ask("POST", "/certificates/a/create", { body: ec() });
  await ask("PUT", "/secrets/plain", { body: { value: "v", contentType: "text/plain" } });
  const bogus = { value: "v", contentType: "application/x-pkcs12" };
  await ask("PUT", "/secrets/bogus", { body: bogus });
  const get = (name: string, type: string, version = "2026-04-01") =>
    ask("GET", `/secrets/${name}?api-version=${version}&outContentType=${encodeURIComponent(type)}`, { raw: true });
  const pem = await get("a", "application/x-pem-file");
  expect(pem.json.contentType).toBe("application/x-pem-file");
  const { key, certificates } = openPem(pem.json.value);
  expect(certificates.map(({ raw }) => raw.toString("base64"))).toEqual([
    (await ask("GET", "/certificates/a")).json.cer,
  ]);
  expect(createPublicKey(key!).equals(certificates[0]!.publicKey)).toBe(true);
  const { json: pfx } = await ask("GET", "/secrets/a");
  expect((await get("a", "application/x-pkcs12")).json).toMatchObject({
    value: pfx.value,
    contentType: pfx.contentType,
  });
  expect((await get("a", "application/x-pem-file", "7.6")).json.value, "unknown to older versions").toBe(pfx.value);
  for (const [name, type] of [
    ["a", "text/plain"],
    ["plain", "application/x-pem-file"],
    ["bogus", "application/x-pem-file"],
  ] as const) {
    const refused = await get(name, type);
    expect([name, refused.status, refused.json.error.code]).toEqual([name, 400, "BadParameter"]);
  }
});
