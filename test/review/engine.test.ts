import type { DurableClient } from "durable-functions";
import { expect, it } from "vitest";
import { engineOf } from "../../src/triggers/engine.ts";

const client = (getStatus: () => Promise<unknown>, raised: string[] = []) =>
  ({ getStatus, raiseEvent: async (id: string) => void raised.push(id) }) as unknown as DurableClient;

it("takes no failure of the engine for an instance that does not run: the command would wake nobody", async () => {
  const raised: string[] = [];
  const unwell = engineOf(client(() => Promise.reject(new Error("unexpected status code: 500")), raised));
  await expect(unwell.wake("one")).rejects.toThrow("500");
  await expect(unwell.running("one")).rejects.toThrow("500");
  expect(raised).toEqual([]);
});

it("knows an instance that never was, which the SDK rejects", async () => {
  const replied = "DurableClient error: Durable Functions extension replied with HTTP 404 response.";
  const none = engineOf(client(() => Promise.reject(new Error(replied))));
  expect(await none.running("one")).toBeUndefined();
  await none.wake("one");
});
