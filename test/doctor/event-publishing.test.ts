import { expect, test } from "vitest";
import type { Context } from "../../src/doctor/context.ts";
import { eventPublishing } from "../../src/doctor/event-publishing.ts";

// Every cloud's Event Grid is a service of its own; a token for another's is refused, which would look like a missing role.

test.each([
  ["https://pinion.westeurope-1.eventgrid.azure.net/api/events", "https://eventgrid.azure.net/.default"],
  ["https://pinion.usgovvirginia-1.eventgrid.azure.us/api/events", "https://eventgrid.azure.us/.default"],
  ["https://pinion.chinanorth3-1.eventgrid.azure.cn/api/events", "https://eventgrid.azure.cn/.default"],
])("the token for %s is asked for %s", async (topicEndpoint, scope) => {
  const asked: unknown[] = [];
  const getToken = async (one: unknown) => {
    asked.push(one);
    throw new Error("nobody is asked here");
  };
  const context = { config: { topicEndpoint }, identity: () => ({ getToken }) } as unknown as Context;
  await expect(eventPublishing.run(context, AbortSignal.timeout(1000))).rejects.toThrow("nobody is asked here");
  expect(asked).toEqual([scope]);
});
