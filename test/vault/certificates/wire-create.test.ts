import { X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import { testVault } from "../support.ts";
import { at, ec, quickVault } from "./support.ts";

// What a certificate can be made of, and what is refused.

test("create: what is refused, and that nothing is left behind", async () => {
  const { ask } = await testVault();
  const x509 = (more: object) => ({ policy: { x509_props: { subject: "CN=a", ...more } } });
  const props = (key_props: object) => ({ policy: { key_props, x509_props: { subject: "CN=a" } } });
  const actions = (...lifetime_actions: unknown[]) => ({
    policy: { lifetime_actions, x509_props: { subject: "CN=a" } },
  });
  const renew = { action_type: "AutoRenew" };
  const bodies: unknown[] = [
    {},
    { policy: {} },
    { policy: 1 },
    { policy: { x509_props: { subject: "Self" } } },
    { policy: { x509_props: {} } },
    { policy: { x509_props: { sans: { dns_names: [] } } } },
    { policy: { x509_props: { subject: "CN=a" }, issuer: { name: "nobody" } } },
    { policy: { x509_props: { subject: "CN=a" }, issuer: 1 } },
    { policy: { x509_props: { subject: "CN=a" }, secret_props: { contentType: "text/plain" } } },
    x509({ key_usage: ["invalid"] }),
    x509({ ekus: ["serverAuth"] }),
    x509({ ekus: "1.2.3" }),
    x509({ validity_months: 0 }),
    x509({ validity_months: 1.5 }),
    x509({ validity_months: 1201 }),
    x509({ sans: { dns_names: [1] } }),
    x509({ sans: { emails: ["nobody"] } }),
    x509({ sans: [] }),
    x509({ basic_constraints: { ca: "yes" } }),
    props({ kty: "RSA", key_size: 1024 }),
    props({ kty: "RSA-HSM" }),
    props({ kty: "oct" }),
    props({ kty: "EC", crv: "P-224" }),
    props({ kty: "EC", crv: "P-256", key_size: 384 }),
    props({ exportable: "no" }),
    actions({}),
    actions({ trigger: { lifetime_percentage: 0 }, action: renew }),
    actions({ trigger: { lifetime_percentage: 100 }, action: renew }),
    actions({ trigger: { days_before_expiry: 0 }, action: renew }),
    actions({ trigger: { days_before_expiry: 325 }, action: renew }),
    actions({ trigger: { days_before_expiry: 30, lifetime_percentage: 80 }, action: renew }),
    actions({ trigger: {}, action: renew }),
    actions({ trigger: { days_before_expiry: 30 }, action: { action_type: "Burn" } }),
    actions(
      { trigger: { days_before_expiry: 30 }, action: renew },
      { trigger: { days_before_expiry: 20 }, action: renew },
    ),
    { ...x509({}), tags: Object.fromEntries(Array.from({ length: 16 }, (_, n) => [n, "x"])) },
    { ...x509({}), attributes: { enabled: "yes" } },
    [],
    "text",
  ];
  for (const body of bodies) {
    const answer = await ask("POST", "/certificates/a/create", { body: JSON.stringify(body) });
    expect([body, answer.status, answer.json.error.code]).toEqual([body, 400, "BadParameter"]);
  }
  const subject = await ask("POST", "/certificates/a/create", {
    body: { policy: { x509_props: { subject: "Self", key_usage: ["invalid"] }, issuer: { name: "invalid" } } },
  });
  expect(subject.json).toEqual({
    error: {
      code: "BadParameter",
      message: "Property policy.x509_props has invalid value. Invalid X.500 distinguished name\r\n",
    },
  });
  expect((await ask("GET", "/certificates?includePending=true")).json.value).toEqual([]);
  expect((await ask("GET", "/certificates/a")).json.error).toEqual({
    code: "CertificateNotFound",
    message: "Certificate not found: a",
  });
  const version = "0".repeat(32);
  expect((await ask("GET", `/certificates/a/${version}`)).json.error.message).toBe(
    `Certificate not found: a/${version}`,
  );
  expect((await ask("GET", "/deletedcertificates/a")).json.error).toEqual({
    code: "CertificateNotFound",
    message: "Deleted Certificate not found: a",
  });
});

test("names that others hold", async () => {
  const { ask } = await quickVault();
  await ask("PUT", "/secrets/mine", { body: { value: "v" } });
  const taken = await ask("POST", "/certificates/mine/create", { body: ec() });
  expect([taken.status, taken.json.error.code]).toEqual([409, "Conflict"]);
  await ask("DELETE", "/secrets/mine");
  const deleted = await ask("POST", "/certificates/MINE/create", { body: ec() });
  expect([deleted.status, deleted.json.error.innererror.code]).toEqual([409, "ObjectIsDeletedButRecoverable"]);
  await ask("POST", "/certificates/a/create", { body: ec({}, "Unknown") });
  for (const [method, path, body] of [
    ["PUT", "/secrets/a", { value: "v" }],
    ["POST", "/keys/a/create", { kty: "EC" }],
  ] as const) {
    const early = await ask(method, path, { body });
    expect([path, early.status, early.json.error.code], "held while the certificate is being made").toEqual([
      path,
      403,
      "Forbidden",
    ]);
  }
  await ask("DELETE", "/certificates/a/pending");
  await ask("POST", "/certificates/a/create", { body: ec() });
  expect((await ask("GET", "/certificates/a/pending")).json.status).toBe("completed");
  for (const [method, path, body] of [
    ["PUT", "/secrets/a", { value: "v" }],
    ["PATCH", "/secrets/a", { tags: {} }],
    ["DELETE", "/secrets/a", undefined],
    ["POST", "/secrets/a/backup", undefined],
    ["POST", "/keys/a/create", { kty: "EC" }],
    ["PATCH", "/keys/a", { key_ops: [] }],
    ["DELETE", "/keys/a", undefined],
    ["POST", "/keys/a/rotate", undefined],
  ] as const) {
    const answer = await ask(method, path, body ? { body } : {});
    expect([method, path, answer.status, answer.json.error.code]).toEqual([method, path, 403, "Forbidden"]);
  }
});

test("a patch of a policy sets the given members alone", async () => {
  const { ask, clock, url } = await quickVault();
  await ask("POST", "/certificates/a/create", { body: ec({ issuer: { name: "Self", cert_transparency: false } }) });
  clock.advance(1000);
  const { json: before } = await ask("GET", "/certificates/a/policy");
  expect(before.id).toBe(`${url}/certificates/a/policy`);
  const patched = await ask("PATCH", "/certificates/a/policy", {
    body: { x509_props: { validity_months: 6 }, key_props: {}, issuer: { cty: "OV-SSL" } },
  });
  expect(patched.status).toBe(200);
  expect(patched.json).toStrictEqual({
    ...before,
    x509_props: { ...before.x509_props, validity_months: 6 },
    issuer: { name: "Self", cty: "OV-SSL", cert_transparency: false },
    attributes: { ...before.attributes, updated: at + 1 },
  });
  expect((await ask("GET", "/certificates/a/policy")).json).toStrictEqual(patched.json);
  expect((await ask("GET", "/certificates/a")).json.policy).toStrictEqual(patched.json);
  const whole = await ask("PATCH", "/certificates/a", {
    body: { policy: { secret_props: { contentType: "application/x-pem-file" } }, tags: { x: "y" } },
  });
  expect(whole.json).toMatchObject({
    tags: { x: "y" },
    policy: { secret_props: { contentType: "application/x-pem-file" }, x509_props: { validity_months: 6 } },
  });
  for (const body of [
    { x509_props: { subject: "x" } },
    { lifetime_actions: [{ trigger: { days_before_expiry: 163 }, action: { action_type: "AutoRenew" } }] },
    { issuer: { name: "nobody" } },
    { key_props: { key_size: 5 } },
  ]) {
    const refused = await ask("PATCH", "/certificates/a/policy", { body });
    expect([body, refused.status, refused.json.error.code]).toEqual([body, 400, "BadParameter"]);
  }
  expect((await ask("GET", "/certificates/a/policy")).json.x509_props).toStrictEqual(patched.json.x509_props);
});

test("URIs and addresses are known to newer versions of the protocol only", async () => {
  const { ask } = await quickVault();
  const sans = { dns_names: ["a.contoso.com"], uris: ["https://contoso.com/x"], ipAddresses: ["10.0.0.1", "::1"] };
  const body = { policy: { key_props: { kty: "EC" }, x509_props: { sans }, issuer: { name: "Self" } } };
  await ask("POST", "/certificates/new/create?api-version=2025-07-01", { body, raw: true });
  await ask("POST", "/certificates/old/create?api-version=7.6", { body, raw: true });
  const shown = async (name: string, version: string) =>
    (await ask("GET", `/certificates/${name}?api-version=${version}`, { raw: true })).json;
  expect((await shown("new", "2026-04-01")).policy.x509_props.sans).toEqual(sans);
  expect((await shown("new", "7.5")).policy.x509_props.sans).toEqual({ dns_names: sans.dns_names });
  expect((await shown("old", "2026-04-01")).policy.x509_props.sans).toEqual({ dns_names: sans.dns_names });
  const x509 = new X509Certificate(Buffer.from((await shown("new", "2026-04-01")).cer, "base64"));
  expect(x509.subject).toBeUndefined();
  expect(x509.subjectAltName).toBe(
    "DNS:a.contoso.com, URI:https://contoso.com/x, IP Address:10.0.0.1, IP Address:0:0:0:0:0:0:0:1",
  );
});

test("what every operation refuses: no token, no version of the protocol, bad names", async () => {
  const { ask } = await testVault();
  for (const [method, path] of [
    ["POST", "/certificates/a/create"],
    ["POST", "/certificates/a/import"],
    ["GET", "/certificates/a"],
    ["PATCH", "/certificates/a/policy"],
    ["POST", "/certificates/a/pending/merge"],
    ["PUT", "/certificates/issuers/a"],
    ["PUT", "/certificates/contacts"],
    ["POST", "/certificates/restore"],
  ] as const) {
    const without = await ask(method, path, { token: null, body: "{ not json" });
    expect([path, without.status, without.json.error.code]).toEqual([path, 401, "Unauthorized"]);
    const bare = await ask(method, path, { raw: true });
    expect([path, bare.status, bare.json.error.code]).toEqual([path, 400, "BadParameter"]);
    if (method === "GET") continue;
    const garbage = await ask(method, path, { body: "{ not json" });
    expect([path, garbage.status, garbage.json.error.code]).toEqual([path, 400, "BadParameter"]);
  }
  for (const name of ["a_b", "a.b", "a%20b", "x".repeat(128)]) {
    const answer = await ask("POST", `/certificates/${name}/create`, { body: ec() });
    expect([answer.status, answer.json.error.message]).toEqual([
      400,
      `The request URI contains an invalid name: ${decodeURIComponent(name)}`,
    ]);
  }
  expect((await ask("GET", "/certificates/a/not-a-version")).status).toBe(400);
  expect((await ask("POST", "/certificates/restore", { body: { value: "Z2FyYmFnZQ" } })).json.error.code).toBe(
    "Malformed backup blob",
  );
  expect((await ask("PUT", "/certificates/a", { body: {} })).status).toBe(400);
});
