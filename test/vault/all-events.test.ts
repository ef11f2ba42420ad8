import { EventGridDeserializer, isSystemEvent } from "@azure/eventgrid";
import type { CloudEvent, EventGridEvent } from "@azure/eventgrid";
import { expect, test, vi } from "vitest";
import { inSchema, vaultEvent } from "../../local/azure/event-grid/event.ts";
import type { VaultEvent } from "../../local/vault/model.ts";
import { day, resourceId, start, testVault, vaultName } from "./support.ts";
import { me, strictVault } from "./strict.ts";

// All ten types of events, and both envelopes, as Microsoft's own reader of events reads them.

const types = [
  ...["Secret", "Key", "Certificate"].flatMap((object) =>
    ["NewVersionCreated", "NearExpiry", "Expired"].map((moment) => `Microsoft.KeyVault.${object}${moment}`),
  ),
  "Microsoft.KeyVault.VaultAccessPolicyChanged",
];

test("each of the ten comes at its time, and both envelopes are what the official reader expects", async () => {
  const events: VaultEvent[] = [];
  const { ask, clock, hold, emulator, url } = await strictVault({
    subscribedSince: start,
    onEvent: (event) => void events.push(event),
  });
  hold("Administrator");
  await emulator("PUT", "settings", { certificateDelayMs: 0 });
  const exp = start / 1000 + 31 * 86_400;
  await ask("PUT", "/secrets/a", { body: { value: "v", attributes: { exp } } });
  await ask("POST", "/keys/b/create", { body: { kty: "EC", attributes: { exp } } });
  const policy = {
    issuer: { name: "Self" },
    key_props: { kty: "EC", crv: "P-256" },
    x509_props: { subject: "CN=c", validity_months: 1 },
    lifetime_actions: [{ trigger: { lifetime_percentage: 80 }, action: { action_type: "EmailContacts" } }],
  };
  expect((await ask("POST", "/certificates/c/create", { body: { policy } })).status).toBe(202);
  expect((await ask("GET", "/certificates/c/pending")).json.status).toBe("completed");
  await emulator("PUT", "access-policies", { [me.objectId]: { secrets: ["all"] } });
  await vi.waitFor(() => expect(new Set(events.map(({ type }) => type)).size).toBe(4), { timeout: 5000 });
  clock.advance(40 * day);
  const own = () => events.filter(({ objectName }) => ["a", "b", "c", vaultName].includes(objectName));
  await vi.waitFor(() => expect([...new Set(own().map(({ type }) => type))].sort()).toEqual([...types].sort()), {
    timeout: 5000,
  });

  const reader = new EventGridDeserializer();
  for (const type of types) {
    const told = own().find((event) => event.type === type)!;
    const published = vaultEvent(told, clock.now());
    const grid = inSchema(published, "EventGridSchema");
    const cloud = inSchema(published, "CloudEventSchemaV1_0");
    expect(Object.keys(grid).sort()).toEqual(
      ["topic", "subject", "eventType", "eventTime", "id", "data", "dataVersion", "metadataVersion"].sort(),
    );
    expect(Object.keys(cloud).sort()).toEqual(
      ["source", "subject", "type", "time", "id", "data", "specversion"].sort(),
    );
    const [first] = (await reader.deserializeEventGridEvents(grid)) as [EventGridEvent<unknown>];
    const [second] = (await reader.deserializeCloudEvents(cloud)) as [CloudEvent<unknown>];
    expect([first.topic, first.subject, first.eventType, first.dataVersion]).toEqual([
      resourceId,
      told.objectName,
      type,
      "1",
    ]);
    expect([second.source, second.subject, second.type, second.id]).toEqual([
      resourceId,
      told.objectName,
      type,
      first.id,
    ]);
    expect(isSystemEvent("Microsoft.KeyVault.SecretNearExpiry", first)).toBe(
      type === "Microsoft.KeyVault.SecretNearExpiry",
    );
    const data = grid["data"] as Record<string, unknown>;
    expect(data).toEqual(cloud["data"]);
    expect(Object.keys(data)).toEqual(["Id", "VaultName", "ObjectType", "ObjectName", "Version", "NBF", "EXP"]);
    if (told.objectType === "Vault") {
      expect(data).toEqual({
        Id: url,
        VaultName: vaultName,
        ObjectType: "Vault",
        ObjectName: vaultName,
        Version: null,
        NBF: null,
        EXP: null,
      });
    } else {
      expect(data["Id"]).toBe(`${url}/${told.objectType.toLowerCase()}s/${told.objectName}/${String(data["Version"])}`);
    }
  }
});

test("events that wait for others to be reordered are let go when asked", async () => {
  const names: string[] = [];
  const { client, control } = await testVault({
    subscribedSince: start,
    onEvent: ({ objectName }) => void names.push(objectName),
  });
  control.disturb({ reorder: 3 });
  await client.setSecret("one", "v");
  await client.setSecret("two", "v");
  expect(names).toEqual([]);
  control.disturb({ reorder: 0 });
  await vi.waitFor(() => expect(names).toEqual(["two", "one"]));
  control.disturb({ lose: 1, duplicate: 1 });
  await client.setSecret("lost", "v");
  await client.setSecret("double", "v");
  await client.setSecret("single", "v");
  await vi.waitFor(() => expect(names.slice(2)).toEqual(["double", "double", "single"]));
});
