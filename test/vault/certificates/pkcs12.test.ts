import { execFileSync } from "node:child_process";
import { createPrivateKey, generateKeyPairSync, randomBytes } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createSecureContext } from "node:tls";
import { expect, test } from "vitest";
import { readContent, secretValue } from "../../../local/vault/certificates/content.ts";
import { pemType, pkcs12Type } from "../../../local/vault/certificates/model.ts";
import { children, encode, octets, parse, string } from "../../../local/vault/certificates/der.ts";
import { writePem } from "../../../local/vault/certificates/pem.ts";
import { readPkcs12, writePkcs12 } from "../../../local/vault/certificates/pkcs12.ts";
import { tempDir } from "../support.ts";
import { chainOf, keyOf, kinds } from "./material.ts";

// PFX files against OpenSSL, both ways.

const openssl = (args: readonly string[]) =>
  execFileSync("openssl", args, { encoding: "utf8", stdio: ["pipe", "pipe", "pipe"] });
const pkcs8 = (key: KeyObject) => key.export({ format: "der", type: "pkcs8" });

function madeByOpenssl(password: string, options: readonly string[], kind: (typeof kinds)[number] = "rsa") {
  const dir = tempDir();
  const key = keyOf(kind);
  const { leaf, root } = chainOf(key);
  writeFileSync(join(dir, "in.pem"), writePem({ key: pkcs8(key), certificates: [leaf, root] }));
  openssl([
    "pkcs12",
    "-export",
    "-in",
    join(dir, "in.pem"),
    "-out",
    join(dir, "a.pfx"),
    "-passout",
    `pass:${password}`,
    ...options,
  ]);
  return { pfx: readFileSync(join(dir, "a.pfx")), key, leaf, root };
}

test.each([
  ["AES-256 with a MAC of SHA-256", []],
  ["AES-128", ["-keypbe", "AES-128-CBC", "-certpbe", "AES-192-CBC"]],
  ["3DES and RC2-40 with a MAC of SHA-1", ["-legacy"]],
  ["RC2-128", ["-legacy", "-certpbe", "PBE-SHA1-RC2-128", "-keypbe", "PBE-SHA1-RC2-128"]],
  ["3DES alone", ["-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1"]],
  ["two-key 3DES", ["-certpbe", "PBE-SHA1-2DES", "-keypbe", "PBE-SHA1-2DES", "-macalg", "sha384"]],
  ["3DES by PBKDF2", ["-certpbe", "DES-EDE3-CBC", "-keypbe", "DES-EDE3-CBC", "-macalg", "sha512"]],
  ["no encryption", ["-certpbe", "NONE", "-keypbe", "NONE"]],
  ["no MAC", ["-nomac"]],
])("reads what OpenSSL writes: %s", (_, options) => {
  for (const password of ["Pässword €", "", "x".repeat(100)]) {
    const { pfx, key, leaf, root } = madeByOpenssl(password, options);
    const read = readPkcs12(pfx, password);
    expect(read.keys.map((der) => createPrivateKey({ key: der, format: "der", type: "pkcs8" }).equals(key))).toEqual([
      true,
    ]);
    expect(read.certificates).toEqual([leaf, root]);
    if (options[0] !== "-nomac") expect(() => readPkcs12(pfx, `${password}x`)).toThrow(Error);
  }
});

test.each(kinds)("OpenSSL and Node's TLS read what is written: %s", (kind) => {
  const dir = tempDir();
  const key = keyOf(kind);
  const { leaf, root } = chainOf(key);
  const pfx = writePkcs12({ key: pkcs8(key), certificates: [leaf, root] });
  writeFileSync(join(dir, "a.pfx"), pfx);
  const out = openssl(["pkcs12", "-in", join(dir, "a.pfx"), "-passin", "pass:", "-nodes"]);
  expect(out.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
  expect(createPrivateKey(/-----BEGIN PRIVATE KEY[^]*END PRIVATE KEY-----/.exec(out)![0]).equals(key)).toBe(true);
  expect(() => createSecureContext({ pfx, passphrase: "" })).not.toThrow();
  expect(readPkcs12(pfx, "").certificates).toEqual([leaf, root]);
});

test("a file without a key holds the certificates alone", () => {
  const { leaf, root } = chainOf(keyOf("P-256"));
  const dir = tempDir();
  const pfx = writePkcs12({ certificates: [leaf, root] });
  writeFileSync(join(dir, "a.pfx"), pfx);
  const out = openssl(["pkcs12", "-in", join(dir, "a.pfx"), "-passin", "pass:", "-nodes"]);
  expect(out).not.toContain("PRIVATE KEY");
  expect(readPkcs12(pfx, "")).toEqual({ keys: [], certificates: [leaf, root] });
});

test("reads BER: lengths left open, and strings in pieces, as Java and browsers write them", () => {
  const key = keyOf("P-256");
  const { leaf, root } = chainOf(key);
  const [version, safe, mac] = children(parse(writePkcs12({ key: pkcs8(key), certificates: [leaf, root] })));
  const content = octets(children(children(safe)[1])[0]);
  const open = (tag: number, ...parts: Buffer[]) =>
    Buffer.concat([Buffer.from([tag, 0x80]), ...parts, Buffer.from([0, 0])]);
  const pieces = [content.subarray(0, 100), content.subarray(100)].map((piece) => encode(string(piece)));
  const file = open(
    0x30,
    encode(version!),
    open(0x30, encode(children(safe)[0]!), open(0xa0, open(0x24, ...pieces))),
    encode(mac!),
  );
  expect(readPkcs12(file, "").certificates).toEqual([leaf, root]);
});

test("a damaged file is refused, wherever the damage is", () => {
  const key = keyOf("P-256");
  const pfx = writePkcs12({ key: pkcs8(key), certificates: [chainOf(key).leaf] });
  for (let at = 0; at < pfx.length; at += 31) {
    const damaged = Buffer.from(pfx);
    damaged[at]! ^= 0x55;
    try {
      readPkcs12(damaged, "");
    } catch (error) {
      expect(error).toBeInstanceOf(Error);
    }
    expect(() => readPkcs12(pfx.subarray(0, at), "")).toThrow(Error);
  }
  for (const bytes of [Buffer.alloc(0), Buffer.from("garbage"), Buffer.alloc(5000, 0x30), randomBytes(500)]) {
    expect(() => readPkcs12(bytes, "")).toThrow(Error);
  }
});

test("a file that asks for too much work is refused at once", () => {
  const { pfx } = madeByOpenssl("p", ["-iter", "650000"]);
  const since = performance.now();
  expect(() => readPkcs12(pfx, "p")).toThrow("Too many rounds.");
  expect(performance.now() - since).toBeLessThan(1000);
});

test.each([pkcs12Type, pemType] as const)("a secret's value can be imported again: %s", (type) => {
  const key = keyOf("P-384");
  const { leaf, intermediate, root } = chainOf(key, true);
  const dir = tempDir();
  writeFileSync(join(dir, "a.pem"), writePem({ key: pkcs8(key), certificates: [root, intermediate!, leaf] }));
  const material = readContent(readFileSync(join(dir, "a.pem"), "utf8"), pemType, "", false);
  expect(
    material.certificates.map(({ raw }) => raw),
    "the leaf first, its issuers after it",
  ).toEqual([leaf, intermediate, root]);
  const again = readContent(secretValue(material, type, true), type, "", false);
  expect(again.key.equals(key)).toBe(true);
  expect(again.certificates.map(({ raw }) => raw)).toEqual([leaf, intermediate, root]);
  expect(() => readContent(secretValue(material, type, false), type, "", false)).toThrow(
    "Private key is not specified",
  );
  const kept = readContent(readFileSync(join(dir, "a.pem"), "utf8"), pemType, "", true);
  expect(kept.certificates.map(({ raw }) => raw)).toEqual([root, intermediate, leaf]);
  expect(kept.leaf.raw).toEqual(leaf);
});

test("PEM: PKCS#8 only, encrypted with the password given", () => {
  const key = keyOf("rsa");
  const { leaf } = chainOf(key);
  const certificate = writePem({ certificates: [leaf] });
  const encrypted = String(key.export({ format: "pem", type: "pkcs8", cipher: "aes-256-cbc", passphrase: "secret" }));
  expect(readContent(`${certificate}${encrypted}`, pemType, "secret", false).key.equals(key)).toBe(true);
  expect(() => readContent(`${certificate}${encrypted}`, pemType, "wrong", false)).toThrow("can not be read");
  const pkcs1 = String(key.export({ format: "pem", type: "pkcs1" }));
  expect(() => readContent(`${certificate}${pkcs1}`, pemType, "", false)).toThrow("Private key is not specified");
  expect(() => readContent(encrypted, pemType, "secret", false)).toThrow("unexpected format");
  const other = writePem({ key: pkcs8(keyOf("P-256")), certificates: [] });
  expect(() => readContent(`${other}${certificate}`, pemType, "", false)).toThrow("does not match");
  const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey;
  expect(() => readContent(writePem({ key: pkcs8(weak), certificates: [leaf] }), pemType, "", false)).toThrow("2048");
});
