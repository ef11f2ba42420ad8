import { PinionError } from "../src/errors.ts";

/** The addresses of one cloud of Azure, each without a slash at its end. */
export interface AzureCloud {
  readonly resourceManager: string;
  readonly graph: string;
  /** Where Entra ID signs in, and the issuer of its tokens begins. */
  readonly login: string;
  /** What a workload's token is meant for when it is exchanged. */
  readonly exchangeAudience: string;
  /** The end of a vault's host name; with https:// the audience of tokens for it. */
  readonly vaults: string;
  /** The end of a function app's host name. */
  readonly sites: string;
}

/** The clouds by the names that the Azure CLI has for them. */
export const clouds = {
  AzureCloud: {
    resourceManager: "https://management.azure.com",
    graph: "https://graph.microsoft.com",
    login: "https://login.microsoftonline.com",
    exchangeAudience: "api://AzureADTokenExchange",
    vaults: "vault.azure.net",
    sites: "azurewebsites.net",
  },
  AzureUSGovernment: {
    resourceManager: "https://management.usgovcloudapi.net",
    graph: "https://graph.microsoft.us",
    login: "https://login.microsoftonline.us",
    exchangeAudience: "api://AzureADTokenExchangeUSGov",
    vaults: "vault.usgovcloudapi.net",
    sites: "azurewebsites.us",
  },
  AzureChinaCloud: {
    resourceManager: "https://management.chinacloudapi.cn",
    graph: "https://microsoftgraph.chinacloudapi.cn",
    login: "https://login.partner.microsoftonline.cn",
    exchangeAudience: "api://AzureADTokenExchangeChina",
    vaults: "vault.azure.cn",
    sites: "chinacloudsites.cn",
  },
} as const satisfies Readonly<Record<string, AzureCloud>>;

export type CloudName = keyof typeof clouds;

/** A cloud by its name. */
export function cloudOf(name: string): AzureCloud {
  if (Object.hasOwn(clouds, name)) return clouds[name as CloudName];
  throw new PinionError("BAD_REQUEST", `There is no cloud ${name}: one of ${Object.keys(clouds).join(", ")}.`);
}
