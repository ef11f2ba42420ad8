import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { expect, onTestFinished, test } from "vitest";
import { ensureTls } from "../../local/tls.ts";
import { openCertificates } from "../../src/vault/certificates.ts";

// A vault that lists the placeholder of a request as a certificate's newest version: Azure does not say that it does not.

const thumbprint = Buffer.alloc(20, 7).toString("base64url");
const seconds = (iso: string) => Date.parse(iso) / 1000;

async function vaultThatAnswers(answers: (uri: string) => Readonly<Record<string, readonly object[]>>) {
  const dir = mkdtempSync(join(tmpdir(), "pinion-vault-list-"));
  const tls = await ensureTls(join(dir, "tls"), { now: () => Date.now() });
  setDefaultCACertificates([...getCACertificates("default"), tls.ca]);
  const server = createServer({ key: tls.key, cert: tls.cert }, ({ url = "", headers }, response) => {
    const { pathname } = new URL(url, `https://${headers.host}`);
    const value = answers(`https://${headers.host}`)[pathname];
    response.writeHead(value === undefined ? 404 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(value === undefined ? { error: {} } : { value }));
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => {
    server.close();
    rmSync(dir, { recursive: true, force: true });
  });
  const { port } = server.address() as AddressInfo;
  const credential = { getToken: async () => ({ token: "anybody", expiresOnTimestamp: Date.now() + 3_600_000 }) };
  return openCertificates(`https://127.0.0.1:${port}`, credential);
}

test("a certificate is as due as its newest whole version, whatever placeholder is listed in its place", async () => {
  const at = (created: string, exp: string, enabled = true) => ({
    enabled,
    created: seconds(created),
    exp: seconds(exp),
  });
  const vault = await vaultThatAnswers((uri) => ({
    "/certificates": [
      { id: `${uri}/certificates/web`, attributes: at("2026-11-20", "2027-11-20", false) },
      { id: `${uri}/certificates/never`, attributes: at("2026-11-20", "2027-11-20", false) },
      { id: `${uri}/certificates/plain`, attributes: at("2026-10-01", "2027-01-01"), x5t: thumbprint },
    ],
    "/certificates/web/versions": [
      { id: `${uri}/certificates/web/1`, attributes: at("2026-09-01", "2026-12-01"), x5t: thumbprint },
      { id: `${uri}/certificates/web/2`, attributes: at("2026-11-20", "2027-11-20", false) },
    ],
    "/certificates/never/versions": [
      { id: `${uri}/certificates/never/1`, attributes: at("2026-11-20", "2027-11-20", false) },
    ],
  }));
  const found = await vault.inventory(AbortSignal.timeout(9_000));
  expect(found.map(({ name, enabled, expiresOn }) => [name, enabled, expiresOn?.toISOString().slice(0, 10)])).toEqual([
    ["web", true, "2026-12-01"],
    ["plain", true, "2027-01-01"],
  ]);
});
