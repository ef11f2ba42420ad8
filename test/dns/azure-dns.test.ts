import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Azure } from "../../local/azure/server.ts";
import { azureDns, azureDnsConfig } from "../../rotators/shared/dns/azure-dns.ts";
import { openArm } from "../../src/azure/arm.ts";
import type { Arm } from "../../src/azure/arm.ts";
import { app, call, credentialOf, openCloud } from "../azure/cloud.ts";
import type { Cloud } from "../azure/cloud.ts";
import { stepOf, valueOf } from "./step.ts";

// Promise: a record set of many writers loses nobody's value, whatever Azure answers and whenever the caller dies.

const subscriptionId = "22222222-2222-4222-8222-222222222222";
const idOf = (zone: string) =>
  `/subscriptions/${subscriptionId}/resourceGroups/rg-dns/providers/Microsoft.Network/dnsZones/${zone}`;
const name = "_acme-challenge.contoso.com";
const [a, b] = [valueOf("a"), valueOf("b")];

let cloud: Cloud;
let azure: Azure;
let arm: Arm;
beforeAll(async () => {
  cloud = await openCloud();
  setDefaultCACertificates([...getCACertificates("default"), cloud.tls.ca]);
  azure = await cloud.start({
    dnsZones: ["contoso.com", "sub.contoso.com"].map((zone) => ({
      subscriptionId,
      resourceGroup: "rg-dns",
      name: zone,
    })),
  });
  arm = openArm(azure.url, "https://management.azure.com", credentialOf(azure));
});
afterAll(async () => await cloud.close());
beforeEach(async () => {
  for (const path of [name, "x._acme-challenge.sub.contoso.com"]) {
    for (const value of azure.dnsZones.texts(path) ?? []) await azureDns.withdraw(at(path), { name: path, value });
  }
  azure.faults.clear();
});

const step = (zones: readonly string[] = ["contoso.com"], through: Arm = arm) => {
  const config = azureDnsConfig.parse({ kind: "azure-dns", zones: zones.map(idOf), delegatedTo: name });
  return stepOf({ ...config, delegatedTo: undefined, resolvers: ["127.0.0.1:9"] }, { arm: through });
};
// Names are taken as they are: no resolver is asked.
const at = (place = name, zones?: readonly string[], through?: Arm) => {
  const made = step(zones, through);
  return { ...made, config: { ...made.config, delegatedTo: place } };
};
const texts = (place = name) => [...(azure.dnsZones.texts(place) ?? [])].sort();
const get = async (place: string) =>
  (await arm({
    method: "GET",
    path: `${idOf("contoso.com")}/TXT/${place}`,
    apiVersion: "2018-05-01",
    mayBeAbsent: true,
    signal: AbortSignal.timeout(5000),
  })) as { properties: Record<string, unknown> } | undefined;

test("twelve writers of one name at the same moment", async () => {
  const values = Array.from("abcdefghijkl", valueOf);
  await Promise.all(values.map(async (value) => await azureDns.publish(at(), { name, value })));
  expect(texts()).toEqual(values);
  await Promise.all(values.slice(1).map(async (value) => await azureDns.withdraw(at(), { name, value })));
  expect(texts()).toEqual([a]);
  await azureDns.withdraw(at(), { name, value: a });
  expect(await get("_acme-challenge")).toBeUndefined();
}, 120_000);

test("what somebody else set stays: time to live, metadata, texts of several pieces", async () => {
  const properties = { TTL: 7200, TXTRecords: [{ value: ["v=spf1 ", "-all"] }], metadata: { owner: "mail" } };
  const path = `${idOf("contoso.com")}/TXT/_acme-challenge`;
  await arm({ method: "PUT", path, apiVersion: "2018-05-01", body: { properties }, signal: AbortSignal.timeout(5000) });
  await azureDns.publish(at(), { name, value: a });
  expect((await get("_acme-challenge"))?.properties).toMatchObject({
    ...properties,
    TXTRecords: [...properties.TXTRecords, { value: [a] }],
  });
  await azureDns.withdraw(at(), { name, value: a });
  expect((await get("_acme-challenge"))?.properties).toMatchObject(properties);
  await azureDns.withdraw(at(), { name, value: "v=spf1 -all" });
});

test("what changes nothing writes nothing", async () => {
  await azureDns.withdraw(at(), { name, value: a });
  expect(await get("_acme-challenge")).toBeUndefined();
  await azureDns.publish(at(), { name, value: a });
  const writes = () => azure.faults.calls()["recordsets.put"];
  const before = writes();
  await azureDns.publish(at(), { name, value: a });
  await azureDns.withdraw(at(), { name, value: b });
  expect(writes()).toBe(before);
});

test("the longest of the zones, the zone's own name, and none", async () => {
  const both = ["contoso.com", "sub.contoso.com"];
  for (const zones of [both, both.toReversed()]) {
    const place = "x._acme-challenge.sub.contoso.com";
    await azureDns.publish(at(place, zones), { name: place, value: a });
    expect(texts(place)).toEqual([a]);
    await azureDns.withdraw(at(place, zones), { name: place, value: a });
  }
  await azureDns.publish(at("contoso.com"), { name, value: a });
  expect((await get("@"))?.properties["TXTRecords"]).toEqual([{ value: [a] }]);
  await azureDns.withdraw(at("contoso.com"), { name, value: a });
  await expect(azureDns.publish(at("notcontoso.com"), { name, value: a })).rejects.toMatchObject({
    code: "TARGET_MISCONFIGURED",
    class: "permanent",
  });
});

test("a caller that dies after the write, and comes again", async () => {
  for (const what of ["publish", "withdraw"] as const) {
    const operation = what === "publish" ? "recordsets.put" : "recordsets.delete";
    azure.faults.add({ operation, times: 1, kind: "drop", status: 0, when: "after" });
    await expect(azureDns[what](at(), { name, value: a })).rejects.toMatchObject({
      code: "TARGET_UNREACHABLE",
      class: "transient",
    });
    expect(texts()).toEqual(what === "publish" ? [a] : []);
    await azureDns[what](at(), { name, value: a });
    expect(texts()).toEqual(what === "publish" ? [a] : []);
  }
});

test("each refusal of Azure's is told by what to do about it", async () => {
  const publish = async (through?: Arm, zones?: readonly string[]) =>
    await azureDns.publish(at(name, zones, through), { name, value: b }).then(
      () => undefined,
      (error: unknown) => error,
    );
  azure.faults.add({
    operation: "recordsets.put",
    times: 1,
    kind: "status",
    status: 429,
    retryAfter: 7,
    when: "before",
  });
  expect(await publish()).toMatchObject({ code: "TARGET_UNREACHABLE", class: "throttled", retryAfterSeconds: 7 });
  azure.faults.add({ operation: "recordsets.get", times: 1, kind: "status", status: 503, when: "before" });
  expect(await publish()).toMatchObject({ code: "TARGET_UNREACHABLE", class: "transient" });
  azure.faults.add({ operation: "recordsets.put", times: 99, kind: "status", status: 412, when: "before" });
  expect(await publish()).toMatchObject({ code: "CONFLICT", class: "transient" });
  azure.faults.clear();
  azure.rights.limit(app.objectId, [
    { actions: ["Microsoft.Network/dnsZones/TXT/read"], notActions: [], dataActions: [], notDataActions: [] },
  ]);
  expect(await publish()).toMatchObject({
    code: "TARGET_FORBIDDEN",
    class: "propagation",
    message: expect.stringContaining("Microsoft.Network/dnsZones/TXT/read, write and delete") as string,
  });
  // Those three actions are all it takes.
  const actions = ["read", "write", "delete"].map((verb) => `Microsoft.Network/dnsZones/TXT/${verb}`);
  azure.rights.limit(app.objectId, [{ actions, notActions: [], dataActions: [], notDataActions: [] }]);
  expect(await publish()).toBeUndefined();
  await azureDns.withdraw(at(), { name, value: b });
  azure.rights.limit(app.objectId, undefined);
  const config = azureDnsConfig.parse({ kind: "azure-dns", zones: [idOf("com")], delegatedTo: name });
  await expect(azureDns.publish(stepOf(config, { arm }), { name, value: b })).rejects.toMatchObject({
    code: "TARGET_MISCONFIGURED",
    message: expect.stringContaining(idOf("com")) as string,
  });
});

test("a name that no zone of the policy holds is told before an order", async () => {
  await expect(azureDns.demandPlaces!(at("a.contoso.com"), [name])).resolves.toBeUndefined();
  await expect(azureDns.demandPlaces!(at("a.fabrikam.com"), [name])).rejects.toMatchObject({
    code: "TARGET_MISCONFIGURED",
    message: expect.stringContaining("a.fabrikam.com") as string,
  });
});

test("the record sets outlive the process, and answer as ARM does", async () => {
  await azureDns.publish(at(), { name, value: a });
  const again = await cloud.start({ dnsZones: [{ subscriptionId, resourceGroup: "rg-dns", name: "contoso.com" }] });
  expect(again.dnsZones.texts(name)).toEqual([a]);
  const { token } = await azure.tokens.issue({ audience: "https://management.azure.com", objectId: "o", appId: "a" });
  const path = `${idOf("contoso.com")}/TXT/_acme-challenge?api-version=2018-05-01`;
  const ask = async (method: string, headers: Record<string, string> = {}, body?: unknown) =>
    (await call(azure, cloud.tls.ca, method, path, { token, headers, body })).status;
  const body = { properties: { TTL: 1, TXTRecords: [{ value: ["x"] }] } };
  expect(await ask("PUT", { "if-none-match": "*" }, body)).toBe(412);
  expect(await ask("PUT", { "if-match": "other" }, body)).toBe(412);
  expect(await ask("PUT", {}, { properties: { TTL: 1 } })).toBe(400);
  expect(await ask("PUT", {}, body)).toBe(200);
  expect(await ask("DELETE", { "if-match": "other" })).toBe(412);
  expect(await ask("DELETE")).toBe(200);
  expect(await ask("DELETE")).toBe(204);
  expect(await ask("GET")).toBe(404);
  expect(await ask("PUT", {}, body)).toBe(201);
});
