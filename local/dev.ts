// npm run dev -- --vault <url>: the app on this machine against a real development vault, as the person that az is logged in as. It only looks.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { AzureCliCredential } from "@azure/identity";
import { accountOf, az } from "../infra/az.ts";
import { cloudOf } from "../infra/clouds.ts";
import { PinionError } from "../src/errors.ts";
import { isSafeUrl } from "../src/policy-texts.ts";
import { watch } from "./dev/host.ts";
import { type DevOptions, parseOptions, usage } from "./dev/options.ts";
import { policyOf, restricted } from "./dev/policy.ts";
import { findVaultId } from "./dev/resource-id.ts";
import { tableOf } from "./dev/table.ts";
import { listSecrets } from "./dev/vault.ts";

const say = (line = ""): void => console.log(line);

const args = process.argv.slice(2);

try {
  if (args.includes("--help") || args.includes("-h")) say(usage);
  else await run(parseOptions(args));
  process.exit(0);
} catch (error) {
  console.error(error instanceof PinionError ? error.message : error);
  process.exit(error instanceof PinionError && error.code === "BAD_REQUEST" ? 2 : 1);
}

async function run(options: DevOptions): Promise<void> {
  const { vault, once } = options;
  const { host: name, hostname } = new URL(vault);
  const account = await accountOf(az);
  say(`${account.user.name}, tenant ${account.tenantId}, ${account.environmentName}`);
  const { resourceManager, vaults } = cloudOf(account.environmentName);
  // A token for the cloud's vaults goes to one of them only, or to this machine.
  if (!hostname.endsWith(`.${vaults}`) && !/^(localhost|127(\.\d+){3})$/.test(hostname))
    throw new PinionError(
      "BAD_REQUEST",
      `${hostname} is no vault of ${account.environmentName}: its vaults end in .${vaults}.`,
    );
  const url = process.env["PINION_RESOURCE_MANAGER_URL"] ?? resourceManager;
  if (!isSafeUrl(url)) throw new PinionError("BAD_REQUEST", "PINION_RESOURCE_MANAGER_URL is not an https URL.");
  const credential = new AzureCliCredential();

  // Asked for with a policy too: here is told in words what the app would say as a code.
  const secrets = await listSecrets(vault, `https://${vaults}`, credential);
  say(`${name}: ${secrets.length} secrets of its own (no value is read)`);
  const { json, faults } =
    options.policy === undefined
      ? policyOf(
          vault,
          options.resourceId ?? (await findVaultId({ url, audience: resourceManager }, vault, credential)),
          secrets,
        )
      : restricted(textOf(options.policy), vault);
  if (faults !== "") say(faults);

  const dir = join(options.dir, name.replaceAll(":", "-"));
  const watching = await watch({
    dir,
    port: options.port,
    policy: json,
    resourceManagerUrl: url,
    resourceManagerAudience: resourceManager,
  });
  try {
    say("Nothing can be rotated: the settings stop every start, and the policy only observes.\n");
    const { objects, faults: unread } = await watching.sweep();
    for (const line of tableOf(objects, unread)) say(line);
    if (once) return;
    say(`\nThe API: ${watching.host.url}/api, for instance`);
    say(`  curl -H "x-functions-key: ${watching.host.key}" ${watching.host.url}/api/rotations`);
    say(`State and log are in ${dir}. Ctrl+C ends it.`);
    const over = new Promise<void>((done) => void process.once("SIGINT", done).once("SIGTERM", done));
    await Promise.race([over, watching.host.ended]);
  } finally {
    await watching.stop();
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    throw new PinionError("POLICY_UNREADABLE", `${file} cannot be read.`);
  }
}
