import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { compose } from "../src/compose.ts";
import { parseConfig } from "../src/config.ts";
import { openLocalVault } from "./vault-client/vault.ts";

// Whose token goes where: a managed-identity endpoint that notes what it is asked for.

const app = "aaaaaaaa-0000-4000-8000-000000000001";
const zone = "bbbbbbbb-0000-4000-8000-000000000001";
const asked: string[] = [];
let server: Server;
let local: Awaited<ReturnType<typeof openLocalVault>>;
let url = "";

beforeAll(async () => {
  local = await openLocalVault();
  server = createServer((request, reply) => {
    const { pathname, searchParams } = new URL(request.url ?? "", "http://localhost");
    if (pathname !== "/msi/token") return void reply.writeHead(200, { "content-type": "application/json" }).end("{}");
    const [clientId, resource] = [searchParams.get("client_id"), searchParams.get("resource")];
    asked.push(`${clientId} ${resource}`);
    if (clientId !== app && clientId !== zone)
      return void reply.writeHead(400).end(JSON.stringify({ message: "Unable to load the proper Managed Identity." }));
    const expires_on = String(Math.floor(Date.now() / 1000) + 3600);
    return void reply
      .writeHead(200, { "content-type": "application/json" })
      .end(JSON.stringify({ access_token: "token", expires_on, resource, token_type: "Bearer", client_id: clientId }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  vi.stubEnv("IDENTITY_ENDPOINT", `${url}/msi/token`);
  vi.stubEnv("IDENTITY_HEADER", "header");
});
afterAll(async () => {
  vi.unstubAllEnvs();
  server.close();
  await local.close();
});
beforeEach(() => void (asked.length = 0));

const registry = { rotators: [], find: () => undefined as never };
const open = () =>
  compose(
    parseConfig({
      AzureWebJobsStorage: "UseDevelopmentStorage=true",
      PINION_STORAGE__blobServiceUri: "https://127.0.0.1:1",
      PINION_STORAGE__queueServiceUri: "https://127.0.0.1:1",
      PINION_STORAGE__tableServiceUri: "https://127.0.0.1:1",
      PINION_RESOURCE_MANAGER_URL: url,
      PINION_RESOURCE_MANAGER_AUDIENCE: "https://management.azure.com",
      AZURE_CLIENT_ID: app,
    }),
    registry,
    "",
    () => undefined,
  );
const signal = () => AbortSignal.timeout(5_000);

test("a zone's vaults, ARM and ports go by its identity; the app's storage by the app's", async () => {
  const deps = open();
  const { vault, arm, ports } = deps.zone(zone.toUpperCase());
  await local.put("db", "value");
  expect(await vault(local.uri, "secret").latest("db", signal())).toMatchObject({ value: "value" });
  expect(await ports.secret(`${local.uri}/secrets/db`)).toBe("value");
  await ports.token("https://storage.azure.com/.default");
  await arm({ method: "GET", path: "/subscriptions/0", apiVersion: "1", signal: signal() });
  expect(asked.length).toBeGreaterThanOrEqual(3);
  expect(asked.filter((one) => !one.startsWith(zone))).toEqual([]);
  asked.length = 0;
  await expect(deps.evidence.getBlobClient("x").exists({ abortSignal: signal() })).rejects.toMatchObject({
    name: "RestError",
  });
  expect(new Set(asked)).toEqual(new Set([`${app} https://storage.azure.com`]));
});

test("no identity, and the app's own by its id, are one zone, opened once", () => {
  const deps = open();
  expect(deps.zone(undefined)).toBe(deps.zone(app.toUpperCase()));
  expect(deps.zone(zone)).toBe(deps.zone(zone));
  expect(deps.zone(zone)).not.toBe(deps.zone(undefined));
});

test("steps and triggers have no zone but one that is asked for: the app's own does not lie among what they are given", () => {
  const deps = open();
  const own = Object.keys(deps.zone(undefined));
  expect(own.length).toBeGreaterThan(3);
  expect(Object.keys(deps).filter((name) => own.includes(name))).toEqual([]);
  // @ts-expect-error -- the subject's zone has it
  expect(deps.arm).toBeUndefined();
});

test("an identity that the app does not have is named, with what to do", async () => {
  const other = "cccccccc-0000-4000-8000-000000000001";
  const error = await open()
    .zone(other)
    .vault(local.uri, "secret")
    .latest("db", signal())
    .catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "IDENTITY_UNAVAILABLE", class: "transient" });
  expect(String(error)).toContain(`The identity ${other} gives no token: assign it`);
});
