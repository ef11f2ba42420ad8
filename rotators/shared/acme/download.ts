import { X509Certificate } from "node:crypto";
import type { Account } from "./account.ts";
import { nonsense, problemOf } from "./errors.ts";
import type { Reply } from "./http.ts";
import { links } from "./http.ts";
import type { AcmeStep } from "./target.ts";

/** Chains that a CA offers, and the length of one: more than any has. */
const mostChains = 8;
const mostCertificates = 10;

/**
 * Fetches the chain (DER, leaf first; RFC 8555 section 7.4.2): the one whose top-most certificate is issued by `preferredChain`, looked
 * for among the alternates too; where no chain is, the CA's default.
 */
export async function download(step: AcmeStep, account: Account, url: string): Promise<readonly Uint8Array[]> {
  const { preferredChain } = step.target;
  const reply = await account.demand(url, "", "the certificate");
  const usual = chainIn(reply);
  if (preferredChain === undefined || topIssuer(usual) === preferredChain) return usual;
  for (const alternate of links(reply, "alternate").slice(0, mostChains)) {
    const other = await account.post(alternate, "");
    if (problemOf(other)) continue;
    const chain = chainIn(other);
    if (topIssuer(chain) === preferredChain) return chain;
  }
  return usual;
}

function chainIn({ url, body }: Reply): Uint8Array[] {
  const blocks = body.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0 || blocks.length > mostCertificates) throw nonsense(url, "a chain of certificates");
  try {
    return blocks.map((pem) => new X509Certificate(pem).raw);
  } catch {
    throw nonsense(url, "a chain of certificates");
  }
}

/** Common name of the top-most certificate's issuer. */
function topIssuer(chain: readonly Uint8Array[]): string | undefined {
  const { issuer } = new X509Certificate(chain.at(-1)!);
  return /^CN=(.*)$/m.exec(issuer)?.[1];
}
