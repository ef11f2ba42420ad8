import {
  atResource,
  holdsKey,
  isOurs,
  keyUrl,
  misconfigured,
  unsettled,
  versionIn,
  wholeResource,
  type HeldKey,
} from "./customer-key.ts";

const apiVersion = "2025-06-01";

interface Encryption {
  readonly keySource?: string;
  readonly keyvaultproperties?: {
    readonly keyname?: string;
    readonly keyvaulturi?: string;
    readonly keyversion?: string;
    readonly currentVersionedKeyIdentifier?: string;
  };
}

interface Account {
  readonly properties?: { readonly provisioningState?: string; readonly encryption?: Encryption };
}

interface Held extends HeldKey {
  readonly encryption: Encryption;
}

/**
 * A storage account with a customer-managed key. Without a `keyversion` it looks for a newer one once a day. The data keys are wrapped
 * anew at once; nothing is encrypted again (Azure Storage, "Configure customer-managed keys").
 */
export const storageAccount = holdsKey<"storage-account", Held>({
  kind: "storage-account",
  ...atResource(wholeResource("storage-account", "a storage account", "Microsoft.Storage/storageAccounts")),

  async look(step) {
    const { arm, consumer, signal } = step;
    const found = (await arm({ method: "GET", path: consumer.resourceId, apiVersion, signal })) as Account;
    const { encryption = {}, provisioningState } = found.properties ?? {};
    const { keyname = "", keyvaulturi = "", keyversion = "", ...told } = encryption.keyvaultproperties ?? {};
    if (!isOurs(step, keyUrl(keyvaulturi, keyname)))
      throw misconfigured(step, `is not encrypted with ${step.object.baseUrl}`);
    return {
      encryption,
      pinned: keyversion === "" ? undefined : keyversion.toLowerCase(),
      active: versionIn(step, told.currentVersionedKeyIdentifier ?? ""),
      pending: unsettled(provisioningState),
    };
  },

  async write({ arm, consumer, signal }, keyversion, { encryption }) {
    const { keyname, keyvaulturi } = encryption.keyvaultproperties ?? {};
    // What stands beside the key (identity, services) is sent as it is: whether PATCH would keep it is not documented.
    const next = { ...encryption, keyvaultproperties: { keyname, keyvaulturi, keyversion } };
    await arm({
      method: "PATCH",
      path: consumer.resourceId,
      apiVersion,
      body: { properties: { encryption: next } },
      signal,
    });
  },

  retention: async () => ({ days: 1, why: "Azure Storage asks to keep the old version for 24 hours after a change" }),
});
