import { afterEach, beforeEach } from "vitest";
import type { VaultEvent } from "../../local/azure/event-grid/event.ts";
import type { Subscription } from "../../local/azure/event-grid/subscription.ts";
import type { Azure } from "../../local/azure/server.ts";
import { openCloud } from "./cloud.ts";
import type { Cloud } from "./cloud.ts";
import { startWebhook } from "./webhook.ts";
import type { Webhook } from "./webhook.ts";

export const resourceId = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv";
export const nearExpiry = (objectName: string): VaultEvent => ({
  type: "Microsoft.KeyVault.SecretNearExpiry",
  vaultName: "kv",
  resourceId,
  objectName,
  version: "0123456789abcdef0123456789abcdef",
  id: `https://127.0.0.1:1/secrets/${objectName}/0123456789abcdef0123456789abcdef`,
  exp: 1_800_000_000,
  time: "2026-11-23T10:00:00.123Z",
});

/** A cloud and a webhook, new for each test of the file that calls this. */
export function freshGrid() {
  const fresh: { cloud: Cloud; hook: Webhook } = {} as { cloud: Cloud; hook: Webhook };
  beforeEach(async () => {
    [fresh.cloud, fresh.hook] = await Promise.all([openCloud(), startWebhook()]);
  });
  afterEach(async () => {
    await fresh.cloud.close();
    await fresh.hook.close();
  });
  const toHook = (more: Partial<Subscription> = {}): Subscription => ({
    name: "hook",
    topic: "kv",
    destination: { type: "webhook", url: fresh.hook.url },
    schema: "EventGridSchema",
    ...more,
  });
  return { fresh, toHook };
}

export const outcomes = (azure: Azure) => azure.eventGrid.log().map(({ outcome }) => outcome);
