import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
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
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
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
  expect(await pinion("merge", "www")).toMatchObject({ code: 1, err: expect.stringContaining("chain.pem") });
  expect(await pinion("list", "--url", "http://127.0.0.1:59999/api")).toMatchObject({
    code: 1,
    err: expect.stringContaining("ECONNREFUSED"),
  });
});

test.each([
  [[], 0],
  [["help"], 0],
  [["explode"], 2],
  [["constructor"], 2],
  [["show"], 2],
  [["show", "../health"], 2],
  [["list", "--nonsense"], 2],
  [["list", "--url", "http://pinion.example/api"], 2],
])("%j is not sent: exit code %i", async (args, code) => {
  const { code: exit, err } = await pinion(...args);
  expect(exit).toBe(code);
  expect(err).not.toBe("");
  expect(seen).toEqual([]);
});

test("a token alone is enough: no key is sent, nor asked for", async () => {
  const env = { PINION_URL: url, PINION_TOKEN: "token" };
  expect(await run(["list"], { env, out: () => undefined, err: () => undefined })).toBe(0);
  expect(seen).toMatchObject([{ key: undefined, authorization: "Bearer token" }]);
});
