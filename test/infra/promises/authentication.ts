import { at, type Resource } from "../harness/arm.ts";
import { environments, evaluate } from "../harness/evaluate.ts";
import type { Promised } from "../harness/promise.ts";
import { apps, clientId, predictions, tenantId } from "../harness/scenarios.ts";

// Nobody without a token of the tenant for the application reaches the app, and no secret stands behind that.

/** Paths that are open: public keys, and the trigger where Event Grid calls it. */
const open = (scenario: string): string[] =>
  scenario === "all of it"
    ? ["/api/jwks/*", "/runtime/webhooks/eventgrid", "/runtime/webhooks/EventGrid"]
    : ["/api/jwks/*"];

function faultsOf(scenario: string, resources: readonly Resource[]): string[] {
  const [settings, ...others] = resources.filter(({ id }) => id?.endsWith("/config/authsettingsV2"));
  if (settings === undefined || others.length > 0) return ["App Service authentication is not set up once"];
  return Object.values(environments).flatMap((environment) => {
    // What is made of the cloud's addresses must be right with a slash at their end and without.
    const seen = evaluate({ ...settings.properties }, environment);
    const found = (...path: string[]) => at(seen, ...path);
    const registration = ["identityProviders", "azureActiveDirectory", "registration"];
    const secretName = String(found(...registration, "clientSecretSettingName"));
    const login = new URL(environment.authentication.loginEndpoint).host;
    const rules: readonly (readonly [boolean, string])[] = [
      [found("platform", "enabled") === true, "it is off"],
      [found("globalValidation", "requireAuthentication") === true, "callers without a token get in"],
      [
        found("globalValidation", "unauthenticatedClientAction") === "Return401",
        "callers without a token are not answered 401",
      ],
      [
        JSON.stringify(found("globalValidation", "excludedPaths")) === JSON.stringify(open(scenario)),
        `other paths are open than ${open(scenario).join(" and ")}`,
      ],
      [found("httpSettings", "requireHttps") === true, "plain http is taken"],
      [found("identityProviders", "azureActiveDirectory", "enabled") === true, "Entra is not the provider"],
      [
        Object.keys(found("identityProviders") ?? {}).join() === "azureActiveDirectory",
        "there is another provider than Entra",
      ],
      [found(...registration, "clientId") === clientId, "the application is another"],
      [
        found(...registration, "openIdIssuer") === `https://${login}/${tenantId}/v2.0`,
        `the issuer is ${String(found(...registration, "openIdIssuer"))}`,
      ],
      [secretName === "OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID", "a secret stands behind it"],
      [found("login", "tokenStore", "enabled") === false, "tokens are kept"],
    ];
    return rules
      .filter(([holds]) => !holds)
      .map(([, fault]) => `App Service authentication in ${environment.name}: ${fault}`);
  });
}

const file = "infra/modules/authentication.bicep";

export const authentication: Promised = {
  name: "nobody reaches the app without a token, and no secret stands behind that",
  scenarios: apps,
  async check(infra, scenarios) {
    const found = await predictions(infra, scenarios);
    return found.flatMap(({ name, resources }) => faultsOf(name, resources).map((fault) => `${name}: ${fault}`));
  },
  mutations: [
    {
      what: "callers without a token get in",
      in: "plain",
      edits: [{ file, find: "requireAuthentication: true", put: "requireAuthentication: false" }],
      says: /callers without a token get in/,
    },
    {
      what: "the webhook is open where no event comes by it",
      in: "plain",
      edits: [{ file, find: "...(webhook ?", put: "...(true ?" }],
      says: /other paths are open/,
    },
    {
      what: "the durable management API is open",
      in: "private",
      edits: [
        {
          file,
          find: "          '/api/jwks/*'\n",
          put: "          '/api/jwks/*'\n          '/runtime/webhooks/durabletask'\n",
        },
      ],
      says: /other paths are open/,
    },
    {
      what: "a secret stands behind it",
      in: "plain",
      edits: [
        {
          file,
          find: "clientSecretSettingName: 'OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID'",
          put: "clientSecretSettingName: 'MICROSOFT_PROVIDER_AUTHENTICATION_SECRET'",
        },
      ],
      says: /a secret stands behind it/,
    },
    {
      what: "another tenant's tokens are taken",
      in: "plain",
      edits: [{ file, find: "authentication.?tenantId ?? tenant().tenantId", put: "'common'" }],
      says: /the issuer is/,
    },
  ],
};
