import type { Arm } from "../../src/azure/arm.ts";
import { outside } from "./process.ts";

/** ARM with one storage account in it that is encrypted with a version of a key. */
export function storageAccount(vaultUri: string, keyName: string, version: string) {
  const resourceId =
    "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/orders";
  let keyversion = version;
  const moves: string[] = [];
  const show = () => ({
    properties: {
      provisioningState: "Succeeded",
      encryption: {
        keySource: "Microsoft.Keyvault",
        keyvaultproperties: {
          keyname: keyName,
          keyvaulturi: vaultUri,
          keyversion,
          currentVersionedKeyIdentifier: `${vaultUri}/keys/${keyName}/${keyversion}`,
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
      return show();
    });
  const consumer = { kind: "storage-account", id: "orders", resourceId, reads: "pinned", lag: "PT1M" };
  return { arm, consumer, moves, uses: () => keyversion };
}
