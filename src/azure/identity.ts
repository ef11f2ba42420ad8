import type { TokenCredential } from "@azure/core-auth";
import { PinionError } from "../errors.ts";

/**
 * A managed identity by its client id, or, without one, the system-assigned; where the platform offers none, whatever the developer is
 * logged in as. `IDENTITY_UNAVAILABLE` (transient: one that was assigned a moment ago takes its time) when it gives no token. The SDK is
 * loaded at the first token: it is the largest of all, and an app without work needs none.
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
      const credential = await opened;
      try {
        return await credential.getToken(scopes, options);
      } catch (error) {
        if (error instanceof Error && error.name === "AbortError") throw error;
        throw unavailable(clientId);
      }
    },
  };
}

/** The endpoint's own text is dropped: a developer's tools put their output in theirs. */
function unavailable(clientId: string | undefined): PinionError {
  const which = clientId === undefined ? "The app's identity" : `The identity ${clientId}`;
  return new PinionError(
    "IDENTITY_UNAVAILABLE",
    `${which} gives no token: assign it to the Function App, or correct AZURE_CLIENT_ID or the vault's identity in the policy.`,
    { class: "transient" },
  );
}
