import { randomBytes } from "node:crypto";
import { hasPebble } from "../targets/pebble.ts";
import type { Authority } from "./authority.ts";
import type { Cloud } from "./cloud.ts";
import { vault } from "./scenario.ts";

// The certificate of the scenario: what a team has of it in the vault and in the policy.

export const shopCertificate = "shop-tls";
export const shopServer = "shop-web";
export const shopNames = ["shop.contoso.com", "*.shop.contoso.com"] as const;
/** Days for which a renewed one is good. */
export const shopValidity = 90;

/** Names in the vault beside the certificate. */
const accountKey = "acme-account";
const serverKey = "shop-web-webhook";
const challengeKey = "acme-dns-webhook";

/** Where the certificate is served, and where its server takes Pinion's calls. */
export interface ShopAddresses {
  readonly tlsPort: number;
  readonly webhookUrl: string;
}

/** Why certificates are not had through ACME; undefined where they are. */
export function whyNotAcme(): string | undefined {
  if (process.env["PINION_DEMO_ACME"] === "off") return "PINION_DEMO_ACME is off";
  return hasPebble() ? undefined : "pebble is not on this machine";
}

/** Seeds what is not there yet: a first certificate that signs itself, the key of an ACME account, and keys for the two webhooks. */
export async function seedShop(cloud: Cloud): Promise<void> {
  const certificates = cloud.certificates(vault);
  const there = await certificates.getCertificate(shopCertificate).catch(() => undefined);
  if (there !== undefined) return;
  const secrets = cloud.secrets(vault);
  await Promise.all([
    cloud.keys(vault).createEcKey(accountKey, { curve: "P-256" }),
    secrets.setSecret(serverKey, randomBytes(32).toString("base64url")),
    secrets.setSecret(challengeKey, `whsec_${randomBytes(32).toString("base64")}`),
  ]);
  const [name, ...others] = shopNames;
  const making = await certificates.beginCreateCertificate(
    shopCertificate,
    {
      issuerName: "Self",
      subject: `CN=${name}`,
      subjectAlternativeNames: { dnsNames: [name, ...others] },
      keyType: "EC",
      keyCurveName: "P-256",
      contentType: "application/x-pem-file",
      validityInMonths: 4,
      // The vault would renew it by itself otherwise.
      lifetimeActions: [{ action: "EmailContacts", lifetimePercentage: 80 }],
    },
    { intervalInMs: 50 },
  );
  await making.pollUntilDone();
}

/** The keys that sign Pinion's calls, for the two who check them. */
export async function webhookKeys(cloud: Cloud): Promise<{ readonly server: string; readonly challenge: string }> {
  const secrets = cloud.secrets(vault);
  const [server, challenge] = await Promise.all([secrets.getSecret(serverKey), secrets.getSecret(challengeKey)]);
  return { server: server.value ?? "", challenge: challenge.value ?? "" };
}

/** The object of the policy: through ACME where there is an authority. */
export function shopObject(cloud: Cloud, { tlsPort, webhookUrl }: ShopAddresses, authority: Authority | undefined) {
  const url = cloud.vaultUrl(vault);
  return {
    id: shopCertificate,
    name: shopCertificate,
    vault: "orders",
    kind: "certificate",
    validity: `P${shopValidity}D`,
    rotateBefore: "P30D",
    grace: "PT1H",
    certificate: {
      names: shopNames,
      key: { type: "EC" },
      contentType: "application/x-pem-file",
      ...(authority && { roots: [authority.root], revocation: "ignore" }),
    },
    rotator:
      authority === undefined
        ? { kind: "certificate-self-signed", strategy: "dual", target: {} }
        : {
            kind: "certificate-acme",
            strategy: "dual",
            target: {
              directory: authority.directory,
              account: `${url}/keys/${accountKey}`,
              contact: ["pki@contoso.com"],
              termsOfServiceAgreed: true,
              challenge: {
                kind: "webhook",
                url: authority.challengeUrl,
                secret: `${url}/secrets/${challengeKey}`,
                resolvers: [authority.nameServer],
                servers: [authority.nameServer],
              },
            },
          },
    consumers: [
      {
        kind: "webhook",
        id: shopServer,
        url: webhookUrl,
        key: `${url}/secrets/${serverKey}`,
        reads: "pinned",
        lag: "PT1M",
      },
    ],
    endpoints: [{ host: shopNames[0], address: "127.0.0.1", port: tlsPort }],
  };
}
