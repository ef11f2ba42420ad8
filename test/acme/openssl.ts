import { spawnSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** `openssl verify` of a chain (DER, leaf first) up to a root (PEM): signatures, dates, purpose, and every name. An empty text is success, else its words. */
export function verifyChain(chain: readonly Uint8Array[], root: string, names: readonly string[]): string {
  const dir = mkdtempSync(join(tmpdir(), "pinion-acme-"));
  const pem = (der: Uint8Array) => new X509Certificate(der).toString();
  const file = (name: string, text: string) => {
    writeFileSync(join(dir, name), text);
    return join(dir, name);
  };
  try {
    const leaf = file("leaf.pem", pem(chain[0]!));
    const trust = [
      "-CAfile",
      file("root.pem", root),
      "-untrusted",
      file("between.pem", chain.slice(1).map(pem).join("\n")),
    ];
    for (const name of names) {
      const host = name.replace(/^\*/, "any");
      const args = ["verify", "-purpose", "sslserver", "-verify_hostname", host, ...trust, leaf];
      const { status, stderr } = spawnSync("openssl", args, { encoding: "utf8" });
      if (status !== 0) return `${name}: ${stderr}`;
    }
    return "";
  } finally {
    rmSync(dir, { recursive: true });
  }
}
