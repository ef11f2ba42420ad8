import { AzureKeyCredential, EventGridPublisherClient } from "@azure/eventgrid";
import { expect, test } from "vitest";
import { call, credentialOf, soon } from "./cloud.ts";
import { freshGrid } from "./grid.ts";

const { fresh, toHook } = freshGrid();

const topics = [
  { name: "pinion", inputSchema: "CloudEventSchemaV1_0", key: "local-key" },
  { name: "grid", inputSchema: "EventGridSchema", key: "local-key" },
] as const;
const tls = () => ({ tlsOptions: { ca: fresh.cloud.tls.ca }, retryOptions: { maxRetries: 0 } });
const cloudEvent = {
  type: "Pinion.Rotation.Started",
  source: "/pinion",
  id: "r1/stage",
  subject: "orders",
  data: { step: "stage" },
};
const gridEvent = {
  eventType: "Pinion.Rotation.Started",
  subject: "orders",
  dataVersion: "1",
  data: { step: "stage" },
};

test("the official publisher sends CloudEvents with an Entra token; subscribers and readers get them", async () => {
  const subscription = toHook({ topic: "pinion", schema: "CloudEventSchemaV1_0" });
  const azure = await fresh.cloud.start({ topics, subscriptions: [subscription] });
  const client = new EventGridPublisherClient(azure.topicEndpoint("pinion"), "CloudEvent", credentialOf(azure), tls());
  await client.send([cloudEvent, { ...cloudEvent, id: "r1/set", subject: "billing" }]);
  await expect.poll(() => fresh.hook.subjects().toSorted(), soon).toEqual(["billing", "orders"]);
  await azure.stop();
  const again = await fresh.cloud.start({ topics });
  const { json } = await call<{ id: string }[]>(again, fresh.cloud.tls.ca, "GET", "/topics/pinion/received");
  expect(json.map(({ id }) => id)).toEqual(["r1/stage", "r1/set"]);
});

test("the official publisher sends Event Grid events with a key", async () => {
  const azure = await fresh.cloud.start({ topics, subscriptions: [toHook({ topic: "grid" })] });
  const key = new AzureKeyCredential("local-key");
  await new EventGridPublisherClient(azure.topicEndpoint("grid"), "EventGrid", key, tls()).send([gridEvent]);
  await expect.poll(() => fresh.hook.subjects(), soon).toEqual(["orders"]);
  const [event] = azure.eventGrid.received("grid");
  expect(event).toMatchObject({
    eventType: "Pinion.Rotation.Started",
    metadataVersion: "1",
    topic: expect.stringContaining("/topics/grid"),
  });
});

test("wrong schema: 400; no or wrong credential: 401; unknown topic: 404; nothing is taken", async () => {
  const azure = await fresh.cloud.start({ topics });
  const send = (name: string, credential: AzureKeyCredential) =>
    new EventGridPublisherClient(azure.topicEndpoint(name), "EventGrid", credential, tls()).send([gridEvent]);
  const right = new AzureKeyCredential("local-key");
  await expect(send("pinion", right)).rejects.toMatchObject({
    statusCode: 400,
    message: expect.stringMatching(/CloudEventV10/),
  });
  await expect(send("grid", new AzureKeyCredential("guess"))).rejects.toMatchObject({ statusCode: 401 });
  await expect(send("none", right)).rejects.toMatchObject({ statusCode: 404 });
  const bare = await call(azure, fresh.cloud.tls.ca, "POST", "/topics/grid/api/events?api-version=2018-01-01", {
    body: [gridEvent],
  });
  expect(bare.status).toBe(401);
  const { token } = await azure.tokens.issue({ audience: "https://vault.azure.net", objectId: "o", appId: "a" });
  const foreign = await call(azure, fresh.cloud.tls.ca, "POST", "/topics/grid/api/events", {
    body: [gridEvent],
    token,
  });
  expect(foreign.status).toBe(401);
  expect([...azure.eventGrid.received("grid"), ...azure.eventGrid.received("pinion")]).toEqual([]);
});

test("a fault after the work: the publisher learns of nothing, the topic has the event", async () => {
  const azure = await fresh.cloud.start({ topics });
  azure.faults.add({ operation: "events.publish", times: 1, kind: "drop", status: 0, when: "after" });
  const client = new EventGridPublisherClient(azure.topicEndpoint("pinion"), "CloudEvent", credentialOf(azure), tls());
  await expect(client.send([cloudEvent])).rejects.toMatchObject({ code: "ECONNRESET" });
  expect(azure.eventGrid.received("pinion")).toHaveLength(1);
});
