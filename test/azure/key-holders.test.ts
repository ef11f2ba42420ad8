import { afterAll, beforeAll, expect, test } from "vitest";
import { credentialOf } from "./cloud.ts";
import { openArm } from "../../src/azure/arm.ts";
import { cases, type Holders, openHolders, serverId } from "../consumers/key-holders.ts";

let world: Holders;
beforeAll(async () => void (world = await openHolders()));
afterAll(() => world.close());

const raw = async (method: string, path: string, body?: unknown) => {
  const token = (await credentialOf(world.azure).getToken("https://management.azure.com/.default"))?.token;
  const reply = await fetch(`${world.azure.url}${path}?api-version=2024-01-01`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await reply.text();
  return { reply, json: (text === "" ? {} : JSON.parse(text)) as { status?: string; error?: { code: string } } };
};
const of = (kind: string) => cases.find((one) => one.kind === kind)!;

test("a resource that nobody deployed is not found", async () => {
  for (const { id } of cases) expect((await raw("GET", id)).reply.status).toBe(404);
  const { reply } = await raw("PATCH", of("cosmos-db").id, { properties: {} });
  expect(reply.status).toBe(404);
});

test("a change is an operation: 202 with its URLs, another one meanwhile is refused, its end by the cloud's clock", async () => {
  const { id, deploy } = of("cosmos-db");
  await deploy(world, "cmk", world.versions[0]);
  world.timing.operationSeconds = 300;
  const change = (version: string) => ({ properties: { keyVaultKeyUri: `${world.baseUrl}/${version}` } });
  const { reply } = await raw("PATCH", id, change(world.versions[1]));
  expect(reply.status).toBe(202);
  const paths = ["azure-asyncoperation", "location"].map((name) => new URL(reply.headers.get(name) ?? "").pathname);
  expect((await raw("PATCH", id, change(world.versions[0]))).reply.status).toBe(409);
  expect((await raw("GET", paths[0]!)).json.status).toBe("InProgress");
  expect((await raw("GET", paths[1]!)).reply.status).toBe(202);
  expect((await world.get(id)).properties).toMatchObject({
    provisioningState: "Updating",
    ...change(world.versions[0]).properties,
  });
  world.cloud.clock.advance(301_000);
  expect((await raw("GET", paths[0]!)).json.status).toBe("Succeeded");
  expect((await raw("GET", paths[1]!)).reply.status).toBe(200);
  expect((await world.get(id)).properties).toMatchObject({
    provisioningState: "Succeeded",
    keyVaultKeyUriVersion: world.versions[1],
    ...change(world.versions[1]).properties,
  });
  world.timing.operationSeconds = world.quick.operationSeconds;
});

test("a key that the vault does not have, or another vault's, is refused", async () => {
  const { id, deploy } = of("disk-encryption-set");
  await deploy(world, "cmk", world.versions[0]);
  for (const keyUrl of [
    `${world.baseUrl}/${"0".repeat(32)}`,
    `https://elsewhere.vault.azure.net/keys/cmk/${world.versions[0]}`,
  ]) {
    const { reply, json } = await raw("PATCH", id, { properties: { activeKey: { keyUrl } } });
    expect([reply.status, json.error?.code]).toEqual([400, "KeyVaultSecretDoesNotExist"]);
  }
});

test("a server takes a key by no other name than its own", async () => {
  const uri = `${world.baseUrl}/${world.versions[0]}`;
  const { reply } = await raw("PUT", `${serverId("names")}/keys/mine`, { properties: { uri } });
  expect(reply.status).toBe(400);
});

test("what was deployed outlives the cloud, an operation on its way too", async () => {
  const { id, deploy } = of("cosmos-db");
  await deploy(world, "cmk", world.versions[0]);
  world.timing.operationSeconds = 300;
  await raw("PATCH", id, { properties: { keyVaultKeyUri: `${world.baseUrl}/${world.versions[1]}` } });
  world.timing.operationSeconds = world.quick.operationSeconds;
  await world.azure.stop();
  const again = await world.cloud.start({ vaults: () => ({ "kv-one": world.vaultUrl }) });
  const arm = openArm(again.url, "https://management.azure.com", credentialOf(again));
  const get = () => arm({ method: "GET", path: id, apiVersion: "2024-01-01", signal: AbortSignal.timeout(10_000) });
  expect(await get()).toMatchObject({ properties: { provisioningState: "Updating" } });
  world.cloud.clock.advance(301_000);
  expect(await get()).toMatchObject({ properties: { keyVaultKeyUriVersion: world.versions[1] } });
});
