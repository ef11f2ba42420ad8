import { hasContainer, hasTable, statusOf } from "../store/storage.ts";
import { accountName } from "./account.ts";
import type { Context } from "./context.ts";
import { type Check, ok, type Said, stop } from "./finding.ts";
import { reasonOf } from "./vault-ask.ts";

/** That the app reaches what it keeps its records in, with its rights. */
export const storage: Check<Context> = {
  id: "storage",
  area: "Storage",
  about: "the table of records and the container of leases are there, and the app may use them",
  needs: ["settings", "identity"],
  async run(context) {
    const { storage } = context;
    const account = accountName(context.config.storage);
    const said = await Promise.all([
      reach("table PinionRecords", account, "Storage Table Data Contributor", () => hasTable(storage.records)),
      reach("container pinion-leases", account, "Storage Blob Data Owner", () => hasContainer(storage.leases)),
    ]);
    const bad = said.filter((one) => one !== undefined);
    return bad.length > 0 ? bad : [ok(account, "table and container are there")];
  },
};

/** One place of the app's storage; undefined where it is there and may be read. */
export async function reach(
  name: string,
  account: string,
  role: string,
  isThere: () => Promise<boolean>,
): Promise<Said | undefined> {
  try {
    if (await isThere()) return undefined;
    return stop(
      name,
      `is not in ${account}`,
      "Deploy infra/main.bicep, which makes it; the app makes it itself where it may.",
    );
  } catch (error) {
    const status = statusOf(error);
    if (status === 401 || status === 403)
      return stop(
        name,
        `may not be read (${status})`,
        `Give the app's identity ${role} on ${account}, and let it through the account's firewall.`,
      );
    return stop(
      name,
      `did not answer (${status ?? reasonOf(error)})`,
      "Check the settings of the account, name resolution, and the way out of the app's network.",
    );
  }
}
