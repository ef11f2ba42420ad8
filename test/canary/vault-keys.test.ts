import { expect, it } from "vitest";
import { keysEverHeld } from "../../local/canary/vault-keys.ts";
import { fakeClock, testVault } from "../vault/support.ts";

it("knows the private keys of certificates and keys: published, disabled, never exportable, and of one that is still being made", async () => {
  const clock = fakeClock(Date.now());
  const vault = await testVault({ clock });
  const policy = { issuerName: "Self", subject: "CN=a.contoso.com", keyType: "EC", keyCurveName: "P-256" } as const;
  const made = async (name: string, more: object) => {
    const poller = await vault.certificates.beginCreateCertificate(name, { ...policy, ...more }, { intervalInMs: 5 });
    clock.advance(10_000);
    return (await poller.pollUntilDone()).properties.version ?? "";
  };
  await made("pem", { contentType: "application/x-pem-file" });
  await vault.certificates.updateCertificateProperties("pem", await made("pem", {}), { enabled: false });
  await made("kept", { exportable: false });
  await vault.certificates.beginCreateCertificate("waiting", { ...policy, issuerName: "Unknown" });
  await vault.keys.createRsaKey("account", { keySize: 2048 });
  const numbers = keysEverHeld(vault.stateDir);
  // Four of EC, and three numbers of the RSA key.
  expect(numbers).toHaveLength(7);
  expect(numbers.every(({ length }) => length >= 32)).toBe(true);
});
