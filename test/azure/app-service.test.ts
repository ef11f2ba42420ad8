import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SecretClient } from "@azure/keyvault-secrets";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { SiteDeclaration } from "../../local/azure/app-service/site.ts";
import type { Azure, AzureOptions } from "../../local/azure/server.ts";
import { vaultAccess } from "../../local/azure/vault-access.ts";
import { startVaults } from "../../local/vault/vaults.ts";
import type { Vaults } from "../../local/vault/vaults.ts";
import { app, call, credentialOf, openCloud, soon } from "./cloud.ts";
import type { CallOptions } from "./cloud.ts";

const site: SiteDeclaration = {
  subscriptionId: "22222222-2222-4222-8222-222222222222",
  resourceGroup: "rg",
  name: "orders",
  identity: { clientId: "dddddddd-0000-4000-8000-000000000001", objectId: "dddddddd-0000-4000-8000-000000000002" },
  appSettings: { PLAIN: "as it is" },
};
const path = `/subscriptions/${site.subscriptionId}/resourceGroups/rg/providers/Microsoft.Web/sites/orders`;
/** The platform's own variable, told apart from the site's settings. */
const shown = "WEBSITE_KEYVAULT_REFERENCES";
let shownReferences: string | undefined;
const settingsPath = `${path}/config/appsettings`;
const referencesPath = `${path}/config/configreferences/appsettings`;
const lag = 5;
const day = 86_400;

let cloud: Awaited<ReturnType<typeof openCloud>>;
let azure: Azure;
let vaults: Vaults;
let secrets: SecretClient;
let starts: Record<string, string>[];

beforeEach(async () => {
  cloud = await openCloud();
  starts = [];
  await startAll();
});
afterEach(async () => {
  await vaults.close();
  await cloud.close();
});

async function startAll(options: Partial<AzureOptions> = {}): Promise<void> {
  azure = await cloud.start({
    sites: [site],
    vaults: () => Object.fromEntries(vaults.vaults.map(({ name, url }) => [name, url])),
    onStart: (_, { [shown]: references, ...settings }) => {
      shownReferences = references;
      starts.push(settings);
    },
    restartLagSeconds: lag,
    ...options,
  });
  vaults = await startVaults({
    clock: cloud.clock,
    stateDir: join(cloud.dir, "vault"),
    tls: cloud.tls,
    vaults: [
      { name: "kv-one", resourceId: "/subscriptions/s/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv-one" },
    ],
    authorize: vaultAccess(azure),
  });
  secrets = new SecretClient(vaults.vaults[0]!.url, credentialOf(azure), {
    disableChallengeResourceVerification: true,
    tlsOptions: { ca: cloud.tls.ca },
  });
  azure.appService.start();
}

async function arm<T = { properties: Record<string, string> }>(
  method: string,
  where: string,
  options: CallOptions = {},
) {
  const { token } = await azure.tokens.issue({
    audience: "https://management.azure.com/",
    objectId: app.objectId,
    appId: app.clientId,
  });
  return call<T>(azure, cloud.tls.ca, method, `${where}?api-version=2024-11-01`, { token, ...options });
}
const put = (properties: Record<string, string>) => arm("PUT", settingsPath, { body: { properties } });
const reference = async (name: string) => (await arm("GET", `${referencesPath}/${name}`)).json.properties;
const pinTo = (version: string) => `@Microsoft.KeyVault(SecretUri=${vaults.vaults[0]!.url}/secrets/db/${version})`;
const latest = "@Microsoft.KeyVault(VaultName=kv-one;SecretName=db)";
const write = async (value: string) => (await secrets.setSecret("db", value)).properties.version!;
const running = (name = "DB") => starts.at(-1)?.[name];

test("a changed pin reaches the process after the lag, not before, and the reference tells the version", async () => {
  const [one, two] = [await write("first"), await write("second")];
  await put({ DB: pinTo(one) });
  cloud.clock.advance(lag * 1000);
  await expect.poll(() => running(), soon).toBe("first");

  expect((await put({ DB: pinTo(two) })).json.properties).toEqual({ DB: pinTo(two) });
  await expect
    .poll(() => reference("DB"), soon)
    .toEqual({
      reference: pinTo(two),
      status: "Resolved",
      vaultName: "kv-one",
      secretName: "db",
      secretVersion: two,
      activeVersion: two,
      identityType: "SystemAssigned",
      source: "KeyVault",
    });
  expect(running()).toBe("first");
  cloud.clock.advance(lag * 1000);
  await expect.poll(() => running(), soon).toBe("second");
});

test("PUT replaces all settings; the same settings again restart nothing", async () => {
  await expect.poll(() => starts.length, soon).toBe(1);
  await put({ A: "1", B: "2" });
  expect((await arm("POST", `${settingsPath}/list`)).json).toMatchObject({
    name: "appsettings",
    properties: { A: "1", B: "2" },
  });
  await put({ B: "3" });
  cloud.clock.advance(lag * 1000);
  await expect.poll(() => starts.at(-1), soon).toEqual({ B: "3" });
  await put({ B: "3" });
  cloud.clock.advance(lag * 1000);
  await sleep(200);
  expect(starts).toHaveLength(2);
});

test("latest: cached over a plain restart, fetched again by refresh, by a changed setting and after 24 hours", async () => {
  await write("first");
  await put({ DB: latest });
  cloud.clock.advance(lag * 1000);
  await expect.poll(() => running(), soon).toBe("first");

  const second = await write("second");
  await arm("POST", `${path}/restart`);
  cloud.clock.advance(lag * 1000);
  await expect.poll(() => starts.length, soon).toBe(3);
  expect(running()).toBe("first");

  expect((await arm("POST", `${referencesPath}/refresh`)).status).toBe(200);
  await expect.poll(async () => (await reference("DB"))["activeVersion"], soon).toBe(second);
  cloud.clock.advance(lag * 1000);
  await expect.poll(() => running(), soon).toBe("second");

  await write("third");
  await put({ DB: latest, OTHER: "changed" });
  cloud.clock.advance(lag * 1000);
  await expect.poll(() => running(), soon).toBe("third");

  const fourth = await write("fourth");
  cloud.clock.advance((day - 60) * 1000);
  await sleep(300);
  expect(running()).toBe("third");
  cloud.clock.advance(61_000);
  await expect.poll(async () => (await reference("DB"))["activeVersion"], soon).toBe(fourth);
  cloud.clock.advance(lag * 1000);
  await expect.poll(() => running(), soon).toBe("fourth");
});

test("a refresh that finds the same value restarts nothing", async () => {
  await write("first");
  await put({ DB: latest });
  cloud.clock.advance(lag * 1000);
  await expect.poll(() => running(), soon).toBe("first");
  const before = starts.length;
  await arm("POST", `${referencesPath}/refresh`);
  await sleep(200);
  cloud.clock.advance(lag * 1000);
  await sleep(200);
  expect(starts).toHaveLength(before);
});

test.each([
  ["InvalidSyntax", () => "@Microsoft.KeyVault(Secret=db)"],
  ["VaultNotFound", () => "@Microsoft.KeyVault(VaultName=elsewhere;SecretName=db)"],
  ["SecretNotFound", () => "@Microsoft.KeyVault(VaultName=kv-one;SecretName=none)"],
  ["SecretVersionNotFound", () => pinTo("0123456789abcdef0123456789abcdef")],
])("%s: the process gets the reference itself", async (status, value) => {
  await write("first");
  await put({ DB: value() });
  cloud.clock.advance(lag * 1000);
  await expect.poll(() => running(), soon).toBe(value());
  expect(await reference("DB")).toMatchObject({ status, details: expect.any(String) });
});

test("a site without rights on the vault, until a refresh after they arrived", async () => {
  const version = await write("first");
  azure.rights.deny(site.identity!.objectId, "vault", 600);
  await put({ DB: pinTo(version) });
  await expect.poll(async () => (await reference("DB"))["status"], soon).toBe("AccessToKeyVaultDenied");
  cloud.clock.advance(600_000);
  await expect.poll(() => running(), soon).toBe(pinTo(version));
  await arm("POST", `${referencesPath}/refresh`);
  await expect.poll(async () => (await reference("DB"))["status"], soon).toBe("Resolved");
  cloud.clock.advance(lag * 1000);
  await expect.poll(() => running(), soon).toBe("first");
});

test("a refresh that fails leaves the value in use", async () => {
  const version = await write("first");
  await put({ DB: latest });
  cloud.clock.advance(lag * 1000);
  await expect.poll(() => running(), soon).toBe("first");
  azure.rights.deny(site.identity!.objectId, "vault", 600);
  await arm("POST", `${referencesPath}/refresh`);
  await expect
    .poll(() => reference("DB"), soon)
    .toMatchObject({ status: "AccessToKeyVaultDenied", activeVersion: version });
  const before = starts.length;
  await arm("POST", `${path}/restart`);
  cloud.clock.advance(lag * 1000);
  await expect.poll(() => starts.length, soon).toBe(before + 1);
  expect(running()).toBe("first");
});

test("a restart of the cloud brings back the version in use, not the latest, and no value is on disk", async () => {
  await write("a value that only the vault may hold");
  await put({ DB: latest, PLAIN: "x" });
  cloud.clock.advance(lag * 1000);
  await expect.poll(() => running(), soon).toBe("a value that only the vault may hold");
  await write("newer");
  const { url, identityEndpoint, identityHeader } = azure;
  await azure.stop();
  await vaults.close();
  starts = [];
  await startAll();
  expect(azure).toMatchObject({ url, identityEndpoint, identityHeader });
  await expect.poll(() => starts, soon).toEqual([{ DB: "a value that only the vault may hold", PLAIN: "x" }]);
  // What the site is shown of its references: their text and state, no value.
  expect(JSON.parse(shownReferences ?? "{}")).toMatchObject({
    DB: { rawReference: expect.stringContaining("@Microsoft.KeyVault("), status: "Resolved" },
  });
  const dir = join(cloud.dir, "azure");
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  expect(files.length).toBeGreaterThan(1);
  for (const file of files)
    expect(readFileSync(join(file.parentPath, file.name), "utf8")).not.toContain("only the vault");
  // Proof that the scan reads what it should: the plain setting is there.
  expect(readFileSync(join(dir, "sites", "orders.json"), "utf8")).toContain('"PLAIN":"x"');
});

test("a change that a kill cut short is finished after the restart", async () => {
  const [one, two] = [await write("first"), await write("second")];
  await put({ DB: pinTo(one) });
  cloud.clock.advance(lag * 1000);
  await expect.poll(() => running(), soon).toBe("first");
  await put({ DB: pinTo(two) });
  await azure.stop();
  await vaults.close();
  await startAll();
  await expect.poll(() => running(), soon).toBe("second");
});

test("slots have settings and references of their own, and sticky names", async () => {
  await azure.stop();
  await vaults.close();
  const slot = { ...site, slot: "staging", appSettings: { S: "slot" } };
  await startAll({ sites: [{ ...site, slotSettingNames: ["S"] }, slot] });
  const slotPath = `${path}/slots/staging`;
  expect((await arm("GET", `${slotPath}/config/slotConfigNames`)).status).toBe(404);
  expect((await arm("POST", `${slotPath}/config/appsettings/list`)).json.properties).toEqual({ S: "slot" });
  await arm("PUT", `${slotPath}/config/appsettings`, { body: { properties: { S: "changed" } } });
  expect((await arm("POST", `${settingsPath}/list`)).json.properties).toEqual(site.appSettings);
  expect((await arm("GET", `${path}/config/slotConfigNames`)).json.properties).toMatchObject({
    appSettingNames: ["S"],
  });
  expect(
    (await arm<{ value: unknown[] }>("GET", `${slotPath}/config/configreferences/appsettings`)).json.value,
  ).toEqual([]);
});
