import { AttributeTypeAndValue, AttributeValue, Name, RelativeDistinguishedName } from "@peculiar/asn1-x509";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { makePolicy, patchPolicy, showPolicy } from "../../../local/vault/certificates/policy.ts";
import { formatSubject, parseSubject } from "../../../local/vault/certificates/subject.ts";
import { start } from "../support.ts";

const latest = "2026-04-01";
const make = (given: object, apiVersion = latest) =>
  makePolicy({ x509_props: { subject: "CN=a" }, ...given }, apiVersion, start);

test("defaults are the service's", () => {
  expect(make({})).toStrictEqual({
    key_props: { exportable: true, kty: "RSA", key_size: 2048, reuse_key: false },
    secret_props: { contentType: "application/x-pkcs12" },
    x509_props: {
      subject: "CN=a",
      ekus: ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"],
      key_usage: ["digitalSignature", "keyEncipherment"],
      validity_months: 12,
      basic_constraints: { ca: false },
    },
    lifetime_actions: [{ trigger: { lifetime_percentage: 80 }, action: { action_type: "EmailContacts" } }],
    issuer: { name: "Unknown" },
    enabled: true,
    created: start,
    updated: start,
  });
  expect(make({ issuer: { name: "self" } })).toMatchObject({
    issuer: { name: "Self" },
    lifetime_actions: [{ action: { action_type: "AutoRenew" } }],
  });
});

test.each([
  [{ kty: "EC" }, { kty: "EC", key_size: 256, crv: "P-256" }],
  [{ crv: "P-384" }, { kty: "EC", key_size: 384, crv: "P-384" }],
  [
    { kty: "EC", key_size: 521 },
    { kty: "EC", key_size: 521, crv: "P-521" },
  ],
  [
    { kty: "EC", crv: "P-256K" },
    { kty: "EC", key_size: 256, crv: "P-256K" },
  ],
  [{ key_size: 4096 }, { kty: "RSA", key_size: 4096 }],
  [
    { kty: "RSA", exportable: false, reuse_key: true },
    { kty: "RSA", key_size: 2048, exportable: false, reuse_key: true },
  ],
])("keys: %j", (given, props) => {
  expect(make({ key_props: given }).key_props).toStrictEqual({ exportable: true, reuse_key: false, ...props });
});

test("a patch keeps what it does not name, and null names nothing", () => {
  const sans = { dns_names: ["a.contoso.com"] };
  const before = make({
    x509_props: { subject: "CN=a", sans, key_usage: ["crlSign"], validity_months: 24 },
    key_props: { kty: "EC", crv: "P-384" },
    issuer: { name: "Self", cty: "x" },
    lifetime_actions: [{ trigger: { days_before_expiry: 648 }, action: { action_type: "emailcontacts" } }],
  });
  expect(before.x509_props.key_usage, "in the words of the service").toEqual(["cRLSign"]);
  const nothing = { key_props: {}, x509_props: { subject: null, sans: {} }, issuer: null, lifetime_actions: null };
  expect(patchPolicy(before, nothing, latest, start + 5000)).toStrictEqual({ ...before, updated: start + 5000 });
  const patched = patchPolicy(before, { x509_props: { ekus: [] }, key_props: { kty: "RSA" } }, latest, start);
  expect(patched).toStrictEqual({
    ...before,
    x509_props: { ...before.x509_props, ekus: [] },
    key_props: { exportable: true, kty: "RSA", key_size: 2048, reuse_key: false },
  });
  const shorter = () => patchPolicy(before, { x509_props: { validity_months: 23 } }, latest, start);
  expect(shorter, "648 days are more than 23 months of 27 days").toThrow("days_before_expiry must be from 1 to 621");
});

test("older versions of the protocol neither set nor show URIs and addresses", () => {
  const x509_props = { sans: { emails: ["a@contoso.com"], uris: ["urn:x"], ipAddresses: ["::1"] } };
  const policy = make({ x509_props });
  expect(policy.x509_props.sans).toEqual(x509_props.sans);
  const sans = (shown: ReturnType<typeof showPolicy>) => (shown["x509_props"] as { sans: object }).sans;
  expect(sans(showPolicy(policy, "id", "7.6"))).toEqual({ emails: ["a@contoso.com"] });
  expect(sans(showPolicy(policy, "id", "2025-06-01-preview"))).toEqual(x509_props.sans);
  expect(make({ x509_props }, "7.6").x509_props.sans).toEqual({ emails: ["a@contoso.com"] });
  expect(() => make({ x509_props: { sans: { uris: ["urn:x"] } } }, "7.6")).toThrow("neither a subject nor");
});

test.each([
  ["cn=MyCert", "CN=MyCert"],
  ["CN=a, O=b; C=US", "CN=a, O=b, C=US"],
  [' CN = "a, b" ', 'CN="a, b"'],
  ["CN=a\\, b", 'CN="a, b"'],
  ['CN="a ""b"""', 'CN="a ""b"""'],
  ["E=a@b.c, ST=WA, CN=x", "E=a@b.c, S=WA, CN=x"],
  ["OID.1.2.3.4=x, 2.5.4.10=y", "OID.1.2.3.4=x, O=y"],
  ["CN=a+OU=b, O=c", "CN=a + OU=b, O=c"],
  ["CN=\\c3\\bc", "CN=ü"],
  ["CN=a=b", 'CN="a=b"'],
  ["CN=*.contoso.com", "CN=*.contoso.com"],
])("X.500 name %s", (text, shown) => {
  expect(formatSubject(parseSubject(text)!)).toBe(shown);
  expect(formatSubject(parseSubject(shown)!), "and back").toBe(shown);
});

test.each([
  "",
  "Self",
  "CN",
  "CN=",
  "=a",
  "CN=a,",
  "CN=a,,O=b",
  "CN=a+",
  'CN="a',
  "FOO=b",
  "CN=\\ff",
  "1.999.4=x",
  "CN=a\\",
  `CN=${"a".repeat(5000)}`,
])("no X.500 name: %.20s", (text) => {
  expect(parseSubject(text)).toBeUndefined();
});

test("a name of any length is judged at once", () => {
  const since = performance.now();
  for (const text of [
    `CN=${" ".repeat(4000)}"`,
    `CN=${"a ".repeat(2000)}"`,
    "CN=a, ".repeat(600),
    `CN=${"\\".repeat(4001)}`,
  ]) {
    expect(parseSubject(text)).toBeUndefined();
  }
  expect(performance.now() - since).toBeLessThan(1000);
});

test("any value of a name comes back from its text", () => {
  const value = fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }).filter((text) => text.isWellFormed());
  const pair = fc.tuple(fc.constantFrom("2.5.4.3", "2.5.4.10", "1.2.3.4"), value);
  fc.assert(
    fc.property(fc.array(pair, { minLength: 1, maxLength: 4 }), (pairs) => {
      const name = new Name(
        pairs.map(
          ([type, text]) =>
            new RelativeDistinguishedName([
              new AttributeTypeAndValue({ type, value: new AttributeValue({ utf8String: text }) }),
            ]),
        ),
      );
      const back = [...parseSubject(formatSubject(name))!].map(([attribute]) => [
        attribute!.type,
        attribute!.value.toString(),
      ]);
      expect(back).toEqual(pairs);
    }),
    {
      numRuns: 500,
      examples: [
        [
          [
            ["2.5.4.3", "\\ "],
            ["2.5.4.3", " "],
          ],
        ],
      ],
    },
  );
});
