import { randomBytes } from "node:crypto";
import { expect, onTestFinished, test } from "vitest";
import { startChallengeReceiver } from "../../local/targets/challenge-receiver.ts";
import { webhook, webhookConfig } from "../../rotators/shared/dns/webhook.ts";
import { stepOf } from "./step.ts";

// The demonstration's receiver, called by the challenger itself.

const url = "https://kv.vault.azure.net/secrets/dns-webhook";
const secret = `whsec_${randomBytes(32).toString("base64")}`;
const name = "_acme-challenge.shop.contoso.com";

/** A receiver before a name server that, like pebble-challtestsrv, only takes all values of a name away. */
async function open({ ahead = 0, signedWith = secret } = {}) {
  const texts = new Map<string, string[]>();
  const receiver = await startChallengeReceiver({
    dns: {
      addTxt: async (host, value) => void texts.set(host, [...(texts.get(host) ?? []), value]),
      clearTxt: async (host) => void texts.delete(host),
    },
    secret,
    now: () => Date.now() + ahead,
  });
  onTestFinished(receiver.stop);
  const config = webhookConfig.parse({ kind: "webhook", url: receiver.url, secret: url });
  const at = stepOf(config, { secrets: { [url]: signedWith } }, AbortSignal.timeout(10_000));
  const call = async (action: "publish" | "withdraw", value: string, where = name) =>
    await webhook[action]({ ...at, config: { ...config, delegatedTo: where } }, { name: where, value });
  return { texts, call };
}

test("values stand beside each other, each goes alone, and a second call is done already", async () => {
  const { texts, call } = await open();
  await Promise.all([call("publish", "a"), call("publish", "b"), call("publish", "a")]);
  expect(texts.get(name)?.toSorted()).toEqual(["a", "b"]);
  await call("publish", "b");
  await call("withdraw", "a");
  await call("withdraw", "a");
  expect(texts.get(name)).toEqual(["b"]);
  await call("withdraw", "b");
  expect(texts.get(name)).toBeUndefined();
});

test.each([
  ["signed with another key", { signedWith: `whsec_${randomBytes(32).toString("base64")}` }],
  ["six minutes old", { ahead: 360_000 }],
])("a call that is %s changes nothing", async (_what, options) => {
  const { texts, call } = await open(options);
  await expect(call("publish", "a")).rejects.toMatchObject({ code: "TARGET_FORBIDDEN" });
  expect(texts.size).toBe(0);
});

test("a name that is no challenge's is refused", async () => {
  const { texts, call } = await open();
  await expect(call("publish", "a", "www.contoso.com")).rejects.toMatchObject({ code: "TARGET_FORBIDDEN" });
  expect(texts.size).toBe(0);
});
