import { X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import { testVault } from "../support.ts";
import { writePkcs12 } from "../../../local/vault/certificates/pkcs12.ts";
import { chainOf, keyOf } from "./material.ts";
import { at, policyBody, year, ec, signRequest } from "./support.ts";

// Operations over the wire: bodies, headers and omissions, asked with plain HTTPS requests.

const hex = expect.stringMatching(/^[0-9a-f]{32}$/);
const base64 = expect.stringMatching(/^[A-Za-z0-9+/]+=*$/);
const waiting =
  "Pending certificate created. Certificate request is in progress. This may take some time based on the issuer provider. Please check again later.";

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
  const key = keyOf("P-256");
  const pkcs8 = key.export({ format: "der", type: "pkcs8" });
  const value = writePkcs12({ key: pkcs8, certificates: [chainOf(key).leaf] }).toString("base64");
  const importing = await ask("POST", "/certificates/a/import", { body: { value } });
  expect([importing.status, importing.json.error]).toEqual([
    409,
    {
      code: "Conflict",
      message:
        "A new key vault certificate can not be created or imported while a pending key vault certificate's status is inProgress.",
    },
  ]);
  for (const [method, body] of [
    ["GET", undefined],
    ["PATCH", { cancellation_requested: true }],
    ["DELETE", undefined],
  ] as const) {
    const other = await ask(method, `/certificates/a/pending?request_id=${"0".repeat(32)}`, body ? { body } : {});
    expect([other.status, other.json.error.code], "another operation").toEqual([404, "PendingCertificateNotFound"]);
  }
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

test("of several that begin at once one goes on, and what changes meanwhile counts", async () => {
  const { ask } = await testVault();
  const body = { policy: { x509_props: { subject: "CN=a" }, issuer: { name: "Self" } } };
  const answers = await Promise.all(Array.from({ length: 4 }, () => ask("POST", "/certificates/a/create", { body })));
  expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([202, 409, 409, 409]);
  const { json } = await ask("GET", "/certificates/a/pending");
  expect(json).toStrictEqual(answers.find(({ status }) => status === 202)!.json);
  expect((await ask("GET", "/certificates/a/versions")).json.value).toHaveLength(1);
  await ask("PUT", "/certificates/issuers/ca", { body: { provider: "Test" } });
  const [late, removed] = await Promise.all([
    ask("POST", "/certificates/b/create", { body: { policy: { ...body.policy, issuer: { name: "ca" } } } }),
    ask("DELETE", "/certificates/issuers/ca"),
  ]);
  expect(removed.status).toBe(200);
  expect([late.status, late.json.error?.code]).toEqual([400, "BadParameter"]);
  expect((await ask("GET", "/certificates/b")).status).toBe(404);
});
