import { z } from "zod";
import type { Context } from "./context.ts";
import { type Check, fault, ok, type Said, unknown, warning } from "./finding.ts";
import { readArm } from "./read-arm.ts";
import { siteId } from "./site.ts";

const schema = z.object({
  properties: z.object({
    platform: z.object({ enabled: z.boolean().nullish() }).nullish(),
    globalValidation: z
      .object({
        requireAuthentication: z.boolean().nullish(),
        unauthenticatedClientAction: z.string().nullish(),
        excludedPaths: z.array(z.string()).nullish(),
      })
      .nullish(),
  }),
});

/** What anybody may call: public keys, and, where events come straight to the trigger, the webhook with its own key. */
const open = ["/api/jwks/*", "/runtime/webhooks/eventgrid"];

/** That whoever calls the API is known. */
export const authentication: Check<Context> = {
  id: "authentication",
  area: "Access",
  about: "App Service authentication is on, answers 401, and excludes no more paths than it must",
  needs: ["settings", "identity"],
  async run(context, signal) {
    const { config } = context;
    if (config.commandAuthority === "keys")
      return [ok("PINION_COMMAND_AUTHORITY", "lets function keys command: a cloud on this machine")];
    const id = siteId(context.env);
    if (id === undefined)
      return context.place === "laptop"
        ? []
        : [unknown("the function app", "does not say its name (WEBSITE_SITE_NAME)")];
    const found = await readArm(context, `${id}/config/authsettingsV2`, "2024-04-01", schema, signal);
    return judge(found?.properties, context);
  },
};

function judge(found: z.output<typeof schema>["properties"] | undefined, { config, place }: Context): readonly Said[] {
  const site = "the function app";
  const again = "Deploy infra/main.bicep with the Entra application: npm run entra makes one.";
  if (found?.platform?.enabled !== true)
    return [
      fault(site, "has no App Service authentication: nobody can prove who they are, so nobody may command", again),
    ];
  const { requireAuthentication, unauthenticatedClientAction: action, excludedPaths } = found.globalValidation ?? {};
  const said: Said[] = [];
  if (place === "app" && !config.appServiceAuth)
    said.push(
      fault(
        site,
        "has authentication on, and the app does not know it (WEBSITE_AUTH_ENABLED)",
        "Remove WEBSITE_AUTH_ENABLED from the app settings: the platform sets it; then restart the app.",
      ),
    );
  if (requireAuthentication !== true) said.push(fault(site, "lets calls through without authentication", again));
  if (action !== "Return401" && requireAuthentication === true)
    said.push(
      warning(
        site,
        `answers ${action ?? "a redirect"} to a caller who is not known`,
        "Set unauthenticatedClientAction to Return401: an API has no login page.",
      ),
    );
  const wide = (excludedPaths ?? []).filter((path) => !open.includes(path.toLowerCase()));
  if (wide.length > 0)
    said.push(
      fault(
        site,
        `excludes ${wide.join(", ")} from authentication`,
        `Take these out of excludedPaths; only ${open.join(" and ")} may be there.`,
      ),
    );
  return said.length > 0 ? said : [ok(site, "asks everybody who they are")];
}
