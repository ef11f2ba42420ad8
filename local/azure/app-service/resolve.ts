import { isRecord, parseJson } from "../http.ts";
import { vaultGet } from "../vault-get.ts";
import { parseReference } from "./reference.ts";

/** App Service's words for how a reference stands (ResolveStatus in azure-rest-api-specs, web/ApiKVReference). */
export type ResolveStatus =
  | "Initialized"
  | "Resolved"
  | "InvalidSyntax"
  | "MSINotEnabled"
  | "VaultNotFound"
  | "SecretNotFound"
  | "SecretVersionNotFound"
  | "AccessToKeyVaultDenied"
  | "OtherReasons"
  | "FetchTimedOut";

/** How a reference stands, without the value. */
export interface ReferenceState {
  /** The setting's value as written. */
  readonly reference: string;
  readonly status: ResolveStatus;
  readonly details?: string;
  readonly vaultName?: string;
  readonly secretName?: string;
  /** The version that the reference pins; absent: latest. */
  readonly secretVersion?: string;
  /** The version whose value is in use. */
  readonly activeVersion?: string;
  /** When the vault was last asked, in milliseconds since 1970; 0: never. */
  readonly fetchedAt: number;
}

/** What asking for a secret needs. */
export interface Resolver {
  /** URLs of the vaults by name, as they are now. */
  readonly vaults: () => Readonly<Record<string, string>>;
  /** The site's token for https://vault.azure.net; undefined: the site has no identity. */
  readonly token: () => Promise<string | undefined>;
  /** PEM of the authority that the vaults' certificates come from. */
  readonly ca: string;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Ask for this version, whatever the reference says: the one that was in use before a restart of the cloud. */
  readonly version?: string;
}

const apiVersion = "7.4";

/** Asks the vault for what a reference names. The value is only there when the status is Resolved. */
export async function resolveReference(
  reference: string,
  resolver: Resolver,
): Promise<[ReferenceState, value?: string]> {
  const parsed = parseReference(reference);
  if (!parsed)
    return [{ reference, status: "InvalidSyntax", details: "The reference is malformed.", fetchedAt: resolver.now }];
  const { vault, secretName, secretVersion } = parsed;
  const known = Object.entries(resolver.vaults()).map(([name, url]) => ({ name, url: url.replace(/\/$/, "") }));
  const found =
    "name" in vault
      ? known.find(({ name }) => name.toLowerCase() === vault.name.toLowerCase())
      : known.find(({ url }) => url.toLowerCase() === vault.url.toLowerCase());
  const vaultName = found?.name ?? ("name" in vault ? vault.name : (new URL(vault.url).hostname.split(".")[0] ?? ""));
  const pin = secretVersion === undefined ? {} : { secretVersion };
  const state = { reference, vaultName, secretName, ...pin, fetchedAt: resolver.now };
  if (!found) return [{ ...state, status: "VaultNotFound", details: `Key Vault '${vaultName}' was not found.` }];
  const token = await resolver.token();
  if (token === undefined) return [{ ...state, status: "MSINotEnabled", details: "The site has no managed identity." }];

  const version = resolver.version ?? secretVersion;
  const url = `${found.url}/secrets/${secretName}${version ? `/${version}` : ""}?api-version=${apiVersion}`;
  const reply = await vaultGet(url, token, resolver.ca);
  if (reply === "timeout") return [{ ...state, status: "FetchTimedOut", details: "The vault did not answer in time." }];
  if (reply === "unreachable")
    return [{ ...state, status: "VaultNotFound", details: "The vault could not be reached." }];
  const body = parseJson(reply.body);
  if (reply.status === 200 && isRecord(body) && typeof body["value"] === "string") {
    const activeVersion = String(body["id"]).split("/").at(-1) ?? "";
    return [{ ...state, status: "Resolved", activeVersion }, body["value"]];
  }
  return [
    { ...state, status: statusOf(reply.status, version !== undefined), details: `The vault answered ${reply.status}.` },
  ];
}

function statusOf(status: number, pinned: boolean): ResolveStatus {
  if (status === 401 || status === 403) return "AccessToKeyVaultDenied";
  if (status === 404) return pinned ? "SecretVersionNotFound" : "SecretNotFound";
  return "OtherReasons";
}
