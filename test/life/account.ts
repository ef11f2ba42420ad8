import type { Arm } from "../../src/azure/arm.ts";
import { outside } from "./process.ts";

const parent =
  "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts";

export interface AccountOptions {
  /** The newest version of the key; with it the account names none, and works with what this gives. */
  readonly newest?: () => Promise<string>;
  readonly id?: string;
}

/** ARM with one storage account in it that is encrypted with a version of a key. */
export function storageAccount(
  vaultUri: string,
  keyName: string,
  version: string,
  { newest, id = "orders" }: AccountOptions = {},
) {
  const resourceId = `${parent}/${id}`;
  let keyversion = newest === undefined ? version : "";
  const moves: string[] = [];
  const show = (active: string) => ({
    properties: {
      provisioningState: "Succeeded",
      encryption: {
        keySource: "Microsoft.Keyvault",
        keyvaultproperties: {
          keyname: keyName,
          keyvaulturi: vaultUri,
          keyversion,
          currentVersionedKeyIdentifier: `${vaultUri}/keys/${keyName}/${active}`,
        },
      },
    },
  });
  const arm: Arm = async ({ method, path, body }) =>
    await outside(`arm ${method}`, async () => {
      if (path !== resourceId) return undefined;
      if (method === "PATCH") {
        const next = body as ReturnType<typeof show>;
        keyversion = next.properties.encryption.keyvaultproperties.keyversion;
        moves.push(keyversion);
      }
      return show((await newest?.()) ?? keyversion);
    });
  const reads = newest === undefined ? "pinned" : "latest";
  const consumer = { kind: "storage-account", id, resourceId, reads, lag: "PT1M" };
  /** Somebody else pins it. */
  const put = async (next: string) => void (keyversion = next);
  return { arm, consumer, moves, put, uses: () => keyversion };
}
