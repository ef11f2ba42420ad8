import { execFileSync } from "node:child_process";
import { X509Certificate, createPublicKey } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { AsnConvert } from "@peculiar/asn1-schema";
import { Certificate } from "@peculiar/asn1-x509";
import { expect, test } from "vitest";
import { readExtensions } from "../../../local/vault/certificates/extensions.ts";
import type { X509Props } from "../../../local/vault/certificates/model.ts";
import { addMonths, createCertificate, createRequest, thumbprint } from "../../../local/vault/certificates/x509.ts";
import { day, start, tempDir } from "../support.ts";
import { chainOf, keyOf, kinds } from "./material.ts";

// Requests and certificates, looked at by OpenSSL.

const props: X509Props = {
  subject: "CN=orders, O=Contoso",
  sans: {
    emails: ["a@contoso.com"],
    dns_names: ["a.contoso.com", "*.contoso.com"],
    upns: ["ada@contoso.com"],
    uris: ["https://contoso.com/x"],
    ipAddresses: ["10.0.0.1", "2001:db8::1"],
  },
  ekus: ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.3"],
  key_usage: ["digitalSignature", "keyEncipherment", "decipherOnly"],
  validity_months: 12,
  basic_constraints: { ca: false },
};
const period = { from: start - day, until: addMonths(start, 12) };

const openssl = (...args: string[]) =>
  execFileSync("openssl", args, { encoding: "utf8", stdio: ["pipe", "pipe", "pipe"] });

const fileOf = (content: Buffer | string) => {
  const file = join(tempDir(), "file");
  writeFileSync(file, content);
  return file;
};

test.each(kinds)("a request is whole and signed: %s", (kind) => {
  const file = fileOf(createRequest(props, keyOf(kind)));
  const text = openssl("req", "-inform", "der", "-in", file, "-verify", "-noout", "-text");
  expect(text).toMatch(/Subject: O ?= ?Contoso, CN ?= ?orders/);
  expect(text).toContain("Digital Signature, Key Encipherment, Decipher Only");
  expect(text).toContain("TLS Web Server Authentication, Code Signing");
  expect(text).toContain(
    "email:a@contoso.com, DNS:a.contoso.com, DNS:*.contoso.com, othername: UPN::ada@contoso.com, URI:https://contoso.com/x, IP Address:10.0.0.1, IP Address:2001:DB8:0:0:0:0:0:1",
  );
  expect(text).toContain("CA:FALSE");
});

test.each(kinds)("a certificate verifies, and says what the policy says: %s", (kind) => {
  const key = keyOf(kind);
  const self = createCertificate(props, key, period);
  const x509 = new X509Certificate(self);
  expect(x509.publicKey.equals(createPublicKey(key))).toBe(true);
  expect(x509.verify(x509.publicKey)).toBe(true);
  expect([x509.validFromDate.getTime(), x509.validToDate.getTime()]).toEqual([period.from, period.until]);
  expect(thumbprint(self)).toBe(Buffer.from(x509.fingerprint.replaceAll(":", ""), "hex").toString("base64url"));
  const { ekus, key_usage, basic_constraints, sans } = props;
  expect(readExtensions(AsnConvert.parse(self, Certificate))).toEqual({ ekus, key_usage, basic_constraints, sans });
  const pem = fileOf(x509.toString());
  const args = ["-attime", String(start / 1000), "-CAfile"];
  expect(openssl("verify", ...args, pem, pem)).toContain("OK");
  const { leaf, intermediate, root } = chainOf(key, true);
  const [rootFile, middleFile, leafFile] = [root, intermediate!, leaf].map((der) =>
    fileOf(new X509Certificate(der).toString()),
  );
  expect(openssl("verify", ...args, rootFile!, "-untrusted", middleFile!, "-x509_strict", leafFile!)).toContain("OK");
});

test("serial numbers are positive and never the same", () => {
  const serials = Array.from(
    { length: 50 },
    () => new X509Certificate(createCertificate(props, keyOf("P-256"), period)).serialNumber,
  );
  expect(new Set(serials).size).toBe(50);
  for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9A-F]{31}$/);
});

test.each([
  ["2026-01-31", 1, "2026-02-28"],
  ["2024-01-31", 1, "2024-02-29"],
  ["2024-02-29", 12, "2025-02-28"],
  ["2026-08-31", 6, "2027-02-28"],
  ["2026-01-15", 12, "2027-01-15"],
  ["2026-12-31", 2, "2027-02-28"],
])("%s and %i months: %s", (from, months, until) => {
  const time = "T12:34:56.000Z";
  expect(new Date(addMonths(Date.parse(from + time), months)).toISOString()).toBe(until + time);
});
