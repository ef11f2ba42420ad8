import type { CertificatePolicy, CertificateProperties } from "@azure/keyvault-certificates";
import type { KeyProperties } from "@azure/keyvault-keys";
import type { World } from "./world.ts";

// What a person made before Pinion came, and what there is afterwards.

export const names = ["www.contoso.com", "contoso.com"];

/** A first version that signs itself; its id. */
export async function firstCertificate(
  world: World,
  name: string,
  exportable = true,
  contentType = "application/x-pkcs12",
  key: Pick<CertificatePolicy, "keyType" | "keyCurveName"> = {},
): Promise<string> {
  const [subject = "", ...others] = names;
  const poller = await world.certificates.beginCreateCertificate(
    name,
    {
      issuerName: "Self",
      subject: `CN=${subject}`,
      subjectAlternativeNames: { dnsNames: [subject, ...others] },
      exportable,
      ...key,
      contentType: contentType as "application/x-pkcs12",
      lifetimeActions: [{ action: "EmailContacts", lifetimePercentage: 80 }],
    },
    { intervalInMs: 10, tags: { team: "web" } },
  );
  world.clock.advance(20_000);
  const made = await poller.pollUntilDone();
  // Creation times are whole seconds.
  world.clock.advance(60_000);
  return made.properties.version ?? "";
}

/** The same with a key that is made at once: an RSA key takes longer than everything else. */
export const quickCertificate = async (world: World, name: string, exportable = true): Promise<string> =>
  await firstCertificate(world, name, exportable, "application/x-pkcs12", { keyType: "EC", keyCurveName: "P-256" });

/** A first version of a key; its id. */
export async function firstKey(world: World, name: string, kind: "RSA" | "EC" = "RSA"): Promise<string> {
  const made = await world.keys.createKey(name, kind, { tags: { team: "data" } });
  world.clock.advance(60_000);
  return made.properties.version ?? "";
}

/** All versions of a certificate, placeholders too, the newest first. */
export async function certificateVersions({ certificates }: World, name: string): Promise<CertificateProperties[]> {
  const found = [];
  for await (const one of certificates.listPropertiesOfCertificateVersions(name)) found.push(one);
  return found.sort((a, b) => (b.createdOn?.getTime() ?? 0) - (a.createdOn?.getTime() ?? 0));
}

export async function keyVersions({ keys }: World, name: string): Promise<KeyProperties[]> {
  const found = [];
  for await (const one of keys.listPropertiesOfKeyVersions(name)) found.push(one);
  return found.sort((a, b) => (b.createdOn?.getTime() ?? 0) - (a.createdOn?.getTime() ?? 0));
}

/** A secret that two sides sign and verify with, as the policy has it, by how its verifier is told. */
export const hmacBy = (verifier: Readonly<Record<string, string>>) => ({
  kind: "secret" as const,
  format: { type: "plain" },
  rotator: { kind: "hmac-secret", strategy: "dual", target: { verifier, lag: "PT1M" } },
});
