import { fail } from "../arm.ts";
import type { ArmRequest, ArmRoute } from "../arm.ts";
import { isRecord, parseJson } from "../http.ts";
import type { Handler, Reply, Request } from "../http.ts";
import type { Site, SiteDeclaration, SiteState, Timing } from "./site.ts";

/** The ARM id of a site or slot. */
export function resourceId({ subscriptionId, resourceGroup, name, slot }: SiteDeclaration): string {
  const site = `/subscriptions/${subscriptionId}/resourceGroups/${resourceGroup}/providers/Microsoft.Web/sites/${name}`;
  return slot === undefined ? site : `${site}/slots/${slot}`;
}

const sitePath =
  /^(\/subscriptions\/[^/]+\/resourcegroups\/([^/]+)\/providers\/microsoft\.web\/sites\/([^/]+)(?:\/slots\/([^/]+))?)(\/.*)?$/i;

/** Answers `Microsoft.Web/sites` requests of ARM. */
export function siteRoutes(sites: readonly Site[], request: ArmRequest): ArmRoute | undefined {
  const [, id, group, name, slot, rest = ""] = sitePath.exec(request.path) ?? [];
  if (!id) return undefined;
  const site = sites.find(({ state }) => resourceId(state.declaration).toLowerCase() === id.toLowerCase());
  if (!site) {
    const what = `The Resource 'Microsoft.Web/sites/${slot ? `${name}/slots/${slot}` : name}' under resource group '${group}' was not found.`;
    const message = `${what} For more details please go to https://aka.ms/ARMResourceNotFoundFix`;
    return {
      operation: "sites.get",
      action: "Microsoft.Web/sites/read",
      run: () => fail(404, "ResourceNotFound", message),
    };
  }
  return siteRoute(site, request, rest.replaceAll(/\/+/g, "/"));
}

function siteRoute(site: Site, { method, json }: ArmRequest, rest: string): ArmRoute | undefined {
  const { state } = site;
  const reference = /^\/config\/configreferences\/appsettings\/([^/]+)$/i.exec(rest)?.[1];
  const does = (operation: string, action: string, run: () => Reply): ArmRoute => ({
    operation,
    action: `Microsoft.Web/${state.declaration.slot === undefined ? "sites" : "sites/slots"}/${action}`,
    run,
  });
  switch (`${method} ${rest.toLowerCase()}`) {
    case "GET ":
      return does("sites.get", "read", () => ok(siteBody(state)));
    case "POST /restart":
      return does("sites.restart", "restart/action", () => {
        site.restart();
        return { status: 200 };
      });
    case "POST /config/appsettings/list":
      return does("appsettings.list", "config/list/action", () =>
        ok(configBody(state, "appsettings", state.appSettings)),
      );
    case "PUT /config/appsettings":
      return does("appsettings.put", "config/write", () => {
        const settings = isRecord(json) && isRecord(json["properties"]) ? json["properties"] : undefined;
        if (!settings || !allStrings(settings))
          return fail(400, "BadRequest", "properties must be a dictionary of strings.");
        site.putSettings({ ...settings });
        return ok(configBody(state, "appsettings", state.appSettings));
      });
    case "GET /config/slotconfignames":
      // Sticky names belong to the whole site; under a slot the path does not exist.
      if (state.declaration.slot !== undefined) return undefined;
      return does("slotConfigNames.get", "config/read", () => {
        const appSettingNames = state.declaration.slotSettingNames ?? [];
        return ok(configBody(state, "slotConfigNames", { appSettingNames, connectionStringNames: [] }));
      });
    case "GET /config/configreferences/appsettings":
      return does("references.list", "config/read", () => ok(referencesBody(state)));
    case "POST /config/configreferences/appsettings/refresh":
      return does("references.refresh", "config/write", () => {
        site.refresh();
        return ok(referencesBody(state));
      });
    default:
  }
  if (method !== "GET" || reference === undefined) return undefined;
  return does("references.get", "config/read", () => {
    const name = decodeURIComponent(reference);
    const found = referencesBody(state).value.find((one) => one.name.toLowerCase() === name.toLowerCase());
    return found
      ? ok(found)
      : fail(404, "NotFound", `The app setting '${name}' does not exist or is no Key Vault reference.`);
  });
}

function ok(body: unknown): Reply {
  return { status: 200, body };
}

function allStrings(value: Record<string, unknown>): value is Record<string, string> {
  return Object.values(value).every((one) => typeof one === "string");
}

function siteBody({ declaration, changedAt }: SiteState) {
  const { name, slot, identity, location = "westeurope" } = declaration;
  const host = `${slot === undefined ? name : `${name}-${slot}`}.azurewebsites.net`;
  return {
    id: resourceId(declaration),
    name: slot === undefined ? name : `${name}/${slot}`,
    type: slot === undefined ? "Microsoft.Web/sites" : "Microsoft.Web/sites/slots",
    kind: "app,linux",
    location,
    ...(identity ? { identity: { type: "SystemAssigned", principalId: identity.objectId } } : {}),
    properties: {
      name,
      state: "Running",
      enabled: true,
      hostNames: [host],
      defaultHostName: host,
      lastModifiedTimeUtc: new Date(changedAt).toISOString(),
      keyVaultReferenceIdentity: "SystemAssigned",
    },
  };
}

function configBody({ declaration }: SiteState, name: string, properties: unknown) {
  const id = `${resourceId(declaration)}/config/${name}`;
  return { id, name, type: "Microsoft.Web/sites/config", location: declaration.location ?? "westeurope", properties };
}

/** Shape: ApiKVReferenceCollection in azure-rest-api-specs (web), and replies of the service quoted by its users. */
function referencesBody({ declaration, references }: SiteState) {
  const base = `${resourceId(declaration)}/config/configreferences/appsettings`;
  const value = Object.entries(references).map(([name, known]) => ({
    id: `${base}/${name}`,
    name,
    location: declaration.location ?? "westeurope",
    properties: { ...known, fetchedAt: undefined, identityType: "SystemAssigned", source: "KeyVault" },
  }));
  return { value, nextLink: null };
}

/** `/_emulator/sites`. */
export function controlRoute(
  sites: readonly Site[],
  timing: Timing,
  { method, url, body }: Request,
): ReturnType<Handler> {
  if (url.pathname !== "/_emulator/sites") return undefined;
  return {
    operation: "_emulator.sites",
    run() {
      if (method === "GET") {
        const value = sites.map(({ state: { declaration, references, startedAt, restartAt } }) => {
          const { name, slot } = declaration;
          return { name, slot, id: resourceId(declaration), startedAt, restartAt, references };
        });
        return ok({ ...timing, value });
      }
      const wanted = parseJson(body);
      if (!isRecord(wanted) || Object.values(wanted).some((one) => typeof one !== "number" || one < 0)) {
        return { status: 400, body: "Expected {restartLagSeconds?, cacheSeconds?}, both numbers." };
      }
      const { restartLagSeconds = timing.restartLagSeconds, cacheSeconds = timing.cacheSeconds } =
        wanted as Partial<Timing>;
      Object.assign(timing, { restartLagSeconds, cacheSeconds });
      return { status: 204 };
    },
  };
}
