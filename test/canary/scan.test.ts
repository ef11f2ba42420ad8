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
