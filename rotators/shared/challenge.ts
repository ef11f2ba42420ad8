import { z } from "zod";
import type { AzureRole, Need } from "../../src/azure/role.ts";
import { readSecretRole } from "../../src/azure/vault-roles.ts";
import { acmeDns, acmeDnsConfig } from "./dns/acme-dns.ts";
import { azureDns, azureDnsConfig, azureDnsNeeds, dnsTxtRole } from "./dns/azure-dns.ts";
import { cloudflare, cloudflareConfig } from "./dns/cloudflare.ts";
import { writtenName } from "./dns/lookup.ts";
import type { ChallengeRecord, ChallengeStep, Challenger, Visibility } from "./dns/provider.ts";
import { rfc2136, rfc2136Config } from "./dns/rfc2136.ts";
import { webhook, webhookConfig } from "./dns/webhook.ts";
import { staticWebsite, staticWebsiteConfig, staticWebsiteNeeds, websiteBlobRole } from "./http-01/static-website.ts";

/** Where the answers to a CA's challenges are published; `kind` says by what. */
export const challengeConfig = z.discriminatedUnion("kind", [
  azureDnsConfig,
  cloudflareConfig,
  rfc2136Config,
  acmeDnsConfig,
  webhookConfig,
  staticWebsiteConfig,
]);
export type ChallengeConfig = z.output<typeof challengeConfig>;

type Kinds = { readonly [K in ChallengeConfig["kind"]]: Challenger<Extract<ChallengeConfig, { readonly kind: K }>> };

/** Every challenger by its kind. A new one is a file, a line in each of the two lists, and a part of docs/rotators/dns.md. */
export const challengers: Kinds = {
  "azure-dns": azureDns,
  cloudflare,
  rfc2136,
  "acme-dns": acmeDns,
  webhook,
  "static-website": staticWebsite,
};

/** A challenger with its config, ports and signal: values only come and go. */
export interface Publisher {
  /** The type of challenge it answers (RFC 8555 section 8). */
  readonly type: "dns-01" | "http-01";
  demandPlaces?(names: readonly string[]): Promise<void>;
  /** dns-01: the name that a value of this one is written to, as things are now. To be noted, so that it is withdrawn there. */
  place?(name: string): Promise<string | undefined>;
  publish(record: ChallengeRecord): Promise<void>;
  withdraw(record: ChallengeRecord): Promise<void>;
  visible(record: ChallengeRecord): Promise<Visibility>;
}

/** The challenger that a config asks for. */
export function publisherOf(
  config: ChallengeConfig,
  { ports, signal }: Pick<ChallengeStep<unknown>, "ports" | "signal">,
): Publisher {
  const challenger = challengers[config.kind] as Challenger<ChallengeConfig>;
  const at = { config, ports, signal };
  return {
    type: config.kind === "static-website" ? "http-01" : "dns-01",
    demandPlaces: async (names) => await challenger.demandPlaces?.(at, names),
    place: async (name) => (config.kind === "static-website" ? undefined : await writtenName(name, config, signal)),
    publish: async (record) => await challenger.publish(at, record),
    withdraw: async (record) => await challenger.withdraw(at, record),
    visible: async (record) => await challenger.visible(at, record),
  };
}

/** Every role that {@link challengeNeeds} may name. */
export const challengeRoles: readonly AzureRole[] = [dnsTxtRole, websiteBlobRole, readSecretRole];

const readsSecrets = (...urls: readonly string[]): readonly Need[] => urls.map((at) => ({ role: readSecretRole, at }));

type NeedsOf = {
  readonly [K in ChallengeConfig["kind"]]: (config: Extract<ChallengeConfig, { kind: K }>) => readonly Need[];
};

const needsOf: NeedsOf = {
  "azure-dns": azureDnsNeeds,
  cloudflare: ({ apiToken }) => readsSecrets(apiToken),
  rfc2136: ({ key }) => readsSecrets(key.secret),
  "acme-dns": ({ accounts }) => readsSecrets(...accounts.map(({ password }) => password)),
  webhook: ({ secret }) => readsSecrets(secret),
  "static-website": staticWebsiteNeeds,
};

/** What a config needs in Azure, and where. */
export const challengeNeeds = (config: ChallengeConfig): readonly Need[] =>
  (needsOf[config.kind] as (config: ChallengeConfig) => readonly Need[])(config);
