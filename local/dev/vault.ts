import type { TokenCredential } from "@azure/core-auth";
import { PinionError } from "../../src/errors.ts";

/** A secret of the vault, without its value. */
export interface Listed {
  readonly name: string;
  readonly expiresOn?: Date;
}

/** One page of `GET /secrets`. */
interface Page {
  readonly value: readonly {
    readonly id: string;
    readonly managed?: boolean;
    /** `exp` in seconds since 1970. */
    readonly attributes?: { readonly exp?: number };
  }[];
  readonly nextLink?: string | null;
}

const patience = 60_000;

/**
 * The secrets of a vault that somebody else than the vault and Pinion made: not those of certificates, not what candidates are staged in.
 * Throws a sentence for the person at the keyboard when the vault does not let this machine, or this identity, list them: the SDK's
 * lists keep the reason to themselves.
 */
export async function listSecrets(
  vault: string,
  audience: string,
  credential: TokenCredential,
): Promise<readonly Listed[]> {
  const { host } = new URL(vault);
  const found: Listed[] = [];
  try {
    for (let path: string | undefined = "/secrets?api-version=7.4"; path !== undefined;) {
      const { value, nextLink } = await get(`${vault}${path}`, audience, credential);
      for (const { id, managed, attributes } of value) {
        const name = new URL(id).pathname.split("/")[2] ?? "";
        const exp = attributes?.exp;
        if (managed !== true && !name.toLowerCase().startsWith("pinion-stage-"))
          found.push({ name, ...(exp !== undefined && { expiresOn: new Date(exp * 1000) }) });
      }
      // Only its path: the token goes to the vault that was named, whatever the link says.
      const next = nextLink ? new URL(nextLink) : undefined;
      path = next && `${next.pathname}${next.search}`;
    }
  } catch (error) {
    throw explained(host, error as Failure);
  }
  return found;
}

async function get(url: string, audience: string, credential: TokenCredential): Promise<Page> {
  const signal = AbortSignal.timeout(patience);
  const token = await credential.getToken(`${audience}/.default`, { abortSignal: signal });
  const headers = { authorization: `Bearer ${token?.token}` };
  const reply = await fetch(url, { headers, redirect: "error", signal });
  if (reply.ok) return (await reply.json()) as Page;
  throw { status: reply.status, text: await reply.text() } satisfies Failure;
}

/** What went wrong: an answer with its text, or a connection's code. */
export interface Failure {
  readonly name?: string;
  readonly status?: number;
  readonly text?: string;
  readonly cause?: { readonly code?: string };
}

/** The service's own text tells a firewall from a lacking role; it is matched, never shown. */
export function explained(host: string, { name = "", status, text = "", cause }: Failure): PinionError {
  const code = cause?.code ?? "";
  if (/^(CredentialUnavailable|Authentication)/.test(name))
    return new PinionError("UNAUTHORIZED", `The Azure CLI gave no token for ${host}: run \`az login\` and try again.`);
  if (code === "ENOTFOUND" || code === "EAI_AGAIN")
    return new PinionError(
      "NOT_FOUND",
      `There is no vault at ${host}: the name does not resolve. Check the address; if the vault has a private endpoint only, run this where its DNS zone is known.`,
    );
  if (/ForbiddenByConnection/.test(text))
    return new PinionError(
      "VAULT_FORBIDDEN",
      `${host} is closed to public networks: run this from its virtual network, or through a VPN, so that its private endpoint is reached.`,
    );
  if (/ForbiddenByFirewall/.test(text))
    return new PinionError(
      "VAULT_FORBIDDEN",
      `${host} is behind a firewall that does not let this machine's address in: ask its owner to add it to the vault's network rules.`,
    );
  if (status === 403)
    return new PinionError(
      "VAULT_FORBIDDEN",
      `${host} does not let you list its secrets: ask for the role Key Vault Reader on the vault (an assignment can take minutes to count).`,
    );
  if (status === 401)
    return new PinionError(
      "VAULT_FORBIDDEN",
      `${host} refused your token: it may belong to another tenant; run \`az login --tenant <its tenant>\`.`,
    );
  if (/CERT|SELF_SIGNED|UNABLE_TO_/.test(code))
    return new PinionError(
      "VAULT_UNAVAILABLE",
      `The certificate of ${host} is not trusted here: where a proxy opens TLS, name its authority in NODE_EXTRA_CA_CERTS.`,
    );
  return new PinionError(
    "VAULT_UNAVAILABLE",
    `${host} did not answer (${status ?? (code || name || "no connection")}): check the address and this machine's way there.`,
  );
}
