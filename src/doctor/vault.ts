import type { PolicyVault } from "../policy.ts";
import { type Context, once, zoneOf } from "./context.ts";
import { isAble } from "./identity.ts";
import { type Check, eachOf, fault, ok, type Said, unknown } from "./finding.ts";
import { PinionError } from "../errors.ts";

/** That each vault of the policy answers, and lets the identity in. What it may do there is asked by other checks. */
export const vault: Check<Context> = {
  id: "vault",
  area: "Vaults",
  about: "each vault answers, its firewall lets the app in, and the tenant is right",
  needs: ["settings", "identity", "policy"],
  async run(context) {
    return eachOf(await vaultsOf(context), hostOf, async (one) => [await reach(context, one)]);
  },
};

/** The vaults of the policy whose identity can be used. */
export async function vaultsOf(context: Context): Promise<readonly PolicyVault[]> {
  const { policy } = await context.policy();
  const all = Object.values(policy?.vaults ?? {});
  const able = await Promise.all(all.map((one) => isAble(context, zoneOf(one))));
  return all.filter((_, at) => able[at]);
}

/** Those of them that objects are in: events of a vault that candidates are only staged in are of no use. */
export async function eventVaultsOf(context: Context): Promise<readonly PolicyVault[]> {
  const { policy } = await context.policy();
  const used = new Set(policy?.objects.map((object) => policy.vaults[object.vault]?.uri));
  return (await vaultsOf(context)).filter(({ uri }) => used.has(uri));
}

export const hostOf = ({ uri }: PolicyVault): string => new URL(uri).host;

/** What a vault answers to one who lists its secrets; any page of them will do. */
export const firstAnswer = (context: Context, one: PolicyVault) =>
  once(context, `vault ${one.uri}`, () => context.ask(one, "/secrets?maxresults=1"));

/** Whether it is worth asking the vault for more. */
export async function isReached(context: Context, one: PolicyVault): Promise<boolean> {
  return (await reach(context, one).catch(() => undefined))?.level === "ok";
}

async function reach(context: Context, one: PolicyVault): Promise<Said> {
  const host = hostOf(one);
  try {
    const { status, inner } = await firstAnswer(context, one);
    if (inner === "ForbiddenByFirewall")
      return fault(
        host,
        "is shut by its firewall",
        "Let the app's outbound addresses or its subnet in, or give the vault a private endpoint.",
      );
    if (inner === "ForbiddenByConnection")
      return fault(
        host,
        "takes no call from the public network",
        context.place === "app"
          ? "Give the vault a private endpoint in the app's network, and link the private DNS zone to it."
          : "Run the doctor inside the network, or ask the app: --url.",
      );
    if (status === 401)
      return fault(
        host,
        "refuses the identity's token (401)",
        "The identity and the vault must belong to one Entra tenant.",
      );
    if (status === 429) return unknown(host, "asks to wait (429)", "Ask again in a minute.");
    if (status >= 500) return unknown(host, `answered ${status}`, "Ask again in a minute.");
    // A refusal by role is an answer: the rights have a check of their own.
    return ok(host, "answers");
  } catch (error) {
    if (!(error instanceof PinionError && error.code === "VAULT_UNAVAILABLE")) throw error;
    return fault(
      host,
      error.message.replace(`${host} `, ""),
      "Check the vault's uri in the policy, name resolution, and the way out of the app's network.",
    );
  }
}
