import { X509Certificate } from "node:crypto";
import { rootCertificates } from "node:tls";
import { GeneralName } from "@peculiar/asn1-x509";
import { describe, expect, test } from "vitest";
import { checkCertificate, type CertificateCheck } from "../../src/certificates/check.ts";
import { findPath } from "../../src/certificates/path.ts";
import { readCertificate } from "../../src/certificates/read.ts";
import { clientAuth, day, directory, dns, keyOf, make, type Made, now, serverAuth, type Spec } from "./make.ts";
import { noOpenssl, opensslReason, opensslVerify } from "./openssl.ts";

const root = make({ subject: "CN=Root", key: keyOf("P-384", 0), ca: true });
const middle = make({ subject: "CN=Middle", key: keyOf("P-384", 1), by: root, ca: true, pathLength: 0 });
const leafSpec: Spec = {
  subject: "CN=www.contoso.com",
  key: keyOf("rsa-2048", 2),
  by: middle,
  names: ["www.contoso.com", "contoso.com"],
  usages: [serverAuth],
};
const jwkOf = ({ key }: Made) => readJwk(key.export({ format: "jwk" }));
const readJwk = ({ kty = "", n, e, crv, x, y }: Record<string, unknown>) =>
  Object.fromEntries(Object.entries({ kty, n, e, crv, x, y }).filter(([, v]) => v !== undefined)) as Record<
    string,
    string
  >;

async function failed(leaf: Made, more: Partial<CertificateCheck> = {}): Promise<readonly string[]> {
  const proofs = await checkCertificate({
    leaf: leaf.der,
    chain: [middle.der],
    roots: [root.pem],
    wanted: { names: ["contoso.com", "www.contoso.com"], usages: [serverAuth], key: { type: "RSA", size: 2048 } },
    key: jwkOf(make(leafSpec)),
    now,
    policy: { longest: 90 * day, remaining: 30 * day },
    ...more,
  });
  return proofs.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`);
}

test("a sound certificate holds all of its proofs", async () => {
  expect(await failed(make(leafSpec))).toEqual([]);
});

const other = make({ subject: "CN=Root", key: keyOf("P-384", 9), ca: true });
const elsewhere = make({ subject: "CN=Elsewhere", key: keyOf("P-384", 8), ca: true });
const constrained = (more: Partial<Spec>) =>
  make({ subject: "CN=Middle", key: keyOf("P-384", 1), by: root, ca: true, ...more });

test.each<readonly [string, Partial<Spec>, Partial<CertificateCheck>, RegExp]>([
  ["a name that is missing", { names: ["contoso.com"] }, {}, /its names .* missing: www\.contoso\.com$/],
  [
    "a name too many",
    { names: ["a.contoso.com", "contoso.com", "www.contoso.com"] },
    {},
    /not asked for: a\.contoso\.com$/,
  ],
  ["a wildcard instead of a name", { names: ["contoso.com", "*.contoso.com"] }, {}, /its names.* missing: www/],
  ["no names at all", { names: [] }, {}, /its names .* missing: contoso\.com, www\.contoso\.com$/],
  ["an expired leaf", { until: now - day }, {}, /has expired on 2026-11-25T12:00:00Z/],
  ["a leaf from the future", { from: now + day }, {}, /is not valid before/],
  ["too long a life", { from: now - 40 * day }, {}, /the policy allows 90\.00 days/],
  ["too short a rest", { until: now + 29 * day }, {}, /29\.00 days more, and the policy asks for 30\.00 days/],
  ["another key", { key: keyOf("rsa-2048", 5) }, {}, /^the certificate is for the key in the vault/],
  ["a key of another type", { key: keyOf("P-256", 5) }, {}, /the key in the vault/],
  ["a key of another size", { key: keyOf("P-256", 5) }, {}, /EC P-256 instead of RSA 2048/],
  ["a use that is missing", { usages: [clientAuth] }, {}, /the extended key usage lacks 1\.3\.6\.1\.5\.5\.7\.3\.1/],
  ["no extended key usage", { usages: [] }, {}, /the extended key usage lacks/],
  ["a key that may not sign", { keyUsage: ["keyEncipherment"] }, {}, /lacks digitalSignature/],
  ["an authority as leaf", { ca: true, keyUsage: ["digitalSignature"] }, {}, /it is a certificate authority/],
  ["SHA-1", { hash: "sha1" }, {}, /its algorithms .* SHA-1/],
  ["MD5", { by: { ...middle, key: keyOf("rsa-2048", 7) }, hash: "md5" }, {}, /its algorithms .* MD5/],
  ["RSA of 1024 bits", { key: keyOf("rsa-1024") }, {}, /its algorithms .* 1024 bits/],
  ["another root of the same name", {}, { roots: [other.pem] }, /neither in the chain nor trusted/],
  ["a root that is elsewhere", {}, { roots: [elsewhere.pem] }, /the issuer of CN=Middle, CN=Root, is neither/],
  [
    "a signature of somebody else",
    { by: { ...middle, key: keyOf("P-384", 70) }, authorityKeyId: "none" },
    {},
    /CN=Middle, is neither/,
  ],
  [
    "an address too many",
    { others: [new GeneralName({ iPAddress: "10.0.0.1" })] },
    {},
    /its names .* not asked for: 10\.0\.0\.1$/,
  ],
  [
    "a constrained form of name that cannot be compared",
    { others: [new GeneralName({ registeredID: "1.2.3" })] },
    { chain: [constrained({ excluded: [new GeneralName({ registeredID: "1.2.4" })] }).der] },
    /registeredID cannot be told/,
  ],
  ["a root that is public only", {}, { roots: "system" }, /is neither in the chain nor trusted/],
  ["a missing intermediate", {}, { chain: [] }, /the issuer of CN=www\.contoso\.com, CN=Middle, is neither/],
  ["an intermediate as the only root", {}, { roots: [middle.pem] }, /the issuer of CN=Middle, CN=Root, is neither/],
  ["an expired intermediate", {}, { chain: [constrained({ until: now - day }).der] }, /CN=Middle has expired/],
  ["a weak intermediate", {}, { chain: [constrained({ hash: "sha1" }).der] }, /CN=Middle is signed over SHA-1/],
  [
    "an intermediate that is none",
    {},
    { chain: [constrained({ ca: false }).der] },
    /CN=Middle is no certificate authority/,
  ],
  ["one that may not sign", {}, { chain: [constrained({ keyUsage: ["cRLSign"] }).der] }, /may not sign certificates/],
  ["one for clients only", {}, { chain: [constrained({ usages: [clientAuth] }).der] }, /is limited to other uses/],
  [
    "one for other names",
    {},
    { chain: [constrained({ permitted: [dns("fabrikam.com")] }).der] },
    /contoso\.com is not permitted/,
  ],
  [
    "one not for this name",
    {},
    { chain: [constrained({ excluded: [dns("www.contoso.com")] }).der] },
    /www\.contoso\.com is excluded/,
  ],
  [
    "a critical extension that nobody knows",
    { unknownCritical: true },
    {},
    /critical extensions that are not known: 1\.2\.3\.4\.5/,
  ],
  ["a self-signed one", { by: undefined as never }, {}, /signs itself, and the policy does not allow that/],
])("%s is found", async (_name, spec, more, expected) => {
  const { by, ...rest } = { ...leafSpec, ...spec };
  const found = await failed(make(by === undefined ? rest : { ...rest, by }), more);
  expect(found.join("\n")).toMatch(new RegExp(expected.source, "m"));
});

test("path length: an authority too many", async () => {
  const lower = make({ subject: "CN=Lower", key: keyOf("P-256", 3), by: middle, ca: true });
  const leaf = make({ ...leafSpec, by: lower });
  expect(await failed(leaf, { chain: [lower.der, middle.der] })).toEqual([
    expect.stringMatching(/CN=Middle allows 0 authorities below it, and there are 1/),
  ]);
  const free = constrained({});
  expect(await failed(leaf, { chain: [free.der, lower.der] })).toEqual([]);
});

test("an authority's new key, certified by its old one, counts neither for the path length nor for the constraints", async () => {
  for (const more of [{ pathLength: 0 }, { excluded: [directory("CN=Middle")] }]) {
    const old = constrained(more);
    const renewed = make({ subject: "CN=Middle", key: keyOf("P-256", 31), by: old, ca: true });
    const leaf = make({ ...leafSpec, by: renewed });
    expect(await failed(leaf, { chain: [old.der, renewed.der] })).toEqual([]);
  }
});

test("a wildcard that stands for an excluded host", async () => {
  const chain = [constrained({ excluded: [dns("admin.contoso.com")] }).der];
  const names = ["*.contoso.com"];
  const wanted = { names, usages: [serverAuth], key: { type: "RSA", size: 2048 } } as const;
  expect(await failed(make({ ...leafSpec, names }), { chain, wanted })).toEqual([
    expect.stringMatching(/\*\.contoso\.com is excluded/),
  ]);
});

test("a self-signed one is sound where the policy allows it, but for everything else", async () => {
  const { by: _by, ...spec } = leafSpec;
  const policy = { selfSigned: true };
  expect(await failed(make(spec), { policy, chain: [] })).toEqual([]);
  expect(await failed(make({ ...spec, hash: "sha1", until: now - day }), { policy, chain: [] })).toHaveLength(2);
  // One that only says so: its signature is somebody else's.
  const liar = make({ ...spec, by: { ...make(spec), key: keyOf("rsa-2048", 6) }, authorityKeyId: "none" });
  expect(await failed(liar, { policy, chain: [] })).toEqual([
    expect.stringMatching(/^the chain ends at a trusted root/),
  ]);
});

test("ten minutes of difference between clocks are allowed, more are not", async () => {
  const minute = 60_000;
  const policy = {};
  expect(await failed(make({ ...leafSpec, from: now + 9 * minute }), { policy })).toEqual([]);
  expect(await failed(make({ ...leafSpec, from: now + 11 * minute }), { policy })).toHaveLength(2);
  expect(await failed(make({ ...leafSpec, until: now - 9 * minute }), { policy })).toEqual([]);
  expect(await failed(make({ ...leafSpec, until: now - 11 * minute }), { policy })).toHaveLength(2);
});

test("the chain's order, doubles and strangers in it do not matter; one bad way does not hide a good one", async () => {
  const expired = constrained({ until: now - day });
  const chain = [other, root, elsewhere, expired, middle, middle].map(({ der }) => der);
  expect(await failed(make(leafSpec), { chain })).toEqual([]);
  expect(await failed(make(leafSpec), { chain: [make(leafSpec).der, ...chain.reverse()] })).toEqual([]);
});

test("roots and chain may be several in one PEM text, with words between them", async () => {
  const bundle = `# Roots\n${elsewhere.pem}\n# Contoso\n${root.pem}`;
  expect(await failed(make(leafSpec), { roots: [bundle], chain: [other.pem + middle.pem] })).toEqual([]);
  await expect(failed(make(leafSpec), { roots: ["# none"] })).rejects.toMatchObject({ code: "CERTIFICATE_MALFORMED" });
});

test("the vault's key with leading zeros is the same key; one of another type is not", async () => {
  const jwk = jwkOf(make(leafSpec));
  const padded = Buffer.concat([Buffer.from([0]), Buffer.from(jwk["n"]!, "base64url")]).toString("base64url");
  expect(await failed(make(leafSpec), { key: { ...jwk, n: padded, kty: "RSA-HSM" } })).toEqual([]);
  expect(await failed(make(leafSpec), { key: { kty: "EC" } })).toHaveLength(1);
});

test("a chain that is made to keep a verifier busy ends soon", async () => {
  // Twelve authorities of one name that all sign each other: more paths than atoms in a stone.
  const keys = Array.from({ length: 12 }, (_, n) => keyOf("P-256", 200 + n));
  const ring = keys.flatMap((key) =>
    keys.map((by) =>
      make({
        subject: "CN=Loop",
        key,
        by: { ...root, key: by, spec: { subject: "CN=Loop" } },
        ca: true,
        authorityKeyId: "none",
      }),
    ),
  );
  const leaf = make({ ...leafSpec, by: ring[0]!, authorityKeyId: "none" });
  const from = performance.now();
  const found = await failed(leaf, { chain: ring.map(({ der }) => der) });
  expect(found).toHaveLength(1);
  expect(performance.now() - from).toBeLessThan(5_000);
});

test("what is no certificate is said to be none", async () => {
  for (const leaf of [
    "",
    "nonsense",
    Buffer.alloc(20),
    make(leafSpec).der.subarray(0, 200),
    make({ ...leafSpec, twice: true }).der,
  ])
    await expect(failed({ ...make(leafSpec), der: leaf as Buffer })).rejects.toMatchObject({
      code: "CERTIFICATE_MALFORMED",
    });
});

test("what is read is what node and Azure show", () => {
  const made = make({
    ...leafSpec,
    names: ["WWW.contoso.com", "www.contoso.com"],
    ocsp: "http://o/",
    crl: "http://c/",
  });
  const x509 = new X509Certificate(made.der);
  expect(readCertificate(made.pem)).toMatchObject({
    subject: "CN=www.contoso.com",
    issuer: "CN=Middle",
    names: ["www.contoso.com"],
    sha1: x509.fingerprint.replaceAll(":", ""),
    sha256: x509.fingerprint256.replaceAll(":", "").toLowerCase(),
    serial: x509.serialNumber.toLowerCase(),
    notBefore: now - 30 * day,
    notAfter: now + 60 * day,
    key: { type: "RSA", size: 2048 },
    signature: { type: "EC", hash: "SHA-256" },
    keyUsage: ["digitalSignature"],
    usages: [serverAuth],
    ca: false,
    ocsp: ["http://o/"],
    crls: ["http://c/"],
  });
});

test("every public root ends a path, by itself", () => {
  const faults = rootCertificates.map((pem) => {
    const leaf = readCertificate(pem);
    return findPath({ leaf, chain: [], roots: "system", now, usages: [] }).faults.filter(
      (f) => !/signed over SHA-1|expired/.test(f),
    );
  });
  expect(faults.flat()).toEqual([]);
});

describe.skipIf(noOpenssl)(`openssl says the same of this file's own chain${opensslReason}`, () => {
  test.each(["www.contoso.com", "contoso.com"])("%s", async (name) => {
    const verdict = await opensslVerify({ leaf: make(leafSpec).pem, chain: middle.pem, roots: root.pem, name, now });
    expect(verdict.out).toContain("OK");
  });
});
