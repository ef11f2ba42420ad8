import { accountName, readAccount } from "./account.ts";
import type { Context } from "./context.ts";
import { type Check, fault, ok, type Said, warning } from "./finding.ts";

/** That nobody gets into the app's storage by a key, or without any. */
export const storageAccount: Check<Context> = {
  id: "storage-account",
  area: "Storage",
  about: "shared keys and public blobs are off at the app's storage account",
  needs: ["settings", "identity"],
  async run(context, signal) {
    const { config, hostStorage } = context;
    const accounts = new Map([hostStorage, config.storage, config.evidence].map((one) => [accountName(one), one]));
    const looks = [...accounts].map(async ([name, storage]): Promise<readonly Said[]> => {
      const found = await readAccount(context, storage, signal);
      if (found === undefined) return [];
      const said: Said[] = [];
      if (found.allowSharedKeyAccess !== false)
        said.push(
          fault(
            name,
            "takes account keys: whoever has one may forge commands",
            "Set allowSharedKeyAccess to false: infra/main.bicep does.",
          ),
        );
      if (found.allowBlobPublicAccess === true)
        said.push(
          warning(name, "lets containers be public", "Set allowBlobPublicAccess to false: infra/main.bicep does."),
        );
      return said.length > 0 ? said : [ok(name, "takes no keys")];
    });
    return (await Promise.all(looks)).flat();
  },
};
