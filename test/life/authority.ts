import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A root and an authority under it, by OpenSSL: what a person who merges by hand has at the other end. */
export function openAuthority() {
  const dir = mkdtempSync(join(tmpdir(), "pinion-authority-"));
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: dir, stdio: "pipe" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const ca = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"];
  openssl(
    "req",
    "-x509",
    ...key,
    "-keyout",
    "root.key",
    "-out",
    "root.pem",
    "-days",
    "3000",
    "-subj",
    "/CN=Life Root",
    ...ca.slice(2),
  );
  openssl("req", "-new", ...key, "-keyout", "ca.key", "-out", "ca.csr", "-subj", "/CN=Life Issuing");
  writeFileSync(
    join(dir, "ca.ext"),
    "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n",
  );
  openssl(
    "x509",
    "-req",
    "-in",
    "ca.csr",
    "-CA",
    "root.pem",
    "-CAkey",
    "root.key",
    "-CAcreateserial",
    "-days",
    "2000",
    "-extfile",
    "ca.ext",
    "-out",
    "ca.pem",
  );
  const read = (file: string) => readFileSync(join(dir, file), "utf8");

  return {
    root: read("root.pem"),
    issuing: read("ca.pem"),
    /** The chain (PEM, leaf first) for a request in PEM, with these names. */
    sign(request: string, names: readonly string[], days = 200): string {
      writeFileSync(join(dir, "leaf.csr"), request);
      const lines = [
        `subjectAltName=${names.map((name) => `DNS:${name}`).join(",")}`,
        "extendedKeyUsage=serverAuth",
        "keyUsage=critical,digitalSignature,keyEncipherment",
        "basicConstraints=critical,CA:FALSE",
      ];
      writeFileSync(join(dir, "leaf.ext"), `${lines.join("\n")}\n`);
      openssl(
        "x509",
        "-req",
        "-in",
        "leaf.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        String(days),
        "-extfile",
        "leaf.ext",
        "-out",
        "leaf.pem",
      );
      return `${read("leaf.pem")}${read("ca.pem")}`;
    },
    /** Throws where OpenSSL does not accept the leaf (DER) for a name. */
    verify(leaf: Uint8Array, name: string, at: number): void {
      writeFileSync(join(dir, "check.der"), leaf);
      openssl("x509", "-inform", "DER", "-in", "check.der", "-out", "check.pem");
      openssl(
        "verify",
        "-CAfile",
        "root.pem",
        "-untrusted",
        "ca.pem",
        "-purpose",
        "sslserver",
        "-verify_hostname",
        name,
        "-attime",
        String(Math.floor(at / 1000)),
        "check.pem",
      );
    },
    close: () => rmSync(dir, { recursive: true, force: true }),
  };
}

export const pemOfRequest = (csr: Uint8Array): string =>
  `-----BEGIN CERTIFICATE REQUEST-----\n${Buffer.from(csr).toString("base64").replaceAll(/.{64}/g, "$&\n")}\n-----END CERTIFICATE REQUEST-----\n`;
