import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, expect, test } from "vitest";
import { make, now, serverAuth } from "./make.ts";

const dir = mkdtempSync(join(tmpdir(), "pinion-bundle-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const source = join(import.meta.dirname, "../../src/certificates");

test("the checks work in a minified bundle, far from any package", async () => {
  const root = make({ subject: "CN=Root", ca: true });
  const leaf = make({ subject: "CN=a.contoso.com", by: root, names: ["a.contoso.com"], usages: [serverAuth] });
  const check = {
    leaf: leaf.pem,
    chain: [],
    roots: [root.pem],
    wanted: { names: ["a.contoso.com"], usages: [serverAuth], key: { type: "EC", curve: "P-256" } },
    now,
  };
  const code = `
    import { checkCertificate } from ${JSON.stringify(join(source, "check.ts"))};
    import { ocspRequest } from ${JSON.stringify(join(source, "ocsp.ts"))};
    import { readCrl } from ${JSON.stringify(join(source, "crl.ts"))};
    import { readCertificate } from ${JSON.stringify(join(source, "read.ts"))};
    const check = ${JSON.stringify(check)};
    const proofs = await checkCertificate(check);
    const question = { leaf: readCertificate(check.leaf), issuer: readCertificate(check.roots[0]), now: check.now };
    let list; try { readCrl(Buffer.from("3000", "hex"), question, "h"); } catch ({ code }) { list = code; }
    console.log(JSON.stringify({ proofs: proofs.map(({ ok }) => ok), request: ocspRequest(question).length > 60, list }));
  `;
  writeFileSync(join(dir, "entry.mjs"), code);
  await build({
    entryPoints: [join(dir, "entry.mjs")],
    outfile: join(dir, "out.mjs"),
    absWorkingDir: source,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node22",
    minify: true,
    keepNames: true,
    logLevel: "silent",
  });
  const { stdout, stderr } = spawnSync(process.execPath, [join(dir, "out.mjs")], { encoding: "utf8", cwd: dir });
  expect(stderr).toBe("");
  expect(JSON.parse(stdout)).toEqual({ proofs: Array(6).fill(true), request: true, list: "REVOCATION_UNKNOWN" });
});
