import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { startBind } from "../../local/targets/bind.ts";
import { challengeConfig, challengeNeeds, challengers, publisherOf } from "../../rotators/shared/challenge.ts";
import { bindIsMissing, needsBind } from "../dns/bind.ts";
import { portsOf, valueOf } from "../dns/step.ts";
import { readFile } from "./page.ts";

// The examples of docs/rotators/dns.md are what the schemas take, and BIND does what its example promises.

const page = readFile("docs/rotators/dns.md");
const blocks = (language: string) =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, "gm"))].map(([, text]) => text!);
const examples = blocks("json").map((text) => JSON.parse(text) as { kind: string });

test("there is one example for each kind, and it is valid", () => {
  expect(examples.map(({ kind }) => kind).toSorted()).toEqual(Object.keys(challengers).toSorted());
  for (const [kind, challenger] of Object.entries(challengers)) expect(challenger.kind).toBe(kind);
});

describe.each(examples.map((example) => [example.kind, example] as const))("%s", (kind, example) => {
  test("the example is taken, by the union and by its own schema", () => {
    const parsed = challengeConfig.parse(example);
    expect(challengers[parsed.kind].config.parse(example)).toEqual(parsed);
    expect(parsed).toMatchObject(example);
    const { type } = publisherOf(parsed, { ports: portsOf({}), signal: AbortSignal.abort() });
    expect(type).toBe(kind === "static-website" ? "http-01" : "dns-01");
  });

  test("a field too many, or one too few, is refused", () => {
    expect(challengeConfig.safeParse({ ...example, colour: "red" }).success).toBe(false);
    for (const field of Object.keys(example).filter((one) => one !== "ttl")) {
      expect([field, challengeConfig.safeParse({ ...example, [field]: undefined }).success]).toEqual([field, false]);
    }
  });
});

test("the role of the page is what the code asks for", () => {
  const [shown] = blocks("json role").map((text) => JSON.parse(text) as { Actions: string[] });
  const config = challengeConfig.parse(examples.find(({ kind }) => kind === "azure-dns"));
  expect(challengeNeeds(config).map(({ role }) => role.actions)).toEqual([shown!.Actions]);
});

test.skipIf(bindIsMissing)(`the update policy lets in what it names, and nothing else${needsBind}`, async () => {
  const policy = /update-policy \{[^]*?\};/.exec(blocks("named")[0]!)![0];
  const dir = mkdtempSync(join(tmpdir(), "pinion-bind-"));
  const secret = randomBytes(32).toString("base64");
  const records = ["@ NS ns1", "ns1 A 127.0.0.1"];
  const bind = await startBind({
    dir,
    keys: [{ name: "pinion", algorithm: "hmac-sha256", secret }],
    zones: [{ name: "contoso.com", records, updatedBy: policy }],
  });
  try {
    const example = examples.find(({ kind }) => kind === "rfc2136") as { key: { secret: string } } & { kind: string };
    const lookup = { resolvers: [bind.address], servers: [bind.address] };
    const config = challengeConfig.parse({ ...example, server: bind.host, port: bind.port, ...lookup });
    const ports = portsOf({ secrets: { [example.key.secret]: secret } });
    const publisher = publisherOf(config, { ports, signal: AbortSignal.timeout(30_000) });
    const record = { name: "_acme-challenge.www.contoso.com", value: valueOf("a") };
    await publisher.publish(record);
    expect((await publisher.visible(record)).everywhere).toBe(true);
    await publisher.withdraw(record);
    expect((await publisher.visible(record)).everywhere).toBe(false);
    await expect(publisher.publish({ ...record, name: "_acme-challenge.shop.contoso.com" })).rejects.toMatchObject({
      code: "TARGET_FORBIDDEN",
      message: expect.stringContaining("REFUSED") as string,
    });
  } finally {
    await bind.stop();
    rmSync(dir, { recursive: true, force: true });
  }
});
