import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { ofConnection } from "../../src/cli/failures.ts";
import { run } from "../../src/cli/run.ts";

const dir = mkdtempSync(join(tmpdir(), "pinion-cli-"));
const chain = join(dir, "chain.pem");
writeFileSync(chain, "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n");

interface Seen {
  readonly line: string;
  readonly key: string | undefined;
  readonly authorization: string | undefined;
  readonly body: unknown;
}
const seen: Seen[] = [];
let url = "";
const replies: Readonly<Record<string, readonly [number, unknown]>> = {
  "GET /api/rotations": [200, { rotations: [] }],
  "GET /api/rotations/www": [200, { id: "www", rotationId: "r-1" }],
  "GET /api/rotations/www/request": [200, { request: "-----BEGIN CERTIFICATE REQUEST-----\n" }],
  "POST /api/rotations/www/certificate": [202, { command: "merge" }],
  "POST /api/rotations/www/start": [202, { status: "started" }],
  "GET /api/evidence/r-1": [200, { outcome: "rotated" }],
  "POST /api/rotations/www/rollback": [409, { detail: "It is too late." }],
  "GET /api/rotations/no-key": [401, undefined],
  "GET /api/rotations/no-role": [403, undefined],
  "GET /api/rotations/asleep": [503, undefined],
  "GET /api/rotations/portal": [200, undefined],
};
const server = createServer((request, response) => void answer(request, response));
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const line = `${request.method} ${request.url}`;
  const text = Buffer.concat(chunks).toString();
  seen.push({
    line,
    key: request.headers["x-functions-key"] as string | undefined,
    authorization: request.headers.authorization,
    body: text === "" ? undefined : JSON.parse(text),
  });
  const [status, body] = replies[line] ?? [404, {}];
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body) ?? "<html>");
}

beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api`;
});
afterAll(() => {
  server.close();
  rmSync(dir, { recursive: true, force: true });
});
beforeEach(() => void (seen.length = 0));

async function pinion(...args: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const env = { PINION_URL: url, PINION_KEY: "key" };
  const code = await run(args, { env, out: (text) => void out.push(text), err: (text) => void err.push(text) });
  return { code, out: out.join("\n"), err: err.join("\n") };
}

test("the request of a certificate comes as PEM alone, to be redirected into a file", async () => {
  expect(await pinion("request", "www")).toEqual({ code: 0, out: "-----BEGIN CERTIFICATE REQUEST-----", err: "" });
});

test("a merge names the rotation that is under way, and sends the file", async () => {
  expect(await pinion("merge", "www", chain, "--reason", "yearly")).toMatchObject({ code: 0 });
  expect(seen.map(({ line, key }) => [line, key])).toEqual([
    ["GET /api/rotations/www", "key"],
    ["POST /api/rotations/www/certificate", "key"],
  ]);
  expect(seen[1]?.body).toEqual({ rotationId: "r-1", chain: expect.stringContaining("BEGIN"), reason: "yearly" });
});

test("a start names the version, evidence the rotation", async () => {
  expect(await pinion("start", "www", "v1", "--reason", "first")).toMatchObject({ code: 0 });
  expect(await pinion("evidence", "r-1")).toMatchObject({ code: 0, out: expect.stringContaining("rotated") });
  expect(seen.map(({ line, body }) => [line, body])).toEqual([
    ["POST /api/rotations/www/start", { version: "v1", reason: "first" }],
    ["GET /api/evidence/r-1", undefined],
  ]);
});

test("what the API refuses is said in its own words, with exit code 1", async () => {
  expect(await pinion("rollback", "www")).toEqual({ code: 1, out: "", err: "It is too late." });
  expect(await pinion("merge", "www", join(dir, "none.pem"))).toMatchObject({
    code: 1,
    err: expect.stringContaining("ENOENT"),
  });
  expect(await pinion("list", "--url", "http://127.0.0.1:59999/api")).toMatchObject({
    code: 1,
    err: expect.stringMatching(/127\.0\.0\.1:59999 \(ECONNREFUSED\).*`npm start`/),
  });
});

test.each([
  ["no-key", "set PINION_TOKEN to an Entra token"],
  ["no-role", "the app role Pinion.Reader to read"],
  ["asleep", "answered 503: it may be starting"],
  ["nowhere", "(404): check the address, which ends in /api"],
  ["portal", "is not Pinion: check the address"],
])("what says nothing of itself, %s, is told what to do, with exit code 1", async (id, words) => {
  expect(await pinion("show", id)).toEqual({ code: 1, out: "", err: expect.stringContaining(words) });
});

test.each([
  ["ENOTFOUND", "does not resolve"],
  ["SELF_SIGNED_CERT_IN_CHAIN", "NODE_EXTRA_CA_CERTS"],
  ["UND_ERR_CONNECT_TIMEOUT", "this machine's way there"],
])("an address that is not reached: %s", (code, words) => {
  const cause = Object.assign(new Error("it was not to be"), { code });
  expect(ofConnection(new TypeError("fetch failed", { cause }), "https://pinion.example/api")).toContain(words);
});

test.each([[[]], [["help"]], [["--help"]], [["show", "-h"]], [["doctor", "--help"]], [["onboard", "--help"]]])(
  "%j is helped on standard output, with exit code 0",
  async (args) => {
    expect(await pinion(...args)).toEqual({ code: 0, out: expect.stringContaining("npm run"), err: "" });
    expect(seen).toEqual([]);
  },
);

test.each<[readonly string[], string]>([
  [["explode"], "There is no command explode."],
  [["constructor"], "There is no command constructor."],
  [["show"], "<object> is missing: npm run pinion -- show <object>"],
  [["start", "www"], "<version> is missing: npm run pinion -- start <object> <version>"],
  [["merge", "www"], "<chain.pem> is missing"],
  [["list", "www"], "www is one word too many: npm run pinion -- list"],
  [["show", "../health"], "../health cannot be <object>"],
  [["show", "Orders_DB"], "`npm run pinion -- list` has them all"],
  [["list", "--nonsense"], "Unknown option '--nonsense'.\n\nnpm run pinion -- <command>"],
  [["list", "--url"], "argument missing.\n\n"],
  [["list", "--url", "http://pinion.example/api"], "http://pinion.example/api is none."],
  [["doctor", "--url", "pinion"], "pinion is no https URL"],
  [["doctor", "now"], "doctor takes no now."],
  [["onboard", "rotations.json", "orders", "reports"], "reports is one word too many."],
])("%j is not sent: what is wrong with it is said, with exit code 2", async (args, words) => {
  expect(await pinion(...args)).toEqual({ code: 2, out: "", err: expect.stringContaining(words) });
  expect(seen).toEqual([]);
});

test("a token alone is enough: no key is sent, nor asked for", async () => {
  const env = { PINION_URL: url, PINION_TOKEN: "token" };
  expect(await run(["list"], { env, out: () => undefined, err: () => undefined })).toBe(0);
  expect(seen).toMatchObject([{ key: undefined, authorization: "Bearer token" }]);
});
