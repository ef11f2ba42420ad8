import type { NamedClient } from "./entra.ts";
import type { CliOptions } from "./options.ts";

/** What runs, for those who use it. */
export interface Served {
  readonly vaults: readonly { readonly name: string; readonly url: string }[];
  /** PEM of the authority that clients must trust. */
  readonly caFile: string;
  /** With strict: where tokens come from, and for whom. */
  readonly entra?: {
    readonly url: string;
    readonly identityUrl: string;
    readonly header: string;
    readonly clients: readonly Pick<NamedClient, "name" | "clientId" | "objectId" | "secret">[];
  };
}

/** Environment variables that let clients reach the first vault, as the first identity. */
export function environment({ vaults, caFile, entra }: Served, tenant: string): Readonly<Record<string, string>> {
  const [client] = entra?.clients ?? [];
  return {
    AZURE_KEYVAULT_URL: vaults[0]!.url,
    NODE_EXTRA_CA_CERTS: caFile,
    REQUESTS_CA_BUNDLE: caFile,
    SSL_CERT_FILE: caFile,
    CURL_CA_BUNDLE: caFile,
    ...(entra && client
      ? {
          AZURE_TENANT_ID: tenant,
          AZURE_CLIENT_ID: client.clientId,
          AZURE_CLIENT_SECRET: client.secret,
          AZURE_AUTHORITY_HOST: entra.url,
          IDENTITY_ENDPOINT: `${entra.identityUrl}/msi/token`,
          IDENTITY_HEADER: entra.header,
          AZURE_POD_IDENTITY_AUTHORITY_HOST: entra.identityUrl,
        }
      : {}),
  };
}

/** One line of JSON for programs that start the vaults. */
export function asJson(served: Served, { tenant }: CliOptions): string {
  const { vaults, caFile, entra } = served;
  return JSON.stringify({
    vaults: Object.fromEntries(vaults.map(({ name, url }) => [name, url])),
    caFile,
    environment: environment(served, tenant),
    identities:
      entra?.clients.map(({ name, clientId, objectId, secret }) => ({ name, clientId, objectId, secret })) ?? [],
  });
}

/** What a person reads at the start. */
export function asText(served: Served, options: CliOptions, keyPlace: string): string {
  const { vaults, caFile, entra } = served;
  const width = Math.max(...vaults.map(({ name }) => name.length));
  const env = environment(served, options.tenant);
  const lines = (...names: readonly string[]) => names.map((name) => `  ${name}=${env[name]}`);
  return [
    "Key Vaults on this machine:",
    ...vaults.map(({ name, url }) => `  ${name.padEnd(width)}  ${url}`),
    "",
    options.strict
      ? "Tokens are checked: signature, audience, expiry and roles (--auth strict)."
      : "Any bearer token is taken, whoever sends it: nothing is checked unless you start with --auth strict.",
    options.state === undefined
      ? "Nothing is kept when this ends; --state DIR keeps it."
      : `Everything is kept in ${options.state}, sealed with ${keyPlace}.`,
    `Controls: curl --cacert ${caFile} ${vaults[0]!.url}/_emulator/`,
    "",
    "curl:",
    ...lines("CURL_CA_BUNDLE"),
    "Clients must trust the authority and, since 127.0.0.1 is not vault.azure.net, have challenge resource verification off.",
    "JavaScript: new SecretClient(url, credential, { disableChallengeResourceVerification: true })",
    ...lines("AZURE_KEYVAULT_URL", "NODE_EXTRA_CA_CERTS"),
    "Python: SecretClient(url, credential, verify_challenge_resource=False)",
    ...lines("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"),
    ".NET: new SecretClientOptions { DisableChallengeResourceVerification = true }; on Linux it trusts by",
    ...lines("SSL_CERT_FILE"),
    "Java: new SecretClientBuilder().disableChallengeResourceVerification(); it trusts by a store of its own:",
    `  keytool -importcert -noprompt -alias pinion -file '${caFile}' -keystore pinion-trust.p12 -storepass changeit`,
    "  JAVA_TOOL_OPTIONS='-Djavax.net.ssl.trustStore=pinion-trust.p12 -Djavax.net.ssl.trustStorePassword=changeit'",
    ...(entra ? strictLines(served, options.tenant) : []),
    "",
    "Ctrl+C ends it.",
  ].join("\n");
}

function strictLines({ entra, ...served }: Served, tenant: string): readonly string[] {
  if (!entra) return [];
  const env = environment({ entra, ...served }, tenant);
  const lines = (...names: readonly string[]) => names.map((name) => `  ${name}=${env[name]}`);
  return [
    "",
    `Tokens come from ${entra.url} (credentials need instance discovery off: disableInstanceDiscovery), for ${entra.clients[0]!.name} (object id ${entra.clients[0]!.objectId}):`,
    ...lines("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_AUTHORITY_HOST"),
    "or, as its managed identity, in an app or on a machine:",
    ...lines("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "AZURE_POD_IDENTITY_AUTHORITY_HOST"),
    ...entra.clients
      .slice(1)
      .map(
        ({ name, clientId, objectId, secret }) =>
          `${name}: client id ${clientId}, secret ${secret}, object id ${objectId}`,
      ),
  ];
}
