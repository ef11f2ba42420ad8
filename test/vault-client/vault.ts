import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { SecretClient } from "@azure/keyvault-secrets";
import { ensureTls } from "../../local/tls.ts";
import { startVaults } from "../../local/vault/vaults.ts";
import { openSecrets } from "../../src/vault/secrets.ts";
import type { Vault } from "../../src/vault/vault.ts";

export const start = Date.UTC(2026, 0, 15, 12);
export const day = 86_400_000;

/** The local vault with a clock that stands still until it is moved; the app's client of it, and a person's. */
export async function openLocalVault() {
  const dir = mkdtempSync(join(tmpdir(), "pinion-vault-client-"));
  const tls = await ensureTls(join(dir, "tls"), { now: () => Date.now() });
  // As NODE_EXTRA_CA_CERTS does it for the app.
  setDefaultCACertificates([...getCACertificates("default"), tls.ca]);
  let at = start;
  const clock = { now: () => at, advance: (milliseconds: number) => void (at += milliseconds) };
  const vaults = await startVaults({
    clock,
    tls,
    stateDir: join(dir, "vaults"),
    vaults: [
      { name: "kv-test", resourceId: "/subscriptions/0/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv-test" },
    ],
  });
  const uri = vaults.vaults[0]?.url ?? "";
  const credential = { getToken: async () => ({ token: "anybody", expiresOnTimestamp: Date.now() + day }) };
  const person = new SecretClient(uri, credential, { disableChallengeResourceVerification: true });
  return {
    clock,
    uri,
    person,
    control: vaults.control,
    /** A client with an empty memory. */
    open: (): Vault => openSecrets(uri, credential),
    /** A version by hand; its id. */
    async put(name: string, value: string, options: Parameters<SecretClient["setSecret"]>[2] = {}) {
      return (await person.setSecret(name, value, options)).properties.version ?? "";
    },
    async versions(name: string) {
      const found = [];
      for await (const one of person.listPropertiesOfSecretVersions(name)) found.push(one);
      return found;
    },
    async close() {
      await vaults.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
