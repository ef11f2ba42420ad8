import { PinionError } from "../errors.ts";
import type { ManagedObject, PolicyVault } from "../policy.ts";
import { type Context, once } from "./context.ts";
import { type Check, eachOf, fault, ok, type Said, warning } from "./finding.ts";
import { hostOf, isReached } from "./vault.ts";

/** That each object of the policy is in its vault, enabled, and says when it ends. */
export const objects: Check<Context> = {
  id: "objects",
  area: "Vaults",
  about: "each object exists, is enabled, has an expiry and is not soft-deleted",
  needs: ["settings", "identity", "policy"],
  async run(context, signal) {
    const { policy } = await context.policy();
    return eachOf(
      policy?.objects ?? [],
      ({ id }) => id,
      async (object) => {
        const vault = policy?.vaults[object.vault];
        return vault !== undefined && (await isReached(context, vault))
          ? [await look(context, vault, object, signal)]
          : [];
      },
    );
  },
};

async function look(context: Context, vault: PolicyVault, object: ManagedObject, signal: AbortSignal): Promise<Said> {
  const { id, kind, name } = object;
  const listed = await once(context, `${kind} ${vault.uri}`, () => context.inventory(vault, kind, signal)).catch(
    (error: unknown) => {
      if (error instanceof PinionError && error.code === "VAULT_FORBIDDEN") return undefined;
      throw error;
    },
  );
  if (listed === undefined)
    return fault(
      id,
      `the ${kind}s of ${hostOf(vault)} may not be listed, so the sweep finds nothing`,
      `Assign the role inventory-${kind} of infra/roles.json at ${vault.resourceId}.`,
    );
  const found = listed.find((one) => one.name.toLowerCase() === name.toLowerCase());
  if (found === undefined) {
    const { status } = await context.ask(vault, `/deleted${kind}s/${name}`);
    return status === 200
      ? fault(
          id,
          `the ${kind} ${name} is soft-deleted`,
          `Recover it: az keyvault ${kind} recover --vault-name ${vaultName(vault)} --name ${name}.`,
        )
      : fault(
          id,
          `there is no ${kind} ${name} in ${hostOf(vault)}`,
          `Make its first version, or correct vault and name in the policy.`,
        );
  }
  if (!found.enabled)
    return fault(
      id,
      `the newest version of ${name} is disabled`,
      "Enable it, or make a new one by hand; it holds what consumers need now.",
    );
  if (found.expiresOn === undefined)
    return warning(
      id,
      `${name} has no expiry, so no event comes and it is never due`,
      "Set an expiry on its newest version; rotations set it from then on.",
    );
  if (found.expiresOn.getTime() <= context.now())
    return warning(
      id,
      `${name} expired ${found.expiresOn.toISOString().slice(0, 10)}`,
      `Start its rotation now: POST /api/rotations/${id}/start.`,
    );
  return ok(id, `expires ${found.expiresOn.toISOString().slice(0, 10)}`);
}

const vaultName = ({ resourceId }: PolicyVault): string => resourceId.split("/").at(-1) ?? "";
