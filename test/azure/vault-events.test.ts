import { join } from "node:path";
import { ManagedIdentityCredential } from "@azure/identity";
import { SecretClient } from "@azure/keyvault-secrets";
import { afterAll, expect, test } from "vitest";
import { vaultAccess } from "../../local/azure/vault-access.ts";
import { startVaults } from "../../local/vault/vaults.ts";
import { app, openCloud, soon, tenantId } from "./cloud.ts";
import { startWebhook } from "./webhook.ts";

const [cloud, hook] = await Promise.all([openCloud(), startWebhook()]);
const azure = await cloud.start({
  subscriptions: [
    { name: "hook", topic: "kv-one", destination: { type: "webhook", url: hook.url }, schema: "EventGridSchema" },
  ],
});
const vaults = await startVaults({
  clock: cloud.clock,
  stateDir: join(cloud.dir, "vault"),
  tls: cloud.tls,
  vaults: [
    { name: "kv-one", resourceId: "/subscriptions/s/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv-one" },
  ],
  authority: `https://login.windows.net/${tenantId}`,
  authorize: vaultAccess(azure),
  onEvent: azure.eventGrid.publishVaultEvent,
  subscribedSince: 0,
});
afterAll(async () => {
  await vaults.close();
  await cloud.close();
  await hook.close();
});

test("a secret written with a managed identity's token makes its events, at their time, at the subscriber", async () => {
  process.env["IDENTITY_ENDPOINT"] = azure.identityEndpoint;
  process.env["IDENTITY_HEADER"] = azure.identityHeader;
  const client = new SecretClient(vaults.vaults[0]!.url, new ManagedIdentityCredential(), {
    disableChallengeResourceVerification: true,
    tlsOptions: { ca: cloud.tls.ca },
    retryOptions: { maxRetries: 0 },
  });
  const types = () =>
    hook
      .notifications()
      .map(({ body }) => (JSON.parse(body) as [{ eventType: string }])[0].eventType.split(".").at(-1));
  const day = 86_400_000;
  const { properties } = await client.setSecret("db", "x", { expiresOn: new Date(cloud.clock.now() + 60 * day) });
  await expect.poll(types, soon).toEqual(["SecretNewVersionCreated"]);
  azure.rights.deny(app.objectId, "vault", 60);
  await expect(client.getSecret("db")).rejects.toMatchObject({ statusCode: 403, code: "Forbidden" });
  cloud.clock.advance(60_000);
  await expect.poll(async () => (await client.getSecret("db")).value, soon).toBe("x");
  cloud.clock.advance(31 * day);
  await expect.poll(types, soon).toEqual(["SecretNewVersionCreated", "SecretNearExpiry"]);
  const [event] = JSON.parse(hook.notifications()[1]!.body) as [{ data: Record<string, unknown> }];
  expect(event.data).toMatchObject({
    VaultName: "kv-one",
    ObjectName: "db",
    Version: properties.version,
    Id: properties.id,
  });
});
