// npm run entra -- --name <name>: the Entra application for App Service authentication, made or mended through Microsoft Graph as az's login.
import { PinionError } from "../src/errors.ts";
import { accountOf, az } from "./az.ts";
import { cloudOf } from "./clouds.ts";
import { apply } from "./entra/apply.ts";
import { openGraph } from "./entra/graph.ts";
import { type EntraOptions, parseOptions, usage } from "./entra/options.ts";
import { printed } from "./entra/print.ts";

const say = (line: string): void => console.log(line);

const args = process.argv.slice(2);

try {
  if (args.includes("--help") || args.includes("-h")) say(usage);
  else await run(parseOptions(args));
} catch (error) {
  console.error(error instanceof PinionError ? error.message : error);
  process.exitCode = error instanceof PinionError && error.code === "BAD_REQUEST" ? 2 : 1;
}

async function run({ print, cloud: named, tenant, ...rest }: EntraOptions): Promise<void> {
  // Nothing is asked where everything is said.
  const account = print && named !== undefined && tenant !== undefined ? undefined : await accountOf(az);
  const cloud = cloudOf(named ?? account?.environmentName ?? "");
  const wish = { ...rest, cloud, tenantId: tenant ?? account?.tenantId ?? "" };
  if (print) return printed(wish).forEach(say);
  if (wish.tenantId !== account?.tenantId || cloud !== cloudOf(account.environmentName))
    throw new PinionError(
      "BAD_REQUEST",
      `az is logged in to tenant ${account?.tenantId} of ${account?.environmentName}: run \`az login --tenant <id>\` for another.`,
    );
  const { accessToken } = (await az("account", "get-access-token", "--resource", cloud.graph)) as {
    accessToken: string;
  };
  const { clientId, changes } = await apply(
    openGraph({ url: cloud.graph, token: accessToken }),
    wish,
    account.user,
    say,
  );
  say(changes === 0 ? "Nothing had to be changed." : `${changes} changes.`);
  say(`client id ${clientId}, tenant id ${wish.tenantId}`);
}
