import { z } from "zod";
import { type Context, once } from "./context.ts";
import { readArm } from "./read-arm.ts";

const site = z.object({
  properties: z.object({
    virtualNetworkSubnetId: z.string().nullish(),
    /** Flex Consumption only. */
    functionAppConfig: z.unknown(),
    httpsOnly: z.boolean().nullish(),
  }),
});
export type Site = z.output<typeof site>["properties"];

/** The function app's ARM id: from what App Service tells its own app, or from azd's output on a laptop. */
export function siteId(env: Context["env"]): string | undefined {
  const [name, group, owner] = [env["WEBSITE_SITE_NAME"], env["WEBSITE_RESOURCE_GROUP"], env["WEBSITE_OWNER_NAME"]];
  if (name === undefined || group === undefined || owner === undefined) return env["AZURE_FUNCTION_APP_ID"];
  // `<subscription>+<resource group>-<region>webspace`
  return `/subscriptions/${owner.split("+")[0]}/resourceGroups/${group}/providers/Microsoft.Web/sites/${name}`;
}

/** What Azure Resource Manager says of the function app; undefined where its id is not known, or nothing is there. */
export function readSite(context: Context, signal: AbortSignal): Promise<Site | undefined> {
  const id = siteId(context.env);
  if (id === undefined) return Promise.resolve(undefined);
  return once(context, id, async () => (await readArm(context, id, "2024-04-01", site, signal))?.properties);
}
