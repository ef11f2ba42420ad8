import { execFileSync, spawnSync } from "node:child_process";
import type { KeyObject } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const dir = mkdtempSync(join(tmpdir(), "pinion-private-ca-"));
process.on("exit", () => rmSync(dir, { recursive: true, force: true }));

let count = 0;

/** A file that lives as long as the tests. */
export function file(content: string | Uint8Array, name = "file"): string {
  const path = join(dir, `${(count += 1)}-${name}`);
  writeFileSync(path, content);
  return path;
}

export const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;

const openssl = (...args: readonly string[]): string =>
  execFileSync("openssl", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

const pemOf = (key: KeyObject) => file(key.export({ format: "pem", type: "pkcs8" }), "key.pem");

/** Sections of an OpenSSL configuration: the subject as `/CN=...`, and extensions one a line. */
const config = (extensions: readonly string[]) =>
  file(`[req]\ndistinguished_name=dn\nprompt=no\n[dn]\nCN=unused\n[ext]\n${extensions.join("\n")}\n`, "openssl.cnf");

export interface Made {
  readonly pem: string;
  readonly key: KeyObject;
}

const authority = (more: readonly string[] = []) => [
  "basicConstraints=critical,CA:TRUE",
  "keyUsage=critical,keyCertSign,cRLSign",
  "subjectKeyIdentifier=hash",
  ...more,
];

/** A certificate as the extensions say; without `by` it signs itself. Later extensions of one name replace earlier ones. */
export function makeAuthority(
  key: KeyObject,
  subject: string,
  { days = 3650, by, extensions = [] }: { days?: number; by?: Made; extensions?: readonly string[] } = {},
): Made {
  const names = new Set(extensions.map((line) => line.split("=")[0]));
  const lines = [...authority().filter((line) => !names.has(line.split("=")[0])), ...extensions].filter(
    (line) => !line.endsWith("="),
  );
  const cnf = config(lines);
  const common = ["-config", cnf, "-subj", subject, "-sha256", "-key", pemOf(key)];
  if (by === undefined) {
    return { key, pem: openssl("req", "-x509", "-new", "-extensions", "ext", "-days", String(days), ...common) };
  }
  const csr = file(openssl("req", "-new", ...common));
  const above = ["-CA", file(by.pem), "-CAkey", pemOf(by.key), "-CAcreateserial", "-CAserial", file("01\n", "serial")];
  const args = ["-req", "-in", csr, ...above, "-days", String(days), "-sha256", "-extfile", cnf, "-extensions", "ext"];
  return { key, pem: openssl("x509", ...args) };
}

/** A request in DER, with whatever names somebody might ask for. */
export function makeRequest(key: KeyObject, subject = "/CN=asked", extensions: readonly string[] = []): Uint8Array {
  const cnf = config(extensions);
  const more = extensions.length === 0 ? [] : ["-reqexts", "ext"];
  return execFileSync("openssl", [
    "req",
    "-new",
    "-config",
    cnf,
    "-subj",
    subject,
    "-key",
    pemOf(key),
    "-outform",
    "DER",
    ...more,
  ]);
}

/** What `openssl verify` says of a leaf; `OK` where it holds. */
export function verify(
  leaf: Uint8Array,
  { root, chain = [], options = [] }: { root: string; chain?: readonly string[]; options?: readonly string[] },
): string {
  const path = file(pem(leaf), "leaf.pem");
  const between = chain.length === 0 ? [] : ["-untrusted", file(chain.join(""))];
  const { stdout, stderr } = spawnSync(
    "openssl",
    ["verify", "-x509_strict", "-CAfile", file(root), ...between, ...options, path],
    { encoding: "utf8" },
  );
  return stdout.trim() === `${path}: OK` ? "OK" : `${stdout}${stderr}`;
}

/** The certificate in OpenSSL's words. */
export const text = (leaf: Uint8Array) => openssl("x509", "-in", file(pem(leaf)), "-noout", "-text");

export const pem = (der: Uint8Array) =>
  `-----BEGIN CERTIFICATE-----\n${Buffer.from(der)
    .toString("base64")
    .replace(/.{1,64}/g, "$&\n")}-----END CERTIFICATE-----\n`;
