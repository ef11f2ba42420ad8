import { isRecord, parseJson } from "../http.ts";
import type { Tokens } from "../tokens.ts";
import { vaultGet } from "../vault-get.ts";

/** Asks the vault for a key by its URL: the URL with its version, `disabled`, or undefined where it is not to be had. */
export type AskKey = (url: string, identity: unknown) => Promise<string | undefined>;

/** Options of {@link askVaults}. */
export interface AskOptions {
  readonly tokens: Tokens;
  /** PEM of the authority that the vaults' certificates come from. */
  readonly ca: string;
  /** URLs of the vaults by name, asked for each time. */
  readonly vaults: () => Readonly<Record<string, string>>;
}

/** Asks as the resource's own identity, the way a service does that wraps its data with a key. A disabled version is not to be had. */
export function askVaults({ tokens, ca, vaults }: AskOptions): AskKey {
  return async (url, identity) => {
    const known = Object.values(vaults()).some((vault) => new URL(vault).origin === originOf(url));
    if (!known) return undefined;
    const given = isRecord(identity) ? identity["principalId"] : undefined;
    const objectId = typeof given === "string" ? given : "00000000-0000-4000-8000-00000000ca11";
    const { token } = await tokens.issue({ audience: "https://vault.azure.net", objectId, appId: objectId });
    const reply = await vaultGet(`${url}?api-version=7.4`, token, ca);
    if (typeof reply === "string" || reply.status !== 200) return undefined;
    const body = parseJson(reply.body);
    const key = isRecord(body) ? body["key"] : undefined;
    const kid = isRecord(key) ? key["kid"] : undefined;
    return typeof kid === "string" ? kid : undefined;
  };
}

const originOf = (url: string): string | undefined => (URL.canParse(url) ? new URL(url).origin : undefined);
