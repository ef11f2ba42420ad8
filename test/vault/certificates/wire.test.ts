import { X509Certificate, createPublicKey } from "node:crypto";
import { expect, test } from "vitest";
import { writePem } from "../../../local/vault/certificates/pem.ts";
import { writePkcs12 } from "../../../local/vault/certificates/pkcs12.ts";
import { day, start, testVault } from "../support.ts";
import { chainOf, keyOf } from "./material.ts";
import { ec, openPem, quickVault, signRequest } from "./support.ts";

// What goes over the wire: bodies, headers and omissions, asked with plain HTTPS requests.

const at = start / 1000;
const year = Date.UTC(2027, 0, 15, 12) / 1000;
const hex = expect.stringMatching(/^[0-9a-f]{32}$/);
const base64 = expect.stringMatching(/^[A-Za-z0-9+/]+=*$/);
const waiting =
  "Pending certificate created. Certificate request is in progress. This may take some time based on the issuer provider. Please check again later.";

const policyBody = (url: string, name: string, more: object = {}) => ({
  id: `${url}/certificates/${name}/policy`,
  key_props: { exportable: true, kty: "RSA", key_size: 2048, reuse_key: false },
  secret_props: { contentType: "application/x-pkcs12" },
  x509_props: {
    subject: "cn=MyCert",
    sans: {},
    ekus: ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"],
    key_usage: ["digitalSignature", "keyEncipherment"],
    validity_months: 12,
    basic_constraints: { ca: false },
  },
  lifetime_actions: [{ trigger: { lifetime_percentage: 80 }, action: { action_type: "AutoRenew" } }],
  issuer: { name: "Self" },
  attributes: { enabled: true, created: at, updated: at },
  ...more,
});

test("the life of an operation, as the service's recordings have it", async () => {
  const { ask, clock, url } = await testVault();
  const created = await ask("POST", "/certificates/a/create", {
    body: {
      policy: {
        key_props: {},
        secret_props: {},
        x509_props: { subject: "cn=MyCert", sans: {} },
        issuer: { name: "Self" },
        attributes: {},
      },
      attributes: {},
    },
  });
  expect(created.status).toBe(202);
  const operation = {
    id: `${url}/certificates/a/pending`,
    issuer: { name: "Self" },
    csr: base64,
    cancellation_requested: false,
    status: "inProgress",
    status_details: waiting,
    request_id: hex,
  };
  expect(created.json).toStrictEqual(operation);
  const { request_id: id } = created.json;
  expect(created.headers).toMatchObject({
    location: `${url}/certificates/a/pending?api-version=7.5&request_id=${id}`,
    "retry-after": "10",
  });
  const pending = await ask("GET", `/certificates/a/pending?request_id=${id}`);
  expect([pending.status, pending.headers["retry-after"]]).toEqual([200, "10"]);
  expect(pending.json).toStrictEqual(created.json);

  const attributes = {
    enabled: false,
    nbf: at - 600,
    exp: year,
    created: at,
    updated: at,
    recoveryLevel: "Recoverable+Purgeable",
    recoverableDays: 90,
  };
  const versionId = expect.stringMatching(new RegExp(`^${url}/certificates/a/[0-9a-f]{32}$`));
  const policy = policyBody(url, "a");
  const placeholder = await ask("GET", "/certificates/a/");
  expect(placeholder.json).toStrictEqual({ id: versionId, attributes, policy, pending: { id: operation.id } });

  clock.advance(1000);
  const done = await ask("GET", "/certificates/a/pending");
  expect(done.headers["retry-after"]).toBeUndefined();
  const { status_details: _, ...rest } = created.json;
  expect(done.json).toStrictEqual({ ...rest, status: "completed", target: `${url}/certificates/a` });

  const { json: whole } = await ask("GET", "/certificates/a");
  const version = whole.id.split("/").at(-1);
  expect(whole.id, "the placeholder has become the version").toBe(placeholder.json.id);
  const later = { enabled: true, nbf: at - 599, exp: year + 1, created: at + 1, updated: at + 1 };
  const full = { ...attributes, ...later };
  expect(whole).toStrictEqual({
    id: `${url}/certificates/a/${version}`,
    kid: `${url}/keys/a/${version}`,
    sid: `${url}/secrets/a/${version}`,
    x5t: expect.stringMatching(/^[\w-]{27}$/),
    cer: base64,
    attributes: full,
    policy,
    pending: { id: operation.id },
  });
  const { policy: _policy, pending: _pending, ...bare } = whole;
  expect(
    (await ask("GET", `/certificates/a/${version}`)).json,
    "a named version has neither policy nor operation",
  ).toStrictEqual(bare);
  const x509 = new X509Certificate(Buffer.from(whole.cer, "base64"));
  expect([x509.validFromDate.getTime(), x509.validToDate.getTime()]).toEqual([(at - 599) * 1000, (year + 1) * 1000]);

  const { x5t } = whole;
  const item = { x5t, attributes: later, subject: "CN=MyCert" };
  expect((await ask("GET", "/certificates")).json).toStrictEqual({ value: [{ id: `${url}/certificates/a`, ...item }] });
  expect((await ask("GET", "/certificates/a/versions")).json).toStrictEqual({ value: [{ id: whole.id, ...item }] });
  expect((await ask("GET", "/certificates/none/versions")).json).toStrictEqual({ value: [], nextLink: null });

  const secret = (await ask("GET", `/secrets/a/${version}`)).json;
  expect(secret).toStrictEqual({
    value: base64,
    id: `${url}/secrets/a/${version}`,
    contentType: "application/x-pkcs12",
    attributes: full,
    kid: `${url}/keys/a/${version}`,
    managed: true,
  });
  const key = (await ask("GET", "/keys/a")).json;
  expect(key).toMatchObject({ key: { kid: `${url}/keys/a/${version}`, kty: "RSA" }, attributes: later, managed: true });

  const deleted = await ask("DELETE", "/certificates/a");
  const life = {
    recoveryId: `${url}/deletedcertificates/a`,
    deletedDate: at + 1,
    scheduledPurgeDate: at + 1 + 90 * 86_400,
  };
  expect(deleted.json).toStrictEqual({ ...life, ...whole });
  expect((await ask("GET", "/deletedcertificates/a")).json).toStrictEqual({ ...life, ...whole });
  expect((await ask("GET", "/deletedcertificates")).json).toStrictEqual({
    value: [{ ...life, id: `${url}/certificates/a`, ...item }],
  });
  expect((await ask("POST", "/deletedcertificates/a/recover")).json).toStrictEqual(whole);
  await ask("DELETE", "/certificates/a");
  expect((await ask("DELETE", "/deletedcertificates/a")).status).toBe(204);
});

test("a cancelled and a deleted operation", async () => {
  const { ask, clock, url } = await testVault();
  const { json: operation } = await ask("POST", "/certificates/a/create", { body: ec() });
  const cancelled = await ask("PATCH", "/certificates/a/pending", { body: { cancellation_requested: true } });
  expect([cancelled.status, cancelled.json]).toEqual([200, { ...operation, cancellation_requested: true }]);
  expect((await ask("POST", "/certificates/a/create", { body: ec() })).json.error.code).toBe("Conflict");
  clock.advance(1000);
  const { status_details: _, ...rest } = cancelled.json;
  expect((await ask("GET", "/certificates/a/pending")).json).toStrictEqual({ ...rest, status: "cancelled" });
  const late = await ask("PATCH", "/certificates/a/pending", { body: { cancellation_requested: true } });
  expect([late.status, late.json.error.code]).toEqual([400, "BadParameter"]);
  const removed = await ask("DELETE", "/certificates/a/pending");
  expect([removed.status, removed.json]).toEqual([200, { ...rest, status: "cancelled" }]);
  const gone = await ask("GET", "/certificates/a/pending");
  expect([gone.status, gone.json.error.code]).toEqual([404, "PendingCertificateNotFound"]);
  const { json: placeholder } = await ask("GET", "/certificates/a");
  expect(Object.keys(placeholder)).toEqual(["id", "attributes", "policy"]);
  expect(placeholder.attributes.enabled).toBe(false);
  expect((await ask("GET", "/certificates")).json.value).toEqual([]);
  const listed = await ask("GET", "/certificates?includePending=true");
  expect(listed.json.value).toStrictEqual([
    { id: `${url}/certificates/a`, attributes: { enabled: false, nbf: at - 600, exp: year, created: at, updated: at } },
  ]);
  const enabling = await ask("PATCH", "/certificates/a", { body: { attributes: { enabled: true } } });
  expect([enabling.status, enabling.json.error.code], "there is nothing to enable").toEqual([400, "BadParameter"]);
});

test("a cancellation that is taken back", async () => {
  const { ask, clock } = await testVault();
  await ask("POST", "/certificates/a/create", { body: ec() });
  await ask("PATCH", "/certificates/a/pending", { body: { cancellation_requested: true } });
  await ask("PATCH", "/certificates/a/pending", { body: { cancellation_requested: false } });
  clock.advance(1000);
  expect((await ask("GET", "/certificates/a/pending")).json).toMatchObject({
    status: "completed",
    cancellation_requested: false,
  });
});

test("merge: 201, its place, and what it replaces", async () => {
  const { ask, url } = await testVault();
  const { json: operation } = await ask("POST", "/certificates/a/create", {
    body: { ...ec({}, "Unknown"), tags: { a: "1" } },
  });
  expect(operation).toMatchObject({
    issuer: { name: "Unknown" },
    status_details: "Pending certificate created. Please Perform Merge to complete the request.",
  });
  const { root, signer } = chainOf(keyOf("P-256"));
  const leaf = signRequest(Buffer.from(operation.csr, "base64"), signer);
  const merged = await ask("POST", "/certificates/a/pending/merge", {
    body: { x5c: [leaf.toString("base64"), root.toString("base64")], tags: { b: "2" }, attributes: { enabled: true } },
  });
  expect([merged.status, merged.headers.location]).toEqual([201, `${url}/certificates/a?api-version=7.5`]);
  expect(merged.json).toMatchObject({
    cer: leaf.toString("base64"),
    attributes: { enabled: true, nbf: at - 86_400, exp: at + 180 * 86_400 },
    tags: { b: "2" },
    policy: { issuer: { name: "Unknown" }, lifetime_actions: [{ action: { action_type: "EmailContacts" } }] },
    pending: { id: `${url}/certificates/a/pending` },
  });
  expect((await ask("GET", "/secrets/a")).json).toMatchObject({ tags: { b: "2" }, attributes: merged.json.attributes });
});

test("merge is refused where there is nothing to merge with", async () => {
  const { ask, control } = await testVault();
  const { leaf, signer } = chainOf(keyOf("P-256"));
  const x5c = [leaf.toString("base64")];
  const merge = async (body: unknown = { x5c }) => {
    const answer = await ask("POST", "/certificates/a/pending/merge", { body });
    return [answer.status, answer.json.error.code, answer.json.error.message];
  };
  expect(await merge()).toEqual([404, "PendingCertificateNotFound", "Pending certificate not found: a"]);
  await ask("PUT", "/certificates/issuers/ca", { body: { provider: "Test" } });
  control.set({ issuerDelayMs: 1000 });
  await ask("POST", "/certificates/a/create", { body: ec({}, "ca") });
  expect((await merge()).slice(0, 2), "a named issuer is at work").toEqual([403, "Forbidden"]);
  await ask("DELETE", "/certificates/a/pending");
  const { json: operation } = await ask("POST", "/certificates/a/create", { body: ec({}, "Unknown") });
  expect(await merge()).toEqual([
    400,
    "BadParameter",
    expect.stringMatching(/does not match the public part of the specified private key/),
  ]);
  for (const bad of [
    {},
    { x5c: [] },
    { x5c: "x" },
    { x5c: [1] },
    { x5c: ["garbage"] },
    { x5c: [""] },
    { x5c, tags: 1 },
    { x5c, attributes: { enabled: 1 } },
  ]) {
    expect([bad, ...(await merge(bad)).slice(0, 2)]).toEqual([bad, 400, "BadParameter"]);
  }
  expect((await ask("GET", "/certificates/a/pending")).json, "still in progress").toStrictEqual(operation);
  const good = { x5c: [signRequest(Buffer.from(operation.csr, "base64"), signer).toString("base64")] };
  expect((await ask("POST", "/certificates/a/pending/merge", { body: good })).status).toBe(201);
  expect((await merge(good)).slice(0, 2), "once is enough").toEqual([400, "BadParameter"]);
});

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
    [{ value: pfx(), preserveCertOrder: "yes" }, /preserveCertOrder/],
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

test("issuers and contacts", async () => {
  const { ask, clock, url } = await testVault();
  const id = `${url}/certificates/issuers/Ca`;
  const attributes = { enabled: true, created: at, updated: at };
  const admin_details = [{ first_name: "Ada", last_name: "L", email: "a@contoso.com", phone: "1" }];
  const set = await ask("PUT", "/certificates/issuers/Ca", {
    body: { provider: "Test", credentials: { account_id: "u", pwd: "hidden" }, org_details: { admin_details } },
  });
  const issuer = {
    id,
    provider: "Test",
    credentials: { account_id: "u" },
    org_details: { zip: 0, admin_details },
    attributes,
  };
  expect([set.status, set.json]).toStrictEqual([200, issuer]);
  clock.advance(2000);
  const patched = await ask("PATCH", "/certificates/issuers/ca", {
    body: { org_details: { id: "o" }, attributes: { enabled: false } },
  });
  const changed = {
    ...issuer,
    org_details: { id: "o", zip: 0 },
    attributes: { enabled: false, created: at, updated: at + 2 },
  };
  expect(patched.json).toStrictEqual(changed);
  expect((await ask("GET", "/certificates/issuers/ca")).json).toStrictEqual(changed);
  expect((await ask("GET", "/certificates/issuers")).json).toStrictEqual({ value: [{ id, provider: "Test" }] });
  expect(
    (await ask("POST", "/certificates/a/create", { body: ec({}, "Ca") })).status,
    "a disabled issuer issues nothing",
  ).toBe(400);
  for (const body of [
    {},
    { provider: "" },
    { provider: 1 },
    { provider: "x", credentials: 1 },
    { provider: "x", org_details: { admin_details: [1] } },
    { provider: "x", attributes: { enabled: 1 } },
  ]) {
    const refused = await ask("PUT", "/certificates/issuers/x", { body });
    expect([body, refused.status, refused.json.error.code]).toEqual([body, 400, "BadParameter"]);
  }
  expect((await ask("DELETE", "/certificates/issuers/ca")).json).toStrictEqual(changed);
  for (const [method, body] of [
    ["GET", undefined],
    ["PATCH", {}],
    ["DELETE", undefined],
  ] as const) {
    const absent = await ask(method, "/certificates/issuers/ca", body ? { body } : {});
    expect([absent.status, absent.json.error.code]).toEqual([404, "CertificateIssuerNotFound"]);
  }
  const contacts = [{ email: "a@contoso.com", name: "A", phone: "1" }, { email: "b@contoso.com" }];
  const list = { id: `${url}/certificates/contacts`, contacts };
  expect((await ask("GET", "/certificates/contacts")).json.error.code).toBe("ContactsNotFound");
  expect((await ask("PUT", "/certificates/contacts", { body: { contacts } })).json).toStrictEqual(list);
  for (const body of [{}, { contacts: [] }, { contacts: [{}] }, { contacts: [{ email: 1 }] }, { contacts: {} }]) {
    const refused = await ask("PUT", "/certificates/contacts", { body });
    expect([body, refused.status, refused.json.error.code]).toEqual([body, 400, "BadParameter"]);
  }
  expect((await ask("GET", "/certificates/contacts")).json).toStrictEqual(list);
  expect((await ask("DELETE", "/certificates/contacts")).json).toStrictEqual(list);
  expect((await ask("DELETE", "/certificates/contacts")).status).toBe(404);
});

test("lists page by page, newest version first of all", async () => {
  const { ask, url } = await quickVault();
  for (const name of ["c", "a", "b"]) await ask("POST", `/certificates/${name}/create`, { body: ec() });
  const first = await ask("GET", "/certificates?maxresults=2");
  expect(first.json.value.map((item: { id: string }) => item.id)).toEqual([
    `${url}/certificates/a`,
    `${url}/certificates/b`,
  ]);
  const second = await ask("GET", first.json.nextLink.slice(url.length), { raw: true });
  expect(second.json.value.map((item: { id: string }) => item.id)).toEqual([`${url}/certificates/c`]);
  expect(second.json.nextLink).toBeUndefined();
  expect((await ask("GET", "/certificates?includePending=perhaps")).status).toBe(400);
  await ask("POST", "/certificates/a/create", { body: ec({}, "Unknown") });
  const both = async (query: string) => (await ask("GET", `/certificates${query}`)).json.value[0].attributes.enabled;
  expect(
    [await both(""), await both("?includePending=true")],
    "a version in the making is shown when it is asked for",
  ).toEqual([true, false]);
  expect((await ask("GET", "/certificates/a/versions")).json.value).toHaveLength(2);
});

test("purge waits for the clock under purge protection, for all three", async () => {
  const name = "kv-purge";
  const { ask, clock, control } = await quickVault({
    vaults: [{ name, resourceId: "/x", purgeProtection: true, retentionDays: 7 }],
  });
  control.set({ certificateDelayMs: 0 });
  await ask("POST", "/certificates/a/create", { body: ec() });
  expect((await ask("DELETE", "/certificates/a")).json.attributes.recoveryLevel).toBe("CustomizedRecoverable");
  expect((await ask("DELETE", "/deletedcertificates/a")).status).toBe(403);
  clock.advance(7 * day - 2000);
  expect((await ask("GET", "/deletedcertificates/a")).status).toBe(200);
  clock.advance(2000);
  for (const path of ["/deletedcertificates/a", "/deletedsecrets/a", "/deletedkeys/a"])
    expect((await ask("GET", path)).status).toBe(404);
  expect((await ask("POST", "/certificates/a/create", { body: ec() })).status).toBe(202);
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
