/** A Key Vault reference taken apart. */
export interface Reference {
  /** The vault by name, or by the URL that SecretUri names. */
  readonly vault: { readonly name: string } | { readonly url: string };
  readonly secretName: string;
  /** Absent: the latest. */
  readonly secretVersion?: string;
}

/** True for setting values that App Service takes for a reference, well-formed or not. */
export function isReference(value: string): boolean {
  return /^@Microsoft\.KeyVault\(/i.test(value.trim());
}

/**
 * Reads `@Microsoft.KeyVault(SecretUri=...)` and `@Microsoft.KeyVault(VaultName=...;SecretName=...[;SecretVersion=...])`
 * (learn.microsoft.com/azure/app-service/app-service-key-vault-references); undefined when the syntax is wrong.
 */
export function parseReference(value: string): Reference | undefined {
  const inside = /^@Microsoft\.KeyVault\((.*)\)$/i.exec(value.trim())?.[1];
  if (inside === undefined) return undefined;
  const fields = new Map(
    inside.split(";").map((part) => {
      const at = part.indexOf("=");
      return [part.slice(0, at).trim().toLowerCase(), part.slice(at + 1).trim()] as const;
    }),
  );
  const uri = fields.get("secreturi");
  if (uri !== undefined) return parseUri(uri);
  const [name, secretName, secretVersion] = ["vaultname", "secretname", "secretversion"].map((key) => fields.get(key));
  if (!name || !secretName) return undefined;
  return { vault: { name }, secretName, ...(secretVersion ? { secretVersion } : {}) };
}

function parseUri(uri: string): Reference | undefined {
  if (!URL.canParse(uri)) return undefined;
  const url = new URL(uri);
  const [, prefix = "", secretName, secretVersion] =
    /^(.*)\/secrets\/([0-9a-z-]+)(?:\/([0-9a-z]*))?\/?$/i.exec(url.pathname) ?? [];
  if (url.protocol !== "https:" || !secretName) return undefined;
  return { vault: { url: `${url.origin}${prefix}` }, secretName, ...(secretVersion ? { secretVersion } : {}) };
}
