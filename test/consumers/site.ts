import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { SecretClient } from "@azure/keyvault-secrets";
import type { SiteDeclaration } from "../../local/azure/app-service/site.ts";
import { startVaults } from "../../local/vault/vaults.ts";
import { type Arm, openArm } from "../../src/azure/arm.ts";
import type { ConsumerStep } from "../../src/consumer.ts";
import type { ConsumerOf } from "../../src/policy-consumers.ts";
import { app, credentialOf, openCloud } from "../azure/cloud.ts";

const noSecret = () => Promise.reject(new Error("a site has no secret of its own"));

type Site = ConsumerOf<"app-service">;

const declared = {
  subscriptionId: "22222222-2222-4222-8222-222222222222",
  resourceGroup: "rg",
  name: "orders",
  identity: { clientId: "dddddddd-0000-4000-8000-000000000001", objectId: "dddddddd-0000-4000-8000-000000000002" },
} as const;
export const siteId = `/subscriptions/${declared.subscriptionId}/resourceGroups/rg/providers/Microsoft.Web/sites/orders`;
const others = { LOG_LEVEL: "info", "A:B__C": 'ä "quoted" = ; ', EMPTY: "" };

/** A vault with a secret of two versions, and a site with a slot, each pinned to the first; the app's ARM client. */
export async function openSite() {
  const cloud = await openCloud();
  setDefaultCACertificates([...getCACertificates("default"), cloud.tls.ca]);
  const sites: SiteDeclaration[] = [
    { ...declared, appSettings: others, slotSettingNames: ["EMPTY"] },
    { ...declared, slot: "staging", appSettings: { ...others, LOG_LEVEL: "debug" } },
  ];
  let url = "";
  const azure = await cloud.start({
    sites,
    vaults: () => ({ "kv-one": url }),
    restartLagSeconds: 1,
    cacheSeconds: 86_400,
  });
  const vaults = await startVaults({
    clock: cloud.clock,
    tls: cloud.tls,
    stateDir: join(cloud.dir, "vault"),
    vaults: [
      { name: "kv-one", resourceId: "/subscriptions/s/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv-one" },
    ],
  });
  url = vaults.vaults[0]?.url ?? "";
  const secrets = new SecretClient(url, credentialOf(azure), { disableChallengeResourceVerification: true });
  const put = async (value: string) => (await secrets.setSecret("db", value)).properties.version ?? "";
  const versions = [await put("one"), await put("two")] as const;
  azure.appService.start();
  const arm = openArm(azure.url, "https://management.azure.com", credentialOf(azure));
  const baseUrl = `${url}/secrets/db`;
  const signal = AbortSignal.timeout(600_000);

  const list = async (slot?: string) => {
    const path = `${siteId}${slot === undefined ? "" : `/slots/${slot}`}/config/appsettings`;
    const reply = await arm({ method: "POST", path: `${path}/list`, apiVersion: "2025-03-01", signal });
    return (reply as { properties: Record<string, string> }).properties;
  };
  return {
    cloud,
    azure,
    arm,
    versions,
    put,
    list,
    baseUrl,
    others,
    pin: (version: string) => `@Microsoft.KeyVault(SecretUri=${baseUrl}/${version})`,
    latest: `@Microsoft.KeyVault(SecretUri=${baseUrl})`,
    /** Writes settings as a person or pipeline would: all of them at once. */
    async write(settings: Readonly<Record<string, string>>, slot?: string) {
      const path = `${siteId}${slot === undefined ? "" : `/slots/${slot}`}/config/appsettings`;
      await arm({ method: "PUT", path, apiVersion: "2025-03-01", body: { properties: settings }, signal });
    },
    step(consumer: Partial<Site> = {}, through: Arm = arm): ConsumerStep<"app-service"> {
      const whole = {
        kind: "app-service",
        id: "orders",
        resourceId: siteId,
        setting: "DB",
        reads: "pinned",
        lag: 0,
        owner: "pinion",
      };
      return {
        consumer: { ...whole, ...consumer } as Site,
        object: { baseUrl },
        arm: through,
        secret: noSecret,
        now: Date.now,
        signal,
      };
    },
    async close() {
      await vaults.close();
      await cloud.close();
    },
  };
}

export { app };
