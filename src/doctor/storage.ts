import { statusOf } from "../store/storage.ts";
import { accountName } from "./account.ts";
import type { Context } from "./context.ts";
import { type Check, fault, ok, type Said } from "./finding.ts";
import { reasonOf } from "./vault-ask.ts";

/** That the app reaches what it keeps its records in, with its rights. */
export const storage: Check<Context> = {
  id: "storage",
  area: "Storage",
  about: "the table of records and the container of leases are there, and the app may use them",
  needs: ["settings", "identity"],
  async run(context) {
    const { storage } = context;
    const places = [
      ["table PinionRecords", "Storage Table Data Contributor", () => first(storage.records.listEntities())],
      ["container pinion-leases", "Storage Blob Data Owner", () => storage.leases.getProperties()],
    ] as const;
    const said = await Promise.all(places.map(([name, role, look]) => reach(context, name, role, look)));
    const bad = said.filter((one) => one !== undefined);
    return bad.length > 0 ? bad : [ok(accountName(context.config.storage), "table and container are there")];
  },
};

async function first(rows: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of rows) return;
}

/** One place of the app's storage; undefined where it is there and may be read. */
export async function reach(
  { config }: Context,
  name: string,
  role: string,
  look: () => Promise<unknown>,
): Promise<Said | undefined> {
  try {
    await look();
    return undefined;
  } catch (error) {
    const status = statusOf(error);
    const account = accountName(config.storage);
    if (status === 404)
      return fault(
        name,
        `is not in ${account}`,
        "Deploy infra/main.bicep, which makes it; the app makes it itself where it may.",
      );
    if (status === 401 || status === 403)
      return fault(
        name,
        `may not be read (${status})`,
        `Give the app's identity ${role} on ${account}, and let it through the account's firewall.`,
      );
    return fault(
      name,
      `did not answer (${status ?? reasonOf(error)})`,
      "Check PINION_STORAGE, name resolution, and the way out of the app's network.",
    );
  }
}
