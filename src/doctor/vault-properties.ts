import { z } from "zod";
import type { PolicyVault } from "../policy.ts";
import { connections } from "./account.ts";
import { type Context, once } from "./context.ts";
import { type Check, eachOf, fault, ok, type Said, warning } from "./finding.ts";
import { nameOf, readArm, sameId } from "./read-arm.ts";
import { hostOf, vaultsOf } from "./vault.ts";

const schema = z.object({
  properties: z.object({
    vaultUri: z.string().nullish(),
    enableRbacAuthorization: z.boolean().nullish(),
    enablePurgeProtection: z.boolean().nullish(),
    publicNetworkAccess: z.string().nullish(),
    privateEndpointConnections: connections,
  }),
});

/** What Azure Resource Manager says of a vault; undefined where it knows none of that id. */
export const readVault = (context: Context, { resourceId }: PolicyVault, signal: AbortSignal) =>
  once(context, resourceId, async () => (await readArm(context, resourceId, "2023-07-01", schema, signal))?.properties);

/** That a vault goes by roles, keeps what is deleted, and is the one that the policy's address names. */
export const vaultProperties: Check<Context> = {
  id: "vault-properties",
  area: "Vaults",
  about: "each vault goes by roles, has purge protection, and its id and address belong together",
  needs: ["settings", "identity", "policy"],
  async run(context, signal) {
    return eachOf(await vaultsOf(context), hostOf, (one) => look(context, one, signal));
  },
};

async function look(context: Context, one: PolicyVault, signal: AbortSignal): Promise<readonly Said[]> {
  const host = hostOf(one);
  const found = await readVault(context, one, signal);
  if (found === undefined)
    return [
      fault(
        host,
        `is not known as ${nameOf(one.resourceId)} in that resource group`,
        "Correct resourceId in the policy; events are checked against it.",
      ),
    ];
  const said: Said[] = [];
  if (found.vaultUri && !sameId(new URL(found.vaultUri).host, host))
    said.push(
      fault(
        host,
        `is another vault than ${one.resourceId}`,
        "Make uri and resourceId of the policy name the same vault.",
      ),
    );
  if (found.enableRbacAuthorization !== true)
    said.push(
      warning(
        host,
        "goes by access policies, so roles at its objects count for nothing",
        "Switch it to Azure role-based access control, or grant the app an access policy.",
      ),
    );
  if (found.enablePurgeProtection !== true)
    said.push(
      warning(
        host,
        "has no purge protection: what is deleted can be gone for good",
        "Switch purge protection on; it cannot be switched off again.",
      ),
    );
  return said.length > 0 ? said : [ok(host, "goes by roles and has purge protection")];
}
