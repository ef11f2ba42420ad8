import { randomUUID } from "node:crypto";
import { QueueServiceClient } from "@azure/storage-queue";
import { eventsQueue, vaultResourceId } from "../../local/cloud/cloud.ts";
import { vault } from "../../local/cloud/scenario.ts";
import type { World } from "./world.ts";

/** One way in which a vault's event can reach the app. */
export type Delivery = () => Promise<void>;

/** The two events about a version, each by the queue and by the webhook in both schemas. */
export function deliveriesOf(world: World, name: string, version: string): Delivery[] {
  return ["SecretNearExpiry", "SecretExpired"].flatMap((type) => {
    const data = { Id: `x/${version}`, VaultName: vault, ObjectType: "Secret", ObjectName: name, Version: version };
    const id = randomUUID();
    const time = new Date(world.cloud.clock.now()).toISOString();
    const eventType = `Microsoft.KeyVault.${type}`;
    const source = vaultResourceId(vault);
    const grid = { id, topic: source, subject: name, eventType, data, eventTime: time, dataVersion: "1" };
    const cloudEvent = { id, source, type: eventType, subject: name, data, time, specversion: "1.0" };
    return [
      () => enqueue(world, grid),
      () => post(world, [grid], "application/json"),
      () => post(world, cloudEvent, "application/cloudevents+json"),
    ];
  });
}

async function enqueue({ cloud }: World, event: unknown): Promise<void> {
  const queue = QueueServiceClient.fromConnectionString(cloud.azurite.connectionString).getQueueClient(eventsQueue);
  await queue.sendMessage(Buffer.from(JSON.stringify(event)).toString("base64"));
}

async function post(world: World, body: unknown, type: string): Promise<void> {
  const host = await world.host();
  const url = `${host.url}/runtime/webhooks/eventgrid?functionName=events-webhook&code=${host.systemKeys["eventgrid_extension"]}`;
  const headers = { "content-type": type, "aeg-event-type": "Notification" };
  const reply = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  if (reply.status >= 300) throw new Error(`The webhook answered ${reply.status}.`);
}

/** Whether everything on the queue has been taken and done. */
export async function queueIsEmpty({ cloud }: World): Promise<boolean> {
  const queue = QueueServiceClient.fromConnectionString(cloud.azurite.connectionString).getQueueClient(eventsQueue);
  return ((await queue.getProperties()).approximateMessagesCount ?? 0) === 0;
}
