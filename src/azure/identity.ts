import type { TokenCredential } from "@azure/core-auth";

/**
 * The app's own identity: the managed identity where the platform offers one, else whatever the developer is logged in as. The SDK
 * is loaded at the first token: it is the largest of all, and an app without work needs none.
 */
export function appIdentity(clientId: string | undefined): TokenCredential {
  let opened: Promise<TokenCredential> | undefined;
  const open = async (): Promise<TokenCredential> => {
    const { DefaultAzureCredential, ManagedIdentityCredential } = await import("@azure/identity");
    if (process.env["IDENTITY_ENDPOINT"] === undefined) return new DefaultAzureCredential();
    return clientId === undefined ? new ManagedIdentityCredential() : new ManagedIdentityCredential({ clientId });
  };
  return {
    async getToken(scopes, options) {
      opened ??= open();
      return (await opened).getToken(scopes, options);
    },
  };
}
