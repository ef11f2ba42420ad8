import { TableClient, TableServiceClient } from "@azure/data-tables";
import type { World, WorldOptions } from "./world.ts";

/** Worlds in which the sweep can be called, and never comes by itself. */
export const withSweep: WorldOptions = {
  env: { "AzureWebJobs.sweep.Disabled": "false", PINION_SWEEP_SCHEDULE: "0 0 0 1 1 *" },
};

/** Takes every orchestration away while no process runs: the app's own records stay. */
export async function loseHub({ cloud }: World): Promise<void> {
  const { connectionString } = cloud.azurite;
  const options = { allowInsecureConnection: true };
  for await (const { name = "" } of TableServiceClient.fromConnectionString(connectionString, options).listTables())
    if (name !== "PinionRecords") await TableClient.fromConnectionString(connectionString, name, options).deleteTable();
}

/** The sweep, now. */
export async function sweepNow(world: World): Promise<void> {
  const host = await world.host();
  const reply = await fetch(`${host.url}/admin/functions/sweep`, {
    method: "POST",
    headers: { "x-functions-key": host.masterKey, "content-type": "application/json" },
    body: "{}",
  });
  if (reply.status >= 300) throw new Error(`The sweep was answered ${reply.status}.`);
}
