import { describe, expect, test } from "vitest";
import { issueCertificate } from "../../rotators/certificate-private-ca.ts";
import { privateCaTarget } from "../../rotators/shared/private-ca/target.ts";
import type { CertificateSlot, Ports } from "../../src/rotator.ts";
import { operationOf } from "../vault/certificates/support.ts";
import { start, testVault } from "../vault/support.ts";
import { clientKeys, keyPair } from "./keys.ts";
import type { KeyWish } from "./keys.ts";
import { hasOpenssl, makeAuthority, verify } from "./openssl.ts";
import { now, p256, p384, p521, rsa2048, rsa3072, wish } from "./scene.ts";

const skipped = !hasOpenssl && process.env["CI"] !== "true";

// The authority's key is imported, so that OpenSSL can make its certificate; from then on only the vault signs.
describe.skipIf(skipped)(`a private authority in a vault${skipped ? " (skipped: no openssl here)" : ""}`, () => {
  const cases: [KeyWish, KeyWish][] = [
    [p256, rsa2048],
    [p384, p256],
    [p521, p384],
    [rsa2048, p256],
    [rsa3072, rsa2048],
  ];
  for (const [caKey, leafKey] of cases) {
    const names = [caKey, leafKey].map((one) => ("size" in one ? `RSA ${one.size}` : one.curve));
    test(`${names[0]} signs for ${names[1]}, and the vault merges it`, async () => {
      const vault = await testVault();
      vault.clock.advance(now - start);
      const { privateKey } = keyPair(caKey, 1);
      const jwk = privateKey.export({ format: "jwk" });
      const bytes = (text: unknown) =>
        typeof text === "string" ? new Uint8Array(Buffer.from(text, "base64url")) : undefined;
      const { kty, crv, ...numbers } = jwk;
      const imported = await vault.keys.importKey("issuing", {
        kty: kty as "EC",
        ...(crv === undefined ? {} : { crv }),
        ...Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, bytes(value)])),
      });
      const root = makeAuthority(keyPair(p384, 2).privateKey, "/CN=Root");
      const ca = makeAuthority(privateKey, "/CN=Issuing", { by: root });
      const target = privateCaTarget.parse({
        ca: {
          key: imported.id!,
          certificate: ca.pem,
          chain: [root.pem],
        },
        maxValidity: "P90D",
        nameConstraints: { permitted: ["contoso.com"] },
      });
      const wanted = wish({ key: leafKey });
      let merged: Uint8Array | undefined;
      const slot: CertificateSlot = {
        wanted,
        source: async () => undefined,
        chain: async () => [],
        made: async () => undefined,
        pending: async () => {
          await vault.certificates.beginCreateCertificate("www", {
            issuerName: "Unknown",
            subject: "CN=something else",
            ...(leafKey.type === "RSA"
              ? { keyType: "RSA", keySize: leafKey.size }
              : { keyType: "EC", keyCurveName: leafKey.curve }),
          });
          const operation = await operationOf(vault.certificates, "www");
          return { csr: operation.csr!, requestId: operation.requestId! };
        },
        merge: async (chain) => {
          const made = await vault.certificates.mergeCertificate("www", [...chain]);
          merged = made.cer;
          return { leaf: made.cer! } as never;
        },
      };
      const notes = new Map<string, string>();
      await issueCertificate({
        target,
        rotationId: "r-0mi000001-aaaaaa",
        round: 1,
        ports: { now: vault.clock.now, keys: clientKeys(vault.keys, vault.ca) } as Ports,
        notes: { read: (name) => notes.get(name), write: async (name, text) => void notes.set(name, text!) },
        slot,
        signal: new AbortController().signal,
      });
      const options = ["-purpose", "sslserver", "-verify_hostname", "www.contoso.com"];
      expect(verify(merged!, { root: root.pem, chain: [ca.pem], options })).toBe("OK");
      expect((await vault.certificates.getCertificate("www")).properties.enabled).toBe(true);
    });
  }
});
