import { generateKeyPairSync } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { afterAll, expect, it } from "vitest";
import { filesBelow, scan } from "../../local/canary/scan.ts";

const secret = 'aB3+/="\\q~Z9kLmNoP';
const folder = mkdtempSync(join(tmpdir(), "pinion-canary-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const base64 = (before: string, after: string) => Buffer.from(`${before}${secret}${after}`).toString("base64");
const planted: Readonly<Record<string, string | Buffer>> = {
  raw: `before ${secret} after`,
  "JSON-escaped": JSON.stringify({ password: secret }),
  "every character escaped": Array.from(secret)
    .map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join(""),
  "UTF-16 little endian": Buffer.from(`x${secret}y`, "utf16le"),
  "UTF-16 big endian": Buffer.from(`x${secret}y`, "utf16le").swap16(),
  "base64, aligned": base64("", ""),
  "base64, one before": base64("a", "tail"),
  "base64, two before": base64("ab", "tail"),
  "base64, three before": base64("abc", "t"),
  base64url: Buffer.from(`{"p":"${secret}"}`).toString("base64url"),
  "base64 of UTF-16": Buffer.from(`pq${secret}r`, "utf16le").toString("base64"),
  hex: Buffer.from(secret).toString("hex"),
  "upper-case hex": Buffer.from(secret).toString("hex").toUpperCase(),
  "URL-encoded": `https://host/?p=${encodeURIComponent(secret)}&x=1`,
  "connection string": `Host=db;Username=app;Password=${secret};Database=x`,
  "URL with user": `postgres://app:${encodeURIComponent(secret)}@host/db`,
  reversed: Array.from(secret).reverse().join(""),
  gzip: gzipSync(`{"value":"${secret}"}`),
  "gzip behind other blobs": Buffer.concat([
    Buffer.from("some blob"),
    gzipSync(Buffer.from(secret, "utf16le")),
    Buffer.from("more"),
  ]),
  deflate: deflateSync(secret),
  "raw deflate": deflateRawSync(`xx${secret}`),
  brotli: brotliCompressSync(secret),
};

it.each(Object.entries(planted))("finds a planted leak: %s", (_name, content) => {
  const found = scan([{ name: "planted", content: Buffer.from(content) }], ["not this one", secret]);
  expect(found.map(({ secret: which }) => which)).toContain(1);
  expect(found.every(({ secret: which }) => which === 1)).toBe(true);
  expect(JSON.stringify(found)).not.toContain(secret);
});

const keys = {
  EC: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  RSA: generateKeyPairSync("rsa", { modulusLength: 2048 }),
};
const numbersOf = ({ privateKey }: { privateKey: KeyObject }): Buffer[] => {
  const { d, p, q } = privateKey.export({ format: "jwk" });
  return [d, p, q].filter((number) => number !== undefined).map((number) => Buffer.from(number, "base64url"));
};
const writtenBy: Readonly<Record<string, (key: KeyObject) => string | Buffer>> = {
  "PKCS#8 as PEM": (key) => key.export({ type: "pkcs8", format: "pem" }),
  "the same in JSON": (key) => JSON.stringify({ value: key.export({ type: "pkcs8", format: "pem" }) }),
  "the type's own PEM": (key) => key.export({ type: key.asymmetricKeyType === "ec" ? "sec1" : "pkcs1", format: "pem" }),
  "PKCS#8 as DER, in the midst of a file": (key) =>
    Buffer.concat([Buffer.from("x"), key.export({ type: "pkcs8", format: "der" }), Buffer.from("y")]),
  "base64 of that, as a PFX file in a secret": (key) =>
    Buffer.concat([Buffer.from("ab"), key.export({ type: "pkcs8", format: "der" })]).toString("base64"),
  "a JWK": (key) => JSON.stringify(key.export({ format: "jwk" })),
  hex: (key) => key.export({ type: "pkcs8", format: "der" }).toString("hex"),
  "gzip of PEM": (key) => gzipSync(key.export({ type: "pkcs8", format: "pem" })),
};

it.each(Object.keys(writtenBy).flatMap((how) => (["EC", "RSA"] as const).map((type) => [how, type] as const)))(
  "finds a private key as %s (%s)",
  (how, type) => {
    const content = Buffer.from(writtenBy[how]!(keys[type].privateKey));
    const others = numbersOf(generateKeyPairSync("ec", { namedCurve: "P-256" }));
    const found = scan([{ name: "planted", content }], [...others, ...numbersOf(keys[type])]);
    expect(found.length).toBeGreaterThan(0);
    expect(found.every(({ secret: which }) => which > 0)).toBe(true);
  },
);

it("takes a public key for none, and refuses a number that would be everywhere", () => {
  const content = Buffer.concat(
    Object.values(keys).flatMap(({ publicKey }) => [
      publicKey.export({ type: "spki", format: "der" }),
      Buffer.from(publicKey.export({ type: "spki", format: "pem" })),
      Buffer.from(JSON.stringify(publicKey.export({ format: "jwk" }))),
    ]),
  );
  expect(scan([{ name: "public", content }], Object.values(keys).flatMap(numbersOf))).toEqual([]);
  expect(() => scan([], [Buffer.alloc(7)])).toThrow(RangeError);
});

it("finds nothing where nothing is, and refuses a canary that would be everywhere", () => {
  const near = `${secret.slice(0, -1)}X ${secret.slice(1)}`;
  expect(scan([{ name: "clean", content: Buffer.from(near) }], [secret])).toEqual([]);
  expect(() => scan([], ["short"])).toThrow(RangeError);
});

it("reads every file below a folder, but the excepted ones", () => {
  mkdirSync(join(folder, "deep/vaults"), { recursive: true });
  writeFileSync(join(folder, "deep/log"), secret);
  writeFileSync(join(folder, "deep/vaults/journal"), secret);
  const found = scan(
    filesBelow(folder, (path) => path.startsWith("deep/vaults/")),
    [secret],
  );
  expect(found.map(({ place }) => place)).toEqual(["deep/log"]);
});
