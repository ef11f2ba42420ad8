import { createHmac, randomUUID } from "node:crypto";
import { z } from "zod";
import { PinionError } from "../../../src/errors.ts";
import { targetUrl } from "../http.ts";
import { call, refused } from "./http.ts";
import { placeOf } from "./lookup.ts";
import { lookupFields, secretUrl } from "./provider.ts";
import type { ChallengeRecord, ChallengeStep, Challenger } from "./provider.ts";
import { withSecret } from "./secret.ts";
import { visible } from "./visible.ts";

export const webhookConfig = z.strictObject({
  kind: z.literal("webhook"),
  url: targetUrl,
  /** Vault secret with the signing key: `whsec_` and base64, or any text of at least 24 bytes. */
  secret: secretUrl,
  ...lookupFields,
});
export type WebhookConfig = z.output<typeof webhookConfig>;

/**
 * Anything that takes a signed POST `{action: "publish" | "withdraw", name, value, timestamp}`, with `name` the one to write to and
 * `timestamp` in seconds. Signed as Standard Webhooks has it: `webhook-signature: v1,<base64>` is HMAC-SHA256 over
 * `<webhook-id>.<webhook-timestamp>.<body>`. 2xx and 409 mean done; 429, 408 and 5xx are tried again; the rest is for good. The reply's body
 * is not read. The receiver must refuse old timestamps, and take a second call as done.
 */
export const webhook: Challenger<WebhookConfig> = {
  kind: "webhook",
  config: webhookConfig,
  publish: async (at, record) => await post(at, record, "publish"),
  withdraw: async (at, record) => await post(at, record, "withdraw"),
  visible,
};

async function post(
  { config, ports, signal }: ChallengeStep<WebhookConfig>,
  record: ChallengeRecord,
  action: "publish" | "withdraw",
): Promise<void> {
  const name = await placeOf(record, config, signal);
  await withSecret({ ports, signal }, config.secret, async (secret) => {
    const key = keyOf(secret, config.secret);
    const timestamp = Math.floor(ports.now() / 1000);
    const body = JSON.stringify({ action, name, value: record.value, timestamp });
    const who = "The webhook";
    const reply = await call({
      who,
      method: "POST",
      url: config.url,
      headers: { "content-type": "application/json", ...signature(key, timestamp, body) },
      body,
      unread: true,
      signal,
    });
    if (reply.ok || reply.status === 409) return;
    throw refused(reply, { who, advice: `it must verify with the key in ${config.secret}`, now: ports.now() });
  });
}

/** The headers of Standard Webhooks (standardwebhooks.com). A new id for each call: what it asks for is the same however often it comes. */
function signature(key: Buffer, timestamp: number, body: string): Record<string, string> {
  const id = `msg_${randomUUID()}`;
  const mac = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
  return { "webhook-id": id, "webhook-timestamp": String(timestamp), "webhook-signature": `v1,${mac}` };
}

function keyOf(secret: string, url: string): Buffer {
  const key = secret.startsWith("whsec_") ? Buffer.from(secret.slice(6), "base64") : Buffer.from(secret);
  if (key.length >= 24) return key;
  throw new PinionError(
    "TARGET_MISCONFIGURED",
    `The signing key in ${url} is too short: make one of 24 bytes or more.`,
  );
}
