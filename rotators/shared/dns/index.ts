import { z } from "zod";
import { acmeDns, acmeDnsConfig } from "./acme-dns.ts";
import { azureDns, azureDnsConfig } from "./azure-dns.ts";
import { cloudflare, cloudflareConfig } from "./cloudflare.ts";
import type { Challenger } from "./provider.ts";
import { rfc2136, rfc2136Config } from "./rfc2136.ts";
import { webhook, webhookConfig } from "./webhook.ts";

/** Where the TXT records of dns-01 challenges are written; `kind` says by what. */
export const dnsConfig = z.discriminatedUnion("kind", [
  azureDnsConfig,
  cloudflareConfig,
  rfc2136Config,
  acmeDnsConfig,
  webhookConfig,
]);
export type DnsConfig = z.output<typeof dnsConfig>;

type Challengers = { readonly [K in DnsConfig["kind"]]: Challenger<Extract<DnsConfig, { readonly kind: K }>> };

/** Every DNS provider by its kind. A new one is a file beside this, a line in each of the two lists, and a part of docs/rotators/dns.md. */
export const dnsChallengers: Challengers = {
  "azure-dns": azureDns,
  cloudflare,
  rfc2136,
  "acme-dns": acmeDns,
  webhook,
};

/** The provider of a config, which it is then called with. */
export function dnsChallenger(config: DnsConfig): Challenger<DnsConfig> {
  return dnsChallengers[config.kind];
}
