import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { AppHost } from "./app-host.ts";
import { type Cloud, topicName } from "./cloud.ts";

/** Writes `endpoints.json` (no secret in it) and says how to look around. */
export function writeEndpoints(cloud: Cloud, host: AppHost | undefined, services: Readonly<Record<string, string>>) {
  const { azure, azurite, postgres, tls, vaults, dir } = cloud;
  const file = join(dir, "endpoints.json");
  const endpoints = {
    ...(host && { app: host.url }),
    vaults: Object.fromEntries(vaults.vaults.map(({ name, url }) => [name, url])),
    resourceManager: azure.url,
    topic: azure.topicEndpoint(topicName),
    identity: azure.identityEndpoint,
    storage: { blob: azurite.blobUrl, queue: azurite.queueUrl, table: azurite.tableUrl },
    postgres: { host: postgres.host, port: postgres.port },
    services,
    caCertificate: tls.caFile,
  };
  writeFileSync(file, `${JSON.stringify(endpoints, null, 2)}\n`);
  const keys = join(dir, "host", "keys.json");
  const key = `$(node -p "require('${keys}').function")`;
  const app = host?.url ?? "";
  const invitation = [
    "",
    `Still up. Every part's address is in ${file}; Ctrl+C stops it. Try:`,
    `  curl -s ${app}/api/rotations -H "x-functions-key: ${key}"`,
    `  curl -s ${app}/api/rotations/orders-db -H "x-functions-key: ${key}"`,
    `  PINION_KEY="${key}" npm run pinion -- doctor --url ${app}/api`,
    `  curl -s --cacert ${tls.caFile} ${azure.url}/topics/${topicName}/received`,
  ];
  return { file, invitation };
}
