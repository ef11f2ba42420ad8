import { createServer } from "node:http";
import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { signatureOf, webhook } from "../../src/consumers/webhook.ts";
import type { ConsumerStep } from "../../src/consumer.ts";
import { consumerSchema, type ConsumerOf } from "../../src/policy-consumers.ts";
import { blocksOf, readFile } from "../docs/page.ts";
import { isPinion } from "./webhook-page.ts";

const baseUrl = "https://kv-edge.vault.azure.net/certificates/www";
const [one, two] = ["1".repeat(32), "2".repeat(32)] as const;
const keyUrl = "https://kv-edge.vault.azure.net/secrets/edge-1-webhook";
const signal = AbortSignal.timeout(600_000);

interface Call {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly json: {
    readonly action: string;
    readonly object: string;
    readonly version?: string;
    readonly timestamp: string;
  };
}
let calls: Call[] = [];
let answer: (call: Call, reply: ServerResponse) => void = () => {};
const server = createServer((request, reply) => {
  void (async () => {
    let body = "";
    for await (const part of request as AsyncIterable<Buffer>) body += part.toString();
    const call: Call = { headers: request.headers, body, json: JSON.parse(body || "{}") as Call["json"] };
    calls.push(call);
    answer(call, reply);
  })();
});
let url = "";
beforeAll(async () => {
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/pinion`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
let installed: string | null = one;
let keys = ["a key of more than 32 characters, at random"];
beforeEach(() => {
  calls = [];
  installed = one;
  keys = ["a key of more than 32 characters, at random"];
  answer = ({ json }, reply) => {
    if (json.action === "move") installed = json.version ?? two;
    reply.end(JSON.stringify({ version: installed }));
  };
});

const now = Date.UTC(2026, 10, 26, 12);
function step(more: Partial<ConsumerOf<"webhook">> = {}): ConsumerStep<"webhook"> {
  const consumer = consumerSchema.parse({
    kind: "webhook",
    id: "edge-1",
    url,
    key: keyUrl,
    reads: "pinned",
    lag: "PT1M",
  });
  return {
    consumer: { ...(consumer as ConsumerOf<"webhook">), ...more },
    object: { baseUrl },
    arm: () => Promise.reject(new Error("no ARM")),
    // A fresh read finds the last of the keys, a remembered one the first.
    secret: async (url, { fresh = false } = {}) => {
      expect(url).toBe(keyUrl);
      return (fresh ? keys.at(-1) : keys[0]) ?? "";
    },
    now: () => now,
    signal,
  };
}
const replies = (status: number, text = "", headers: Record<string, string> = {}) => {
  answer = (_call, reply) => void reply.writeHead(status, headers).end(text);
};

describe("pinned", () => {
  test("read, moved, proven, moved again and back", async () => {
    expect(await webhook.read(step())).toEqual({ text: `${baseUrl}/${one}`, pinned: one });
    expect(webhook.reference(step(), two)).toBe(`${baseUrl}/${two}`);
    await webhook.move(step(), `${baseUrl}/${two}`);
    await webhook.move(step(), `${baseUrl}/${two}`);
    expect(await webhook.prove(step(), two)).toEqual([
      { name: "edge-1 serves the version", ok: true, detail: `serves ${two}` },
    ]);
    expect(await webhook.prove(step(), one)).toMatchObject([{ ok: false }]);
    await webhook.move(step(), `${baseUrl}/${one}`);
    expect(await webhook.read(step())).toMatchObject({ pinned: one });
    expect(calls.map(({ json }) => [json.action, json.version])).toEqual([
      ["read", undefined],
      ["move", two],
      ["move", two],
      ["prove", two],
      ["prove", one],
      ["move", one],
      ["read", undefined],
    ]);
  });

  test("a receiver that serves none is not one yet; one that serves another is told again", async () => {
    replies(200, '{"version":null}');
    await expect(webhook.read(step())).rejects.toMatchObject({ code: "CONSUMER_MISCONFIGURED" });
    await webhook.move(step(), `${baseUrl}/${two}`);
    expect(await webhook.prove(step(), two)).toMatchObject([{ ok: false, detail: "serves none yet" }]);
    replies(200, JSON.stringify({ version: one }));
    await expect(webhook.move(step(), `${baseUrl}/${two}`)).rejects.toMatchObject({
      code: "CONSUMER_NOT_MOVED",
      class: "transient",
    });
  });

  test.each([
    baseUrl.replace("www", "api"),
    `${baseUrl}/${two}/x`,
    `${baseUrl}/`,
    `${baseUrl}//${two}`,
    `x${baseUrl}/${two}`,
  ])("the reference %s is not moved to", async (text) => {
    await expect(webhook.move(step(), text)).rejects.toMatchObject({ code: "CONSUMER_MISCONFIGURED" });
    expect(calls).toEqual([]);
  });
});

test("one that follows the newest is told to fetch it, and tells which it has", async () => {
  const latest = step({ reads: "latest" });
  expect(await webhook.read(latest)).toEqual({ text: baseUrl, active: one });
  expect(webhook.reference(latest, two)).toBe(baseUrl);
  await webhook.move(latest, baseUrl);
  expect(calls.at(-1)?.json).not.toHaveProperty("version");
  expect(await webhook.prove(latest, two)).toMatchObject([{ ok: true }]);
});

describe("the call", () => {
  test("says what it says in the docs, and is signed as they say", async () => {
    await webhook.move(step(), `${baseUrl}/${two}`);
    const [{ headers, body, json }] = calls as [Call];
    expect(json).toEqual({ action: "move", object: baseUrl, version: two, timestamp: String(now / 1000) });
    expect(isPinion(keys[0]!, headers, body, now)).toBe(true);
    expect(isPinion(keys[0]!, headers, `${body} `, now)).toBe(false);
    expect(isPinion("another key of more than 32 characters", headers, body, now)).toBe(false);
    expect(isPinion(keys[0]!, headers, body, now + 301_000)).toBe(false);
    expect(isPinion(keys[0]!, headers, body, now - 301_000)).toBe(false);
    expect(isPinion(keys[0]!, { ...headers, "x-pinion-timestamp": String(now / 1000 + 1) }, body, now)).toBe(false);
    expect(isPinion(keys[0]!, {}, body, now)).toBe(false);
    expect(
      isPinion(
        keys[0]!,
        { "x-pinion-timestamp": "NaN", "x-pinion-signature": signatureOf(keys[0]!, "NaN", body) },
        body,
        now,
      ),
    ).toBe(false);
    expect(body + JSON.stringify(headers)).not.toContain(keys[0]);
  });

  test("is signed anew with a key that was just changed, once", async () => {
    keys = ["the former key of more than 32 characters", "the newer key, of more than 32 characters"];
    const right = keys[1]!;
    answer = ({ headers, body }, reply) =>
      void reply.writeHead(isPinion(right, headers, body, now) ? 200 : 401).end(JSON.stringify({ version: one }));
    expect(await webhook.read(step())).toMatchObject({ pinned: one });
    expect(calls).toHaveLength(2);
    keys = ["a wrong key of more than 32 characters yes"];
    await expect(webhook.read(step())).rejects.toMatchObject({ code: "CONSUMER_FORBIDDEN" });
    expect(calls).toHaveLength(3);
  });

  test("is not made with a short key", async () => {
    keys = ["x".repeat(31)];
    await expect(webhook.read(step())).rejects.toMatchObject({
      code: "SECRET_MALFORMED",
      message: expect.not.stringContaining("xxx"),
    });
    expect(calls).toEqual([]);
  });
});

describe("an answer", () => {
  test.each([
    ["with more in it", JSON.stringify({ version: one, pem: "-----BEGIN PRIVATE KEY-----" })],
    ["with another version", JSON.stringify({ version: `${one} ` })],
    ["without one", "{}"],
    ["in another form", one],
    ["without end", JSON.stringify({ version: one }) + " ".repeat(5_000_000)],
    ["of nothing", ""],
  ])("%s is refused, and not quoted", async (_name, text) => {
    replies(200, text);
    const error = await webhook.read(step()).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "CONSUMER_MISCONFIGURED", class: "permanent" });
    expect((error as Error).message).not.toContain("PRIVATE");
    const [proof] = await webhook.prove(step(), one);
    expect(proof?.ok).toBe(false);
    expect(JSON.stringify(proof)).not.toContain("PRIVATE");
  });

  test.each([
    [400, {}, { code: "CONSUMER_MISCONFIGURED", class: "permanent" }],
    [302, { location: "/elsewhere" }, { code: "CONSUMER_MISCONFIGURED", class: "permanent" }],
    [401, {}, { code: "CONSUMER_FORBIDDEN", class: "permanent" }],
    [403, {}, { code: "CONSUMER_FORBIDDEN", class: "permanent" }],
    [404, {}, { code: "CONSUMER_MISCONFIGURED", class: "permanent" }],
    [429, { "retry-after": "7" }, { code: "CONSUMER_UNREACHABLE", class: "throttled", retryAfterSeconds: 7 }],
    [429, {}, { code: "CONSUMER_UNREACHABLE", class: "throttled", retryAfterSeconds: undefined }],
    [500, {}, { code: "CONSUMER_UNREACHABLE", class: "transient" }],
    [503, {}, { code: "CONSUMER_UNREACHABLE", class: "transient" }],
  ])("of %i is told by its class", async (status, headers, expected) => {
    replies(status, "secret text", headers);
    const error = await webhook.move(step(), `${baseUrl}/${two}`).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject(expected);
    expect((error as Error).message).not.toContain("secret text");
    expect(await webhook.prove(step(), two)).toMatchObject([{ ok: false }]);
    expect(calls.every(({ json }) => json.object === baseUrl)).toBe(true);
  });

  test("that never comes is no proof, and an error elsewhere; an abort is an abort", async () => {
    answer = (_call, reply) => void reply.destroy();
    await expect(webhook.read(step())).rejects.toMatchObject({ code: "CONSUMER_UNREACHABLE", class: "transient" });
    expect(await webhook.prove(step(), one)).toMatchObject([{ ok: false }]);
    const aborted = { ...step(), signal: AbortSignal.abort(new Error("over")) };
    await expect(webhook.prove(aborted, one)).rejects.toThrow("over");
  });
});

test("its health counts too", async () => {
  const health = { url, expect: 503, timeout: 500 };
  expect(await webhook.prove(step({ health }), one)).toMatchObject([
    { ok: true },
    { name: "edge-1 is healthy", ok: false },
  ]);
});

describe("in a policy", () => {
  const whole = {
    kind: "webhook",
    id: "edge-1",
    url: "https://edge-1.contoso.com/pinion",
    key: keyUrl,
    reads: "pinned",
    lag: "PT1M",
  };
  test("the docs' example is one", () => {
    const [example] = blocksOf(readFile("docs/consumers/webhook.md")).filter(({ language }) => language === "json");
    expect(consumerSchema.safeParse(JSON.parse(example!.text)).success).toBe(true);
  });

  test.each([
    { url: "http://edge-1.contoso.com/" },
    { url: "https://user:word@edge-1.contoso.com/" },
    { url: "ftp://edge-1.contoso.com/" },
    { key: "the key itself" },
    { key: `${keyUrl}/${one}` },
    { key: keyUrl.replace("https", "http") },
    { key: keyUrl.replace("secrets", "keys") },
    { more: 1 },
  ])("%j is refused", (change) => {
    expect(consumerSchema.safeParse(whole).success).toBe(true);
    expect(consumerSchema.safeParse({ ...whole, ...change }).success).toBe(false);
  });
});
