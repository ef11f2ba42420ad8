import type { Context } from "./context.ts";
import { zoneOf } from "./context.ts";
import { type Check, eachOf, fault, ok, type Said } from "./finding.ts";

/** What tokens are asked for: every cloud's vaults have a resource of their own, which the vault itself names. */
const storageScope = "https://storage.azure.com/.default";

/** A token of each identity for Azure Resource Manager, and of the app's own for its storage. */
export const identity: Check<Context> = {
  id: "identity",
  area: "Identity",
  about: "the app's identity, and that of each trust zone, gets tokens",
  needs: ["settings"],
  async run(context) {
    const { config } = context;
    const { policy } = await context.policy();
    const zones = new Set(Object.values(policy?.vaults ?? {}).map(zoneOf));
    const arm = `${config.resourceManagerAudience}/.default`;
    const asked = [
      { clientId: config.clientId, scope: arm },
      ...("connectionString" in config.storage ? [] : [{ clientId: config.clientId, scope: storageScope }]),
      ...[...zones].filter((zone) => zone !== undefined).map((clientId) => ({ clientId, scope: arm })),
    ];
    const said = await eachOf(
      asked,
      ({ clientId }) => clientId ?? "the app",
      (one) => ask(context, one),
    );
    // One line for each identity, unless they say different things.
    return said.filter(
      (one, at) => said.findIndex((other) => other.subject === one.subject && other.level === one.level) === at,
    );
  },
};

async function ask(
  context: Context,
  { clientId, scope }: { readonly clientId: string | undefined; readonly scope: string },
): Promise<readonly Said[]> {
  const subject = clientId ?? (context.place === "app" ? "the app's own identity" : "your login");
  const token = await context
    .identity(clientId)
    .getToken(scope)
    .catch(() => null);
  if (token !== null) return [ok(subject, `gets tokens${whose(token.token)}`)];
  if (context.place === "laptop")
    return [
      fault(
        subject,
        `gets no token for ${hostOf(scope)}`,
        "Log in: az login (or azd auth login), in the tenant of the vault.",
      ),
    ];
  const todo =
    clientId === undefined
      ? "Switch the app's system-assigned identity on, or name a user-assigned one in AZURE_CLIENT_ID."
      : "Assign the user-assigned identity with that client id to the function app, or correct the client id (AZURE_CLIENT_ID, or identity of the vault in the policy).";
  return [fault(subject, `gets no token for ${hostOf(scope)}`, todo)];
}

const hostOf = (scope: string): string => new URL(scope).host;

/** The object id in a token's claims, which is what role assignments name. */
function whose(token: string): string {
  try {
    const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as Record<
      string,
      unknown
    >;
    return typeof claims["oid"] === "string" ? ` (object id ${claims["oid"]})` : "";
  } catch {
    return "";
  }
}
