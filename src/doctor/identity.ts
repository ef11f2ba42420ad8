import { type Context, once, zoneOf } from "./context.ts";
import { type Check, fault, ok, type Said, stop } from "./finding.ts";

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
    const own = [arm, ...("connectionString" in config.storage ? [] : [storageScope])];
    const asked = [
      ...own.map((scope) => ({ clientId: config.clientId, scope, judge: stop })),
      ...[...zones].filter((zone) => zone !== undefined).map((clientId) => ({ clientId, scope: arm, judge: fault })),
    ];
    const said = await Promise.all(asked.map((one) => ask(context, one)));
    // One line for each identity, unless they say different things.
    return said.filter(
      (one, at) => said.findIndex((other) => other.subject === one.subject && other.level === one.level) === at,
    );
  },
};

/** Whether the identity of a trust zone can be used at all; what needs it is not looked at otherwise. */
export async function isAble(context: Context, clientId: string | undefined): Promise<boolean> {
  const scope = `${context.config.resourceManagerAudience}/.default`;
  return (await once(context, `token ${clientId} ${scope}`, () => tokenOf(context, clientId, scope))) !== undefined;
}

const tokenOf = async (context: Context, clientId: string | undefined, scope: string) =>
  await context
    .identity(clientId)
    .getToken(scope)
    .then((found) => found?.token)
    .catch(() => undefined);

interface Asked {
  readonly clientId: string | undefined;
  readonly scope: string;
  /** How bad it is to get none. */
  readonly judge: typeof fault;
}

async function ask(context: Context, { clientId, scope, judge }: Asked): Promise<Said> {
  const subject = clientId ?? (context.place === "app" ? "the app's own identity" : "your login");
  const token = await once(context, `token ${clientId} ${scope}`, () => tokenOf(context, clientId, scope));
  if (token !== undefined) return ok(subject, `gets tokens${whose(token)}`);
  const says = `gets no token for ${new URL(scope).host}`;
  if (context.place === "laptop")
    return judge(subject, says, "Log in: az login (or azd auth login), in the tenant of the vault.");
  return judge(
    subject,
    says,
    clientId === undefined
      ? "Switch the app's system-assigned identity on, or name a user-assigned one in AZURE_CLIENT_ID."
      : "Assign the user-assigned identity with that client id to the function app, or correct the client id (AZURE_CLIENT_ID, or identity of the vault in the policy).",
  );
}

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
