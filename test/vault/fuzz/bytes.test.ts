import { readFileSync } from "node:fs";
import { join } from "node:path";
import { connect as connectPlain } from "node:net";
import { connect } from "node:tls";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { testVault, vaultName } from "../support.ts";
import { pastSeeds, patience, seed, share } from "./budget.ts";
import { checkAnswer, must } from "./oracle.ts";
import { exchange } from "./wire.ts";

// What is hardly HTTP. Each connection is answered and ends; what was written is what was accepted, no more.

const token = "Authorization: Bearer t";
const lines = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      ..."GET /secrets/a?api-version=7.5 HTTP/1.1|PUT /secrets/a?api-version=7.5 HTTP/1.1|DELETE /secrets/a?api-version=7.5 HTTP/1.1".split(
        "|",
      ),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      ..."PUT /secrets/a?api-version=7.5 HTTP/1.0|PUT /secrets/a?api-version=7.5 HTTP/2.0|PUT /secrets/a?api-version=7.5|PUT  /secrets/a?api-version=7.5  HTTP/1.1|GET * HTTP/1.1|GET http://[ HTTP/1.1".split(
        "|",
      ),
      ..."GET http://127.0.0.1/secrets?api-version=7.5 HTTP/1.1|CONNECT x:1 HTTP/1.1|PRI * HTTP/2.0|OPTIONS * HTTP/1.1|get /secrets HTTP/1.1|GET /secrets http/1.1|GET /_emulator/log HTTP/1.1".split(
        "|",
      ),
      "PUT /\u00ff\u00fe HTTP/1.1",
      "GET /a\0b HTTP/1.1",
      "",
      `GET /${"x".repeat(20_000)} HTTP/1.1`,
    ),
  },
  { weight: 1, arbitrary: fc.string({ unit: "binary-ascii", maxLength: 40 }) },
);
const headers = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom("Host: x", "Host: 127.0.0.1", token, "Content-Type: application/json") },
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      ...[13, 5, 0, -1, "+13", "0x0d", "13, 13", "13, 5", 1e20, "", "1 3", 2_000_000].map(
        (length) => `Content-Length: ${length}`,
      ),
      ..."chunked|gzip, chunked|chunked, identity|identity|xchunked|chunked;q=1|CHUNKED|\tchunked"
        .split("|")
        .map((coding) => `Transfer-Encoding: ${coding}`),
      "Transfer-Encoding : chunked",
      " Transfer-Encoding: chunked",
      "Content-Length\t: 5",
      "Expect: 100-continue",
      "Expect: x",
      "Upgrade: websocket\r\nConnection: Upgrade",
      "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
      "Connection: close",
      "Connection: keep-alive, close",
      "Authorization: Bearer",
      "Authorization: Basic x",
      "x-ms-client-request-id: \u00e9",
      "Folded: a\r\n b",
      "No colon",
      ": no name",
      "N\u00e4me: x",
      "Nul: \0",
      "Trailer: Authorization",
      "Origin: null",
    ),
  },
  { weight: 1, arbitrary: fc.string({ unit: "binary-ascii", maxLength: 60 }) },
);
const value = '{"value":"v"}';
const framed = ["d", "D;x=y", "e", "-d", "ffffffffffffffff", "0xd", "d ", ""].map(
  (size) => `${size}\r\n${value}\r\n0\r\n\r\n`,
);
const bodies = fc.oneof(
  fc.constantFrom(
    value,
    "",
    value.slice(0, 5),
    ...framed,
    `d\n${value}\n0\n\n`,
    `d\r\n${value}0\r\n\r\n`,
    "0\r\n\r\n",
    "zz\r\n",
    `d\r\n${value}\r\n0\r\nAuthorization: Bearer u\r\n\r\n`,
  ),
  fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
);
const oddRequest = fc
  .tuple(lines, fc.array(headers, { maxLength: 5 }), fc.constantFrom("\r\n", "\r\n", "\r\n", "\n", "\r"), bodies)
  .map(([line, headers, end, body]) => `${[line, ...headers].join(end)}${end}${end}${body}`);
const good = `PUT /secrets/a?api-version=7.5 HTTP/1.1\r\nHost: 127.0.0.1\r\n${token}\r\nContent-Length: ${value.length}\r\n\r\n${value}`;
const refused = `GET /secrets/none?api-version=7.5 HTTP/1.1\r\nHost: 127.0.0.1\r\n${token}\r\n\r\n`;
/** Several requests in one go. */
const stream = fc
  .array(fc.oneof({ weight: 2, arbitrary: oddRequest }, { weight: 1, arbitrary: fc.constantFrom(good, refused) }), {
    minLength: 1,
    maxLength: 3,
  })
  .map((requests) => ({ requests: requests.length, text: requests.join("") }));

const start = async (options = {}) => {
  const { url, ca, stateDir, ask } = await testVault({ tickMs: 2 ** 31 - 1, ...options });
  const place = { port: Number(new URL(url).port), ca };
  const writes = () => readFileSync(join(stateDir, `${vaultName}.journal`), "latin1").split("\n").length - 1;
  const alive = async () => (await ask("PUT", "/secrets/z", { body: { value: "v" } })).status;
  return { place, writes, alive };
};

test("streams of requests that are hardly any", { timeout: patience }, async () => {
  const { place, writes, alive } = await start();
  let [sent, answered, connections] = [0, 0, 0];
  let written = 0;
  const property = fc.asyncProperty(stream, async ({ requests, text }) => {
    const answers = await exchange(place, Buffer.from(text, "latin1"));
    for (const answer of answers) checkAnswer(answer, JSON.stringify(text.slice(0, 500)), { mayHaveNull: true });
    [sent, answered, connections] = [sent + requests, answered + answers.length, connections + 1];
    const before = written;
    written = writes();
    const accepted = answers.filter(({ status }) => status < 400).length;
    must(written - before <= accepted, `Written more than accepted: ${JSON.stringify(text)}`);
  });
  await fc.assert(property, { seed, numRuns: share(2.2) });
  for (const one of pastSeeds) await fc.assert(property, { seed: one, numRuns: 300 });
  console.log(`bytes: seed ${seed}, ${sent} requests on ${connections} connections, ${answered} answers.`);
  expect(answered).toBeGreaterThan(connections / 2);
  expect(await alive()).toBe(200);
});

test("clients that go away", { timeout: patience }, async () => {
  const { place, alive } = await start();
  const leave = fc.record({
    text: stream.map(({ text }) => text || "x"),
    at: fc.integer({ min: 1, max: 400 }),
    reset: fc.boolean(),
  });
  const property = fc.asyncProperty(leave, async ({ text, at, reset }) => {
    const socket = connect({ port: place.port, host: "127.0.0.1", ca: place.ca });
    socket.on("error", () => undefined);
    await new Promise((resolve) => void socket.once("secureConnect", resolve));
    await new Promise((resolve) => void socket.write(Buffer.from(text.slice(0, at), "latin1"), resolve));
    if (reset) socket.destroy();
    else socket.destroySoon();
  });
  await fc.assert(property, { seed, numRuns: share(0.5) });
  expect(await alive()).toBe(200);
});

test("what is no TLS", async () => {
  const { place, alive } = await start({ requestTimeoutMs: 500 });
  const leave = (bytes: Uint8Array) =>
    new Promise<void>((resolve) => {
      const socket = connectPlain({ port: place.port, host: "127.0.0.1" });
      socket.on("error", () => undefined).on("data", () => undefined);
      socket.once("close", () => resolve()).end(bytes);
    });
  await Promise.all(fc.sample(fc.uint8Array({ minLength: 1, maxLength: 100 }), { seed, numRuns: 50 }).map(leave));
  expect(await alive()).toBe(200);
});
