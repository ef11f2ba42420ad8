import type { TokenCredential } from "@azure/core-auth";
import { type Arm, openArm } from "../../src/azure/arm.ts";
import { PinionError } from "../../src/errors.ts";

const patience = 60_000;

/** The ARM id of the vault at this address: it is looked for in the subscriptions that the identity sees. */
export async function findVaultId(
  { url, audience }: { readonly url: string; readonly audience: string },
  vault: string,
  credential: TokenCredential,
): Promise<string> {
  const arm = openArm(url, audience, credential);
  const { host } = new URL(vault);
  try {
    for (const { subscriptionId } of await all<{ subscriptionId: string }>(arm, "/subscriptions", "2022-12-01")) {
      const path = `/subscriptions/${subscriptionId}/providers/Microsoft.KeyVault/vaults`;
      const vaults = await all<{ id: string; properties: { vaultUri: string } }>(arm, path, "2023-07-01");
      const found = vaults.find(({ properties }) => new URL(properties.vaultUri).host === host);
      if (found !== undefined) return found.id;
    }
  } catch (error) {
    if (!(error instanceof PinionError)) throw error;
    throw new PinionError(error.code, `${host} could not be looked up in Azure Resource Manager. ${advice}`);
  }
  throw new PinionError("NOT_FOUND", `No subscription that az sees has ${host}. ${advice}`);
}

const advice =
  "Say where it is: --resource-id /subscriptions/<id>/resourceGroups/<group>/providers/Microsoft.KeyVault/vaults/<name>.";

/** A list of ARM's, with its further pages. */
async function all<T>(arm: Arm, path: string, apiVersion: string): Promise<readonly T[]> {
  const found: T[] = [];
  for (let next: string | undefined = path; next !== undefined;) {
    const page = (await arm({ method: "GET", path: next, apiVersion, signal: AbortSignal.timeout(patience) })) as {
      readonly value: readonly T[];
      readonly nextLink?: string;
    };
    found.push(...page.value);
    // Only its path: the token goes to the address that was asked first.
    const { pathname, search } = new URL(page.nextLink ?? "about:blank");
    next = page.nextLink === undefined ? undefined : `${pathname}${search}`;
  }
  return found;
}
