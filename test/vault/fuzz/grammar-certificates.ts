import * as fc from "fast-check";
import { writePem } from "../../../local/vault/certificates/pem.ts";
import { attributes, commonGrammar, name, objectPath, tags } from "./grammar-secrets.ts";
import { bend, encryptedPem, pairs, pemFiles, pfxFiles } from "./material.ts";
import type { Meant } from "./request.ts";
import type { Topic } from "./run.ts";

/** A few bytes changed, in the form that `bend` takes. */
const edits = fc
  .array(
    fc.tuple(
      fc.nat({ max: 1500 }),
      fc.oneof(
        fc.constantFrom("0", "1", "5", "12", "48", "127", "128", "132", "255", "-"),
        fc.nat({ max: 255 }).map(String),
      ),
    ),
    { minLength: 1, maxLength: 2 },
  )
  .map((all) => all.map((one) => one.join(":")).join(","));

const bentPem = fc
  .tuple(fc.constantFrom(...pairs), fc.boolean(), edits)
  .map(([{ key, certificate }, inKey, edits]) =>
    inKey
      ? writePem({ key: bend(key, edits), certificates: [certificate] })
      : writePem({ key, certificates: [bend(certificate, edits)] }),
  );
const bentPfx = fc
  .tuple(fc.constantFrom(...pfxFiles), edits)
  .map(([file, edits]) => bend(file, edits).toString("base64"));
const textPem = fc
  .tuple(
    fc.constantFrom(...pemFiles, encryptedPem),
    fc.constantFrom<[RegExp, string]>(
      [/\n/g, ""],
      [/-----END[^-]+-----/, ""],
      [/PRIVATE KEY/g, "ENCRYPTED PRIVATE KEY"],
      [/^/, "junk\n\0"],
      [/[A-Z]{6}/g, "A=B"],
      [/CERTIFICATE/g, "X509 CRL"],
      [/\n/g, "\r\n"],
    ),
  )
  .map(([text, [from, to]]) => text.replace(from, to));
const file = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...pemFiles, encryptedPem) },
  { weight: 6, arbitrary: bentPem },
  { weight: 2, arbitrary: textPem },
  { weight: 1, arbitrary: fc.constantFrom(...pfxFiles.map((one) => one.toString("base64"))) },
  { weight: 1, arbitrary: bentPfx },
);

const subject = fc.constantFrom(
  "CN=orders",
  "CN=a, O=Contoso+OU=x, C=NL",
  'CN="a, b"',
  "E=a@b, DC=c",
  "CN=\ud800",
  "CN=a\0b",
  "2.999.1=x",
  "CN=",
  "x",
  "CN=\u00e9\u4e2d",
  `CN=${"x".repeat(300)}`,
  "C=Netherlands",
);
const sans = fc.record(
  {
    dns_names: fc.subarray(["a.example", "*.b.example", "", "\u00e9.example", "x".repeat(300)]),
    emails: fc.subarray(["a@b", "a"]),
    upns: fc.subarray(["u@d", "\ud800", "\0", ""]),
    uris: fc.subarray(["urn:a:b", "x"]),
    ipAddresses: fc.subarray(["10.0.0.1", "::1", "::ffff:1.2.3.4", "fe80::1%eth0", "1.2.3"]),
  },
  { requiredKeys: [] },
);
const lifetime = fc.array(
  fc.record({
    trigger: fc.oneof(
      fc.record({ lifetime_percentage: fc.integer({ min: 0, max: 100 }) }),
      fc.record({ days_before_expiry: fc.constantFrom(0, 1, 30, 324, 325, 40_000) }),
    ),
    action: fc.record({ action_type: fc.constantFrom("AutoRenew", "emailcontacts") }),
  }),
  { maxLength: 2 },
);
export const policy = fc.record(
  {
    key_props: fc.oneof(
      {
        weight: 30,
        arbitrary: fc.record(
          {
            kty: fc.constant("EC"),
            crv: fc.constantFrom("P-256", "P-384", "P-521", "P-256K"),
            reuse_key: fc.boolean(),
            exportable: fc.boolean(),
          },
          { requiredKeys: ["kty"] },
        ),
      },
      {
        weight: 1,
        arbitrary: fc.record({ kty: fc.constantFrom("RSA", "oct"), key_size: fc.constantFrom(2048, 1024) }),
      },
    ),
    secret_props: fc.record({
      contentType: fc.constantFrom(
        "application/x-pem-file",
        "application/x-pem-file",
        "application/x-pkcs12",
        "text/plain",
      ),
    }),
    x509_props: fc.record(
      {
        subject,
        sans,
        ekus: fc.subarray(["1.3.6.1.5.5.7.3.1", "2.999999999.123456789012345", "1.3", "3.1"]),
        key_usage: fc.subarray(["digitalSignature", "crlSign", "decipherOnly", "keyEncipherment", "fly"], {
          maxLength: 3,
        }),
        validity_months: fc.constantFrom(1, 12, 1200, 1201, 0),
        basic_constraints: fc.record({ ca: fc.boolean() }),
      },
      { requiredKeys: ["subject"] },
    ),
    lifetime_actions: lifetime,
    issuer: fc.record(
      {
        name: fc.constantFrom("Self", "self", "Unknown", "unknown", "ca", "CA", "nobody"),
        cty: fc.constantFrom("", "OV-SSL"),
        cert_transparency: fc.boolean(),
      },
      { requiredKeys: ["name"] },
    ),
  },
  { requiredKeys: ["key_props", "x509_props", "issuer"] },
);
/** A policy that is right: most of the above are refused for one thing or another. */
export const plainPolicy = fc.record({
  key_props: fc.record({ kty: fc.constant("EC"), reuse_key: fc.boolean() }),
  secret_props: fc.constant({ contentType: "application/x-pem-file" }),
  x509_props: fc.record({ subject: fc.constant("CN=orders"), validity_months: fc.constantFrom(1, 12, 1200) }),
  issuer: fc.record({ name: fc.constantFrom("Self", "Unknown", "ca") }),
});
const anyPolicy = fc.oneof(policy, plainPolicy);

const at = (method: string, path: fc.Arbitrary<string>, body: fc.Arbitrary<unknown>) =>
  fc.tuple(path, body).map(([path, body]): Meant => ({ method, path, body }));
const certificate = (after: string) => name.map((one) => `/certificates/${one}${after}`);
const rest = { attributes, tags };

const created = at(
  "POST",
  certificate("/create"),
  fc.record({ policy: anyPolicy, ...rest, preserveCertOrder: fc.boolean() }, { requiredKeys: ["policy"] }),
);
const imported = at(
  "POST",
  certificate("/import"),
  fc.record(
    { value: file, pwd: fc.constantFrom("", "hush-", "hush-wrong"), policy: anyPolicy, ...rest },
    { requiredKeys: ["value"] },
  ),
);
const merged = at(
  "POST",
  fc.constantFrom("/certificates/b/pending/merge", "/certificates/b/pending/merge", "/certificates/c/pending/merge"),
  fc.record(
    {
      x5c: fc.oneof(
        { weight: 3, arbitrary: edits.map((one) => [`@leaf(${one})`]) },
        { weight: 1, arbitrary: fc.constantFrom<string[]>(["@leaf()"], ["@leaf()", "@leaf()"], [], ["AA=="]) },
      ),
      ...rest,
    },
    { requiredKeys: ["x5c"] },
  ),
);
const operation = fc
  .tuple(
    fc.constantFrom("GET", "GET", "DELETE", "PATCH"),
    certificate("/pending"),
    fc.constantFrom("", "&request_id=@request()", "&request_id=x"),
    fc.boolean(),
  )
  .map(([method, path, more, flag]): Meant => ({
    method,
    path,
    query: `api-version=7.5${more}`,
    ...(method === "PATCH" ? { body: { cancellation_requested: flag } } : {}),
  }));
const updated = at(
  "PATCH",
  fc.oneof(objectPath("certificate"), certificate("/policy")),
  fc.oneof(fc.record({ policy: anyPolicy, ...rest }, { requiredKeys: [] }), anyPolicy),
);
const readPolicy = certificate("/policy").map((path): Meant => ({ method: "GET", path }));

const text = fc.string({ maxLength: 5 });
const issuerBody = fc.record(
  {
    provider: fc.constantFrom("Test", "DigiCert", ""),
    credentials: fc.record({ account_id: text, pwd: fc.constant("hush-pwd") }, { requiredKeys: [] }),
    org_details: fc.record(
      {
        id: text,
        admin_details: fc.array(fc.record({ first_name: text, email: text }, { requiredKeys: [] }), { maxLength: 2 }),
      },
      { requiredKeys: [] },
    ),
    attributes: fc.record({ enabled: fc.boolean() }),
  },
  { requiredKeys: ["provider"] },
);
const issuer = fc
  .tuple(fc.constantFrom("GET", "PUT", "PATCH", "DELETE"), fc.constantFrom("ca", "CA", "other"), issuerBody)
  .map(([method, one, body]): Meant => ({
    method,
    path: `/certificates/issuers/${one}`,
    ...(method.startsWith("P") ? { body } : {}),
  }));
const contacts = fc
  .tuple(
    fc.constantFrom("GET", "PUT", "DELETE"),
    fc.array(fc.record({ email: text, name: text, phone: text }, { requiredKeys: [] }), { maxLength: 3 }),
  )
  .map(([method, list]): Meant => ({
    method,
    path: "/certificates/contacts",
    ...(method === "PUT" ? { body: { contacts: list } } : {}),
  }));

export const certificates: Topic = {
  name: "certificates",
  prepare: [
    { method: "POST", path: "/certificates/a/import", body: { value: pemFiles[0] } },
    { method: "PUT", path: "/certificates/issuers/ca", body: { provider: "Test" } },
    {
      method: "POST",
      path: "/certificates/b/create",
      body: { policy: { key_props: { kty: "EC" }, x509_props: { subject: "CN=b" }, issuer: { name: "Unknown" } } },
    },
  ],
  grammar: fc.oneof(
    { weight: 3, arbitrary: created },
    { weight: 3, arbitrary: imported },
    { weight: 3, arbitrary: merged },
    { weight: 3, arbitrary: operation },
    { weight: 2, arbitrary: updated },
    { weight: 1, arbitrary: readPolicy },
    { weight: 2, arbitrary: issuer },
    { weight: 2, arbitrary: contacts },
    { weight: 8, arbitrary: commonGrammar("certificate") },
    { weight: 1, arbitrary: commonGrammar("secret") },
    { weight: 1, arbitrary: commonGrammar("key") },
    { weight: 1, arbitrary: fc.constant<Meant>({ method: "GET", path: "/certificates/issuers" }) },
    // A certificate's key, for what an import may have let in.
    {
      weight: 1,
      arbitrary: fc.constant<Meant>({
        method: "POST",
        path: "/keys/a/sign",
        body: { alg: "ES256", value: "A".repeat(43) },
      }),
    },
    {
      weight: 1,
      arbitrary: fc.constant<Meant>({
        method: "POST",
        path: "/keys/a/sign",
        body: { alg: "RS256", value: "A".repeat(43) },
      }),
    },
  ),
  reads: [
    "/certificates",
    "/deletedcertificates",
    "/certificates/a/versions",
    "/certificates/b/versions",
    "/secrets",
    "/keys",
    "/certificates/issuers",
    "/certificates/a",
    "/certificates/b/policy",
  ],
};
