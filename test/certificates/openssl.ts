import { execFile } from "node:child_process";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

const { status } = spawnSync("openssl", ["version"]);
/** In CI it must be there. */
export const noOpenssl = status !== 0 && process.env["CI"] !== "true";
export const opensslReason = noOpenssl ? " (skipped: no openssl on this machine)" : "";

let folder: string | undefined;
afterAll(() => folder !== undefined && rmSync(folder, { recursive: true, force: true }));

/** A file in a folder that goes when the tests are over. */
export function file(name: string, content: string | Uint8Array = ""): string {
  folder ??= mkdtempSync(join(tmpdir(), "pinion-certificates-"));
  const path = join(folder, name);
  if (content.length > 0) writeFileSync(path, content, { mode: 0o600 });
  return path;
}

/** Runs openssl; never rejects. */
export function openssl(
  args: readonly string[],
  input?: string,
): Promise<{ readonly ok: boolean; readonly out: string }> {
  return new Promise((resolve) => {
    const child = execFile("openssl", [...args], { timeout: 20_000 }, (error, stdout, stderr) =>
      resolve({ ok: error === null, out: stdout + stderr }),
    );
    // It may end before it has read what it does not need.
    child.stdin?.on("error", () => {}).end(input ?? "");
  });
}

/** What openssl says of a chain for a server, at a time and with a name. */
export async function opensslVerify(options: {
  readonly leaf: string;
  readonly chain: string;
  readonly roots: string;
  readonly name: string;
  readonly now: number;
}): Promise<{ readonly ok: boolean; readonly out: string }> {
  const { leaf, chain, roots, name, now } = options;
  const untrusted = chain === "" ? [] : ["-untrusted", file("chain.pem", chain)];
  return await openssl([
    "verify",
    "-no-CApath",
    "-no-CAstore",
    "-auth_level",
    "2",
    "-purpose",
    "sslserver",
    "-verify_hostname",
    name,
    "-attime",
    String(Math.floor(now / 1000)),
    "-CAfile",
    file("roots.pem", roots),
    ...untrusted,
    file("leaf.pem", leaf),
  ]);
}
