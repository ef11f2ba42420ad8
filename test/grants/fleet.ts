import { findRotator, rotators } from "../../rotators/index.ts";
import { rotatorFacts } from "../../src/compose.ts";
import type { Policy } from "../../src/policy.ts";
import { parsePolicy } from "../../src/policy-file.ts";

// A policy with every rotator and every kind of consumer, in each of their forms.

type Json = Readonly<Record<string, unknown>>;

export const group = "/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/rg-orders/providers";
export const vaults = {
  main: { uri: "https://kv-main.vault.azure.net", resourceId: `${group}/Microsoft.KeyVault/vaults/kv-main` },
};
const secret = (name: string) => `https://kv-main.vault.azure.net/secrets/${name}`;
const keyUrl = (name: string) => `https://kv-main.vault.azure.net/keys/${name}`;
const account = `${group}/Microsoft.Storage/storageAccounts/stpublic`;
const pem = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";

const server = { host: "db.contoso.com", database: "orders" };
const admin = { user: "pinion", secret: secret("db-admin") };
const acme = {
  directory: "https://acme.contoso.com/directory",
  account: keyUrl("acme-account"),
  termsOfServiceAgreed: true,
};
const uuid = "33333333-3333-4333-8333-333333333333";
const challenges: readonly Json[] = [
  { kind: "azure-dns", zones: [`${group}/Microsoft.Network/dnszones/contoso.com`.replace("dnszones", "dnsZones")] },
  { kind: "cloudflare", apiToken: secret("cloudflare") },
  { kind: "rfc2136", server: "192.0.2.1", key: { name: "pinion", algorithm: "hmac-sha256", secret: secret("tsig") } },
  {
    kind: "acme-dns",
    endpoint: "https://acme-dns.contoso.com",
    accounts: [{ username: uuid, password: secret("acme-dns"), subdomain: "x", fulldomain: "x.contoso.com" }],
  },
  { kind: "webhook", url: "https://dns.contoso.com", secret: secret("dns-webhook") },
  { kind: "static-website", blobEndpoint: "https://stpublic.blob.core.windows.net", storageAccount: account },
];

/** Each rotator by kind and strategy, with its targets. */
export const targets: readonly (readonly [kind: string, strategy: string, target: Json])[] = [
  ["postgres", "alternating", { ...server, roles: ["a", "b"], admin }],
  ["postgres", "alternating", { ...server, roles: ["c", "d"], admin: { user: "pinion", entra: true } }],
  ["postgres", "in-place", { ...server, role: "e", admin }],
  ["postgres", "in-place", { ...server, role: "f" }],
  ["certificate-self-signed", "dual", {}],
  ["certificate-integrated-issuer", "dual", { issuer: "digicert" }],
  ["certificate-integrated-issuer", "dual", { issuer: "digicert", start: "vault" }],
  ...challenges.map((challenge) => ["certificate-acme", "dual", { ...acme, challenge }] as const),
  ["certificate-acme", "dual", { ...acme, challenge: challenges[0], eab: { kid: "1", key: secret("eab") } }],
  [
    "certificate-private-ca",
    "dual",
    {
      ca: { key: keyUrl("ca"), certificate: pem },
      maxValidity: "P90D",
      nameConstraints: { permitted: ["contoso.com"] },
    },
  ],
  ["certificate-manual", "dual", {}],
  ["key", "dual", {}],
  [
    "jwt-signing-key",
    "dual",
    {
      algorithm: "ES256",
      blob: "https://stpublic.blob.core.windows.net/public/jwks.json",
      storageAccount: account,
      cacheSeconds: 300,
      longestTokenLife: "PT1H",
    },
  ],
  [
    "jwt-signing-key",
    "dual",
    { algorithm: "ES256", url: "https://app/api/jwks/x", cacheSeconds: 300, longestTokenLife: "PT1H" },
  ],
  ["hmac-secret", "dual", { verifier: { secret: secret("accepted"), format: "json-array" }, lag: "PT1M" }],
  [
    "hmac-secret",
    "dual",
    { verifier: { webhook: "https://verifier.contoso.com", key: secret("verifier-key") }, lag: "PT1M" },
  ],
];

const holder = (kind: string, id: string, resource: string, more: Json = {}): Json => ({
  kind,
  id,
  resourceId: `${group}/${resource}`,
  reads: "pinned",
  lag: "PT1H",
  ...more,
});
const site = (id: string, more: Json = {}) =>
  holder("app-service", id, `Microsoft.Web/sites/${id}`, { setting: "S", ...more });

/** Every kind of consumer, in each of its forms. */
export const consumers: readonly Json[] = [
  site("pinned"),
  site("latest", { reads: "latest" }),
  site("slot", { slot: "green" }),
  site("slot-latest", { slot: "green", reads: "latest" }),
  { kind: "webhook", id: "hook", url: "https://web.contoso.com", key: secret("hook"), reads: "pinned", lag: "PT1M" },
  holder("storage-account", "storage", "Microsoft.Storage/storageAccounts/storders"),
  holder("sql-tde", "sql", "Microsoft.Sql/servers/sql-orders", {
    secondaries: [`${group}/Microsoft.Sql/servers/sql-replica`],
  }),
  holder("sql-tde", "sql-latest", "Microsoft.Sql/servers/sql-latest", { reads: "latest" }),
  holder("sql-tde", "instance", "Microsoft.Sql/managedInstances/sqlmi-orders", {
    secondaries: [`${group}/Microsoft.Sql/managedInstances/sqlmi-replica`],
  }),
  holder("sql-tde", "instance-latest", "Microsoft.Sql/managedInstances/sqlmi-latest", { reads: "latest" }),
  holder("storage-account", "storage-latest", "Microsoft.Storage/storageAccounts/stlatest", { reads: "latest" }),
  holder("disk-encryption-set", "disks", "Microsoft.Compute/diskEncryptionSets/des-orders"),
  holder("disk-encryption-set", "disks-latest", "Microsoft.Compute/diskEncryptionSets/des-latest", { reads: "latest" }),
  holder("cosmos-db", "cosmos", "Microsoft.DocumentDB/databaseAccounts/cosmos-orders"),
  holder("cosmos-db", "cosmos-latest", "Microsoft.DocumentDB/databaseAccounts/cosmos-latest", { reads: "latest" }),
  holder("service-bus", "bus", "Microsoft.ServiceBus/namespaces/sb-orders"),
  holder("event-hubs", "hubs", "Microsoft.EventHub/namespaces/evh-orders"),
];
const keyReaders = consumers.filter(({ kind }) => kind !== "app-service" && kind !== "webhook");
const valueReaders = consumers.filter(({ kind }) => kind === "app-service" || kind === "webhook");

/** One object for each target, and a key with all that is encrypted with one. */
export const fleet: readonly Json[] = targets.map(([kind, strategy, target], at) => {
  const [rotator] = rotators.filter((one) => one.kind === kind && one.strategy === strategy);
  const manages = (rotator as { manages?: string } | undefined)?.manages ?? "secret";
  const readers = kind === "postgres" && at === 0 ? valueReaders : kind === "key" ? keyReaders : [];
  return {
    id: `${kind}-${at}`,
    vault: "main",
    kind: manages,
    name: `${kind}-${at}`,
    rotator: { kind, strategy, target },
    validity: "P180D",
    grace: "P1D",
    ...(strategy === "in-place" ? { acceptGap: true } : {}),
    ...(strategy === "alternating" ? { format: { type: "url" } } : {}),
    ...(manages === "certificate" ? { certificate: { names: [`n${at}.contoso.com`], exportable: at % 2 === 0 } } : {}),
    ...(kind === "key" ? { disableOld: true, rollback: "reissue" } : {}),
    consumers: readers,
  };
});

/** A sound policy of these objects. Throws with its faults. */
export function policyOf(objects: readonly Json[], changes: Json = {}): Policy {
  const { policy, faults } = parsePolicy(
    { version: 1, mode: "rotate", vaults, objects, ...changes },
    rotatorFacts({ rotators, find: findRotator }),
  );
  if (policy === undefined || faults.length > 0) throw new Error(JSON.stringify(faults, null, 2));
  return policy;
}
