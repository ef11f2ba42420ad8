import { writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
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
  const here = relative(process.cwd(), dir) || ".";
  const received = `${azure.url}/topics/${topicName}/received`;
  const invitation = [
    "",
    "Still up; Ctrl+C stops it. To look around, in another shell and this folder:",
    `  export PINION_URL=${host?.url ?? ""}/api`,
    `  export PINION_KEY=$(node -p "require('${resolve(dir, "host", "keys.json")}').function")`,
    "  npm run -s pinion -- list",
    "  npm run -s pinion -- show orders-db",
    "  npm run -s pinion -- doctor",
    '  curl -s "$PINION_URL/rotations" -H "x-functions-key: $PINION_KEY"',
    `  curl -s --cacert ${join(here, "tls", "ca.pem")} ${received}`,
    `Every part's address is in ${join(here, "endpoints.json")}.`,
  ];
  return { file, invitation };
}
