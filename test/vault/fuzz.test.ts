import { statSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { testVault, vaultName } from "./support.ts";
import type { Answer, Asked } from "./support.ts";

// Any request at all: an answer within five seconds, never a 5xx, and no change unless it was accepted.

const seed = 20260115;
const names = ["a", "b", "s-1"];
const spellings = [...names, "B"];
const hex = "0123456789abcdef".repeat(2);

const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string(),
  fc.constantFrom("", "..", ".", "%", "__proto__", "\0"),
);
/** What Node's own client lets through in a path; bytes it does not are sent raw, below. */
const segment = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...spellings) },
  {
    weight: 3,
    arbitrary: fc.constantFrom("versions", "backup", "restore", "recover", "secrets", "deletedsecrets", hex),
  },
  { weight: 2, arbitrary: text.map((it) => it.replace(/[\ud800-\udfff]/g, "")).map(encodeURIComponent) },
  {
    weight: 1,
    arbitrary: fc.constantFrom("%", "%zz", "%ff", "%c3%28", "%00", "%2e%2e", "%2F", "", "..", "~", "*", "[x]"),
  },
);
const path = fc
  .tuple(
    fc.oneof({ weight: 8, arbitrary: fc.constantFrom("secrets", "deletedsecrets") }, { weight: 1, arbitrary: segment }),
    fc.array(segment, { maxLength: 4 }),
    fc.constantFrom("", "", "/", "//"),
  )
  .map(([root, rest, end]) => `/${[root, ...rest].join("/")}${end}`);
const query = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.constantFrom("api-version=7.5", "api%2Dversion=2026-04-01", "API-version=7.0&maxresults=3"),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom("", "api-version=", "api-version=9", "api-version=7.5&maxresults=0", "&&=&", "?"),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        fc.constantFrom("$skiptoken", "maxresults", "api-version", "outContentType", "x"),
        fc.oneof(fc.base64String(), fc.json()),
      )
      .map(([name, value]) => `api-version=7.5&${encodeURIComponent(name)}=${encodeURIComponent(value)}`),
  },
);
const member = fc.oneof(fc.jsonValue(), fc.constantFrom(null, "", 0, -1, 1.5, 1e300, true, {}, []));
const attributes = fc.record(
  { enabled: fc.oneof(fc.boolean(), member), exp: fc.oneof(fc.nat(), member), nbf: fc.oneof(fc.nat(), member) },
  { requiredKeys: [] },
);
const body = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record(
      { value: fc.string(), tags: fc.dictionary(text, text, { maxKeys: 17 }) },
      { requiredKeys: ["value"] },
    ),
  },
  {
    weight: 4,
    arbitrary: fc.record(
      {
        value: fc.oneof(fc.string(), member),
        contentType: member,
        tags: fc.oneof(member, fc.dictionary(text, member)),
        attributes: fc.oneof(attributes, member),
      },
      { requiredKeys: [] },
    ),
  },
  { weight: 1, arbitrary: fc.jsonValue() },
);
const payload = fc.oneof(
  { weight: 30, arbitrary: body.map((it) => JSON.stringify(it)) },
  {
    weight: 5,
    arbitrary: fc.constantFrom(
      undefined,
      "",
      "{",
      "[".repeat(50_000),
      '{"value":"\\ud800"}',
      '{"value":"x","value":1}',
    ),
  },
  { weight: 5, arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 25_000, max: 1_100_000 }).map((size) => JSON.stringify({ value: "x".repeat(size) })),
  },
);
const headers = fc.dictionary(
  fc.constantFrom(
    "content-type",
    "accept",
    "x-ms-client-request-id",
    "x-ms-return-client-request-id",
    "x-http-method-override",
    "expect-ct",
    "if-match",
  ),
  fc.oneof(
    fc.stringMatching(/^[\x21-\x7e]{0,40}$/),
    fc.constantFrom("true", "text/plain", "application/json; charset=utf-16", "*"),
  ),
);
const anyRequest = fc.record({
  method: fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom("GET", "PUT", "PUT", "PUT", "PATCH", "DELETE", "POST") },
    { weight: 1, arbitrary: fc.constantFrom("HEAD", "OPTIONS", "TRACE", "PROPFIND", "get", "QUERY", "MKCOL") },
  ),
  path,
  query,
  payload,
  headers,
  token: fc.oneof({ weight: 12, arbitrary: fc.constant("t") }, { weight: 1, arbitrary: fc.constant(null) }),
});

/** Requests that mean something, so that states worth protecting come about. */
const routes = [
  ["PUT", "/secrets/:name"],
  ["PUT", "/secrets/:name/"],
  ["GET", "/secrets/:name"],
  ["PATCH", "/secrets/:name"],
  ["DELETE", "/secrets/:name"],
  ["POST", "/deletedsecrets/:name/recover"],
  ["DELETE", "/deletedsecrets/:name"],
  ["GET", "/deletedsecrets/:name"],
  ["GET", "/secrets/:name/versions"],
  ["POST", "/secrets/:name/backup"],
  ["GET", "/deletedsecrets"],
] as const;
const goodRequest = fc
  .tuple(
    fc.constantFrom(...routes),
    fc.constantFrom(...spellings),
    fc.oneof(fc.constant('{"value":"v"}'), payload),
    headers,
  )
  .map(([[method, template], name, payload, headers]) => ({
    method,
    path: template.replace(":name", name),
    query: "api-version=7.5",
    payload,
    headers,
    token: "t",
  }));
const request = fc.oneof({ weight: 3, arbitrary: anyRequest }, { weight: 2, arbitrary: goodRequest });

const within = <T>(work: Promise<T>, what: string): Promise<T> =>
  Promise.race([
    work,
    new Promise<T>((_, reject) => setTimeout(() => reject(new Error(`No answer: ${what}`)), 5000).unref()),
  ]);

/** Everything that can be read, as one text. */
async function stateOf(ask: (method: string, path: string) => Promise<Answer>): Promise<string> {
  const paths = [
    "/secrets",
    "/deletedsecrets",
    ...names.flatMap((name) => [`/secrets/${name}`, `/secrets/${name}/versions`]),
  ];
  return (await Promise.all(paths.map((one) => ask("GET", one)))).map(({ text }) => text).join("\n");
}

test("3,000 requests through an HTTP client", { timeout: 120_000 }, async () => {
  const { ask, control, stateDir } = await testVault({ subscribedSince: 0 });
  const journal = () => statSync(join(stateDir, `${vaultName}.journal`)).size;
  let [sent, accepted, refused] = [0, 0, 0];
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 30, maxLength: 30 }), async (requests) => {
      control.reset();
      let state = await stateOf(ask);
      for (const one of requests) {
        const size = journal();
        const asked: Asked = { body: one.payload, headers: one.headers, token: one.token, raw: true };
        const target = one.query ? `${one.path}?${one.query}` : one.path;
        const answer = await within(ask(one.method, target, asked), `${one.method} ${target}`);
        sent += 1;
        expect(answer.status, `${one.method} ${target}`).toBeLessThan(500);
        if (answer.status < 400) {
          accepted += 1;
          if (one.method !== "GET") state = await stateOf(ask);
          continue;
        }
        refused += 1;
        expect(journal(), `${answer.status} ${one.method} ${target}`).toBe(size);
        // Reading everything is dear: after every fifth request, so a change is caught unless accepted ones cover it.
        if (sent % 5 === 0) expect(await stateOf(ask)).toBe(state);
        if (one.method !== "HEAD") {
          expect(answer.json).toEqual({
            error: expect.objectContaining({ code: expect.any(String), message: expect.any(String) }),
          });
        }
      }
    }),
    { seed, numRuns: 100, endOnFailure: true },
  );
  expect(accepted, "the generator must reach the good paths too").toBeGreaterThan(sent / 10);
  expect(refused).toBeGreaterThan(sent / 10);
});

test("500 raw byte streams", { timeout: 120_000 }, async () => {
  const { ask, ca, stateDir, url } = await testVault();
  await ask("PUT", "/secrets/a", { body: { value: "v" } });
  const port = Number(new URL(url).port);
  const state = await stateOf(ask);
  const size = statSync(join(stateDir, `${vaultName}.journal`)).size;
  const line = fc.oneof(
    fc.constantFrom(
      "GET /secrets/a?api-version=7.5 HTTP/1.1",
      "PUT /secrets/a?api-version=7.5 HTTP/1.1",
      "PUT /\xff\xfe HTTP/1.1",
      "CONNECT x:1 HTTP/1.1",
      "GET * HTTP/1.1",
      "GET http://[ HTTP/1.1",
    ),
    fc.string({ unit: "binary-ascii" }),
  );
  const header = fc.oneof(
    fc.constantFrom(
      "Host: x",
      "Content-Length: 5",
      "Content-Length: -1",
      "Transfer-Encoding: chunked",
      "Expect: 100-continue",
      "Expect: x",
      "Upgrade: websocket\r\nConnection: Upgrade",
      "Authorization: Bearer",
      "Authorization: Bearer t",
      "Authorization: Basic x",
      "x-ms-client-request-id: \xe9",
    ),
    fc.string({ unit: "binary-ascii", maxLength: 60 }),
  );
  const stream = fc
    .tuple(line, fc.array(header, { maxLength: 5 }), fc.uint8Array({ maxLength: 200 }))
    .map(([first, rest, tail]) =>
      Buffer.concat([Buffer.from(`${[first, ...rest].join("\r\n")}\r\n\r\n`, "latin1"), tail]),
    );
  await fc.assert(
    fc.asyncProperty(stream, async (bytes) => {
      const socket = connect({ port, host: "127.0.0.1", ca });
      const chunks: Buffer[] = [];
      socket.on("data", (chunk: Buffer) => chunks.push(chunk));
      const ended = new Promise<void>((resolve) => socket.on("close", () => resolve()).on("error", () => resolve()));
      // A client that has said all it wants to say: an incomplete request must then be answered or dropped, not kept.
      socket.end(bytes);
      await within(ended, JSON.stringify(bytes.toString("latin1")));
      const [, status = "none"] = /^HTTP\/1\.1 (\d+)/.exec(Buffer.concat(chunks).toString("latin1")) ?? [];
      expect(status).not.toMatch(/^5/);
    }),
    { seed, numRuns: 500, endOnFailure: true },
  );
  expect(await stateOf(ask)).toBe(state);
  expect(statSync(join(stateDir, `${vaultName}.journal`)).size).toBe(size);
});
