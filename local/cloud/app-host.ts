import { join } from "node:path";
import { type Cloud, eventsQueue, topicName } from "./cloud.ts";
import { type AppHost, startHostProcess } from "./host-process.ts";
import { siteSettings } from "./shown.ts";

export type { AppHost } from "./host-process.ts";

/** The app's settings in the local cloud: what Azure would give it, with this machine's addresses. */
export function appSettings(cloud: Cloud): Record<string, string> {
  return {
    AzureWebJobsStorage: cloud.azurite.connectionString,
    FUNCTIONS_WORKER_RUNTIME: "node",
    PINION_POLICY: cloud.policyUrl,
    PINION_EVENTS_QUEUE: eventsQueue,
    PINION_TOPIC_ENDPOINT: cloud.azure.topicEndpoint(topicName),
    PINION_RESOURCE_MANAGER_URL: cloud.azure.url,
    PINION_RESOURCE_MANAGER_AUDIENCE: "https://management.azure.com",
    PINION_COMMAND_AUTHORITY: "keys",
    IDENTITY_ENDPOINT: cloud.azure.identityEndpoint,
    IDENTITY_HEADER: cloud.azure.identityHeader,
    NODE_EXTRA_CA_CERTS: cloud.tls.caFile,
    ...siteSettings,
  };
}

export interface AppHostOptions {
  readonly cloud: Cloud;
  /** Folder that is deployed; default dist/app. */
  readonly app?: string;
  readonly port?: number;
  /** Settings on top of those of {@link appSettings}. */
  readonly env?: Readonly<Record<string, string>>;
  /** Name of its state folder and log below the cloud's folder. */
  readonly name?: string;
}

/** Starts the host on the cloud; rejects with the last words of its log when it does not come up. */
export function startAppHost({ cloud, name = "host", app, port, env }: AppHostOptions): Promise<AppHost> {
  return startHostProcess({
    state: join(cloud.dir, name),
    app,
    port,
    env: { PATH: process.env["PATH"], ...appSettings(cloud), PINION_CLOCK: cloud.clockFile, ...env },
  });
}
