import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fixture, readRecord, startHostProcess, temporaryFolder, until } from "./harness.ts";
import type { HostProcess } from "./harness.ts";

const folder = temporaryFolder();
const record = join(folder.path, "record");
let host: HostProcess;

beforeAll(async () => {
  host = await startHostProcess({ app: fixture("app"), state: folder.path, env: { FIXTURE_RECORD: record } });
});
afterAll(async () => {
  await host.stop();
  folder[Symbol.dispose]();
});

const data = {
  Id: "https://v.vault.azure.net/secrets/s/1",
  VaultName: "v",
  ObjectType: "Secret",
  ObjectName: "s",
  Version: "1",
  NBF: null,
  EXP: 1559082102,
};
const gridEvent = (id: string, subject = "s") => ({
  id,
  subject,
  topic: "/subscriptions/s/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/v",
  eventType: "Microsoft.KeyVault.SecretNearExpiry",
  eventTime: "2026-07-25T01:08:33.1036736Z",
  data,
  dataVersion: "1",
  metadataVersion: "1",
});
const cloudEvent = (id: string, subject = "s") => ({
  id,
  subject,
  source: "/subscriptions/s/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/v",
  type: "Microsoft.KeyVault.SecretNearExpiry",
  time: "2026-07-25T01:08:33.1036736Z",
  data,
  specversion: "1.0",
});

const send = (
  body: unknown,
  options: { type?: string; name?: string; code?: string; method?: string; headers?: Record<string, string> } = {},
) => {
  const {
    type = "Notification",
    name = "events",
    code = host.keys.system.eventgrid_extension,
    method = "POST",
  } = options;
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return host.call(`/runtime/webhooks/eventgrid?functionName=${name}&code=${code}`, {
    method,
    headers: { ...(type && { "aeg-event-type": type }), ...options.headers },
    ...(method === "POST" && { body: text }),
  });
};
/** What the function received, by event id, in the order of arrival. */
const received = (...ids: string[]) =>
  readRecord(record)
    .filter(({ event }) => ids.includes((event as { id?: string } | undefined)?.id ?? ""))
    .map(({ event, metadata }) => ({ event, metadata }));

describe("a notification", () => {
  test("in Event Grid's schema runs the function once, and the metadata has small first letters", async () => {
    expect(await send([gridEvent("g1")])).toMatchObject({ status: 202, text: "" });
    const { Id, VaultName, ObjectType, ObjectName, Version, NBF, EXP } = data;
    const small = {
      id: Id,
      vaultName: VaultName,
      objectType: ObjectType,
      objectName: ObjectName,
      version: Version,
      nBF: NBF,
      eXP: EXP,
    };
    expect(received("g1")).toEqual([{ event: gridEvent("g1"), metadata: { data: small } }]);
  });

  test("in the CloudEvents schema comes alone or in an array", async () => {
    const headers = { "content-type": "application/cloudevents+json" };
    expect((await send(cloudEvent("c1"), { headers })).status).toBe(202);
    expect((await send([cloudEvent("c2"), cloudEvent("c3")])).status).toBe(202);
    expect(received("c1", "c2", "c3").map(({ event }) => event)).toEqual(
      ["c1", "c2", "c3"].map((id) => cloudEvent(id)),
    );
  });

  test("of several events runs them all, and one failure makes the answer 500", async () => {
    const answer = await send([gridEvent("m1"), gridEvent("m2", "fail"), gridEvent("m3")]);
    expect(answer).toMatchObject({ status: 500, text: "Exception while executing function: events" });
    expect(received("m1", "m2", "m3")).toHaveLength(3);
    await until("the log", () => host.log().includes("error events failed: Error: asked to fail\n") || undefined);
  });

  test.each(["{", "", "7", "[7]", "null"])("that is no event (%j) is answered 400 and runs nothing", async (body) => {
    const before = readRecord(record).length;
    expect((await send(body)).status).toBe(400);
    expect(readRecord(record)).toHaveLength(before);
  });
});

describe("a subscription", () => {
  const validation = {
    id: "v",
    eventType: "Microsoft.EventGrid.SubscriptionValidationEvent",
    data: { validationCode: "512d38b6" },
  };

  test("is validated with the code that it sends, in an array or as an object", async () => {
    for (const body of [[validation], { ...validation, data: JSON.stringify(validation.data) }]) {
      const answer = await send(body, { type: "SubscriptionValidation" });
      expect(answer.status).toBe(200);
      expect(JSON.parse(answer.text)).toEqual({ validationResponse: "512d38b6" });
    }
    expect((await send([{ data: {} }], { type: "SubscriptionValidation" })).status).toBe(400);
  });

  test("of CloudEvents is validated by OPTIONS with an origin of Event Grid", async () => {
    const options = async (origin: string) => {
      const answer = await send("", { method: "OPTIONS", type: "", headers: { "WebHook-Request-Origin": origin } });
      return [answer.status, answer.headers.get("webhook-allowed-origin")];
    };
    expect(await options("eventgrid.azure.us")).toEqual([200, "eventgrid.azure.us"]);
    expect(await options("evil.example")).toEqual([200, "eventgrid.azure.net"]);
  });

  test("may end, and everything else is answered 400", async () => {
    expect((await send([], { type: "Unsubscribe" })).status).toBe(202);
    expect((await send([], { type: "SubscriptionDeletion" })).status).toBe(400);
    expect((await send([gridEvent("x")], { type: "" })).status).toBe(400);
    expect((await send("", { method: "GET" })).status).toBe(400);
    expect(received("x")).toEqual([]);
  });
});

describe("the webhook", () => {
  test("asks for its key before anything else", async () => {
    const { master, function: fn, system } = host.keys;
    for (const code of ["", "wrong", fn, system.durabletask_extension]) {
      expect((await send([gridEvent("k")], { code })).status).toBe(401);
      expect((await send([gridEvent("k")], { code, name: "unknown" })).status).toBe(401);
      expect((await send("", { code, method: "OPTIONS" })).status).toBe(401);
    }
    expect(received("k")).toEqual([]);
    expect((await send([gridEvent("k")], { code: master })).status).toBe(202);
  });

  test("knows Event Grid functions only", async () => {
    expect(await send([], { name: "unknown" })).toMatchObject({ status: 404, text: "cannot find function: 'unknown'" });
    expect(await send([], { name: "echo" })).toMatchObject({ status: 404 });
  });
});
