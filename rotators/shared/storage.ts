import { arm } from "../../src/policy-texts.ts";

/** The ARM id of a storage account that a target names. */
export const storageAccount = arm(
  "[mM]icrosoft\\.[sS]torage",
  "storageAccounts/[a-z0-9]{3,24}",
  "Microsoft.Storage/storageAccounts/<name>",
);

/** Data actions on the blobs of a container. */
export const blobActions = (...verbs: readonly string[]): readonly string[] =>
  verbs.map((verb) => `Microsoft.Storage/storageAccounts/blobServices/containers/blobs/${verb}`);

/** The container of a blob: its ARM id where the account's is known, else its URL, at which nobody can be granted anything. */
export function containerAt(blobUrl: string, account: string | undefined): string {
  const { origin, pathname } = new URL(blobUrl);
  const container = pathname.split("/")[1] ?? "";
  return account === undefined ? `${origin}/${container}` : `${account}/blobServices/default/containers/${container}`;
}
