import type { Handler, Reply, Request } from "./http.ts";
import { choose } from "./identity.ts";
import type { Identity } from "./identity.ts";
import type { Tokens } from "./tokens.ts";

/** Options of `createImds`. */
export interface ImdsOptions {
  readonly tokens: Tokens;
  readonly identities: readonly Identity[];
}

/**
 * A virtual machine's token endpoint, `GET /metadata/identity/oauth2/token?api-version=2018-02-01&resource=...` with the
 * header `Metadata: true`. Shapes: learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token.
 * Azure has it at 169.254.169.254; clients go elsewhere by `AZURE_POD_IDENTITY_AUTHORITY_HOST`.
 */
export function createImds(options: ImdsOptions): Handler {
  return (request) => {
    const path = request.url.pathname.replace(/\/$/, "");
    if (request.method !== "GET" || path !== "/metadata/identity/oauth2/token") return undefined;
    return { operation: "imds.token", run: () => answer(options, request) };
  };
}

async function answer({ tokens, identities }: ImdsOptions, { url, headers }: Request): Promise<Reply> {
  if (String(headers["metadata"]).toLowerCase() !== "true") return refuse("Required metadata header not specified");
  if (!url.searchParams.get("api-version")) return refuse("Required query variable 'api-version' is missing");
  const resource = url.searchParams.get("resource");
  if (!resource) return refuse("Required query variable 'resource' is missing");
  const identity = choose(identities, url.searchParams);
  if (!identity) return refuse("Identity not found");
  const { clientId, objectId, roles } = identity;
  const issued = await tokens.issue({ audience: resource, objectId, appId: clientId, ...(roles ? { roles } : {}) });
  const { token, expiresOn, issuedAt } = issued;
  return {
    status: 200,
    body: {
      access_token: token,
      client_id: clientId,
      expires_in: String(expiresOn - issuedAt),
      expires_on: String(expiresOn),
      ext_expires_in: String(expiresOn - issuedAt),
      not_before: String(issuedAt),
      resource,
      token_type: "Bearer",
    },
  };
}

const refuse = (text: string): Reply => ({
  status: 400,
  body: { error: "invalid_request", error_description: text },
});
