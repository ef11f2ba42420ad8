import { connect } from "node:tls";
import { expect, test } from "vitest";
import { testVault } from "./support.ts";

// What is refused, and in which words.

test("bad bodies are refused and change nothing", async () => {
  const { ask } = await testVault();
  const sixteen = Object.fromEntries(Array.from({ length: 16 }, (_, index) => [`t${index}`, ""]));
  const bad: [string, unknown][] = [
    ["nothing", undefined],
    ["no JSON", "{"],
    ["no UTF-8", Buffer.from('{"value":"\xff"}', "latin1")],
    ["an array", []],
    ["null", "null"],
    ["no value", {}],
    ["a null value", { value: null }],
    ["a number", { value: 1 }],
    ["25 KB and a byte", { value: "x".repeat(25 * 1024 + 1) }],
    ["25 KB in characters, more in bytes", { value: "é".repeat(13_000) }],
    ["16 tags", { value: "v", tags: sixteen }],
    ["a tag that is a number", { value: "v", tags: { a: 1 } }],
    ["tags in an array", { value: "v", tags: ["a"] }],
    ["a long tag", { value: "v", tags: { a: "x".repeat(513) } }],
    ["a long content type", { value: "v", contentType: "x".repeat(256) }],
    ["a content type that is a number", { value: "v", contentType: 1 }],
    ["attributes in a string", { value: "v", attributes: "enabled" }],
    ["enabled in words", { value: "v", attributes: { enabled: "true" } }],
    ["half a second", { value: "v", attributes: { exp: 1.5 } }],
    ["a date in words", { value: "v", attributes: { nbf: "2026-01-01" } }],
    ["a negative time", { value: "v", attributes: { exp: -1 } }],
    ["a time beyond all dates", { value: "v", attributes: { exp: 1e15 } }],
  ];
  for (const [what, body] of bad) {
    const answer = await ask("PUT", "/secrets/a", { body });
    expect([what, answer.status, answer.json.error.code]).toEqual([what, 400, "BadParameter"]);
  }
  expect((await ask("GET", "/secrets/a")).status).toBe(404);
  const fifteen = Object.fromEntries(Object.entries(sixteen).slice(1));
  const good = { value: "é".repeat(12_800), tags: fifteen, contentType: "x".repeat(255), attributes: null };
  expect((await ask("PUT", "/secrets/a", { body: good })).status).toBe(200);
  const odd = await ask("PUT", "/secrets/odd", { body: '{"value":"v","tags":{"__proto__":"p"}}' });
  expect(odd.text).toContain('"tags":{"__proto__":"p"}');
});

test("names and versions that cannot be", async () => {
  const { ask } = await testVault();
  for (const name of ["a_b", "a.b", "%C3%A9", "a%2Fb", "a%00b", "x".repeat(128)]) {
    const answer = await ask("PUT", `/secrets/${name}`, { body: { value: "v" } });
    expect([name, answer.status, answer.json.error.code]).toEqual([name, 400, "BadParameter"]);
    expect(answer.json.error.message).toBe(`The request URI contains an invalid name: ${decodeURIComponent(name)}`);
  }
  expect((await ask("GET", "/secrets/a/xyz")).json.error.code).toBe("BadParameter");
  expect((await ask("GET", "/secrets/%ff")).json.error.code).toBe("BadParameter");
  expect((await ask("PUT", `/secrets/${"x".repeat(127)}`, { body: { value: "v" } })).status).toBe(200);
  for (const [method, path] of [
    ["GET", "/"],
    ["GET", "/nothing"],
    ["POST", "/secrets/a"],
    ["DELETE", "/secrets"],
    ["OPTIONS", "/secrets"],
  ] as const) {
    expect([method, path, (await ask(method, path)).status]).toEqual([method, path, 400]);
  }
});

test("error bodies word by word", async () => {
  const { ask } = await testVault();
  await ask("PUT", "/secrets/a", { body: { value: "v", attributes: { enabled: false } } });
  const hint =
    " was not found in this key vault. If you recently deleted this secret you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182";
  const none = "0".repeat(32);
  const expected: [string, string, unknown][] = [
    ["GET", "/secrets/none", { code: "SecretNotFound", message: `A secret with (name/id) none${hint}` }],
    ["GET", `/secrets/a/${none}`, { code: "SecretNotFound", message: `A secret with (name/id) a/${none}${hint}` }],
    ["GET", "/deletedsecrets/a", { code: "SecretNotFound", message: "Deleted Secret not found: a" }],
    [
      "GET",
      "/secrets/a",
      {
        code: "Forbidden",
        message: "Operation get is not allowed on a disabled secret.",
        innererror: { code: "SecretDisabled" },
      },
    ],
  ];
  for (const [method, path, error] of expected) expect((await ask(method, path)).json).toStrictEqual({ error });
  await ask("DELETE", "/secrets/a");
  expect((await ask("GET", "/deletedsecrets/a")).status, "the latest is disabled").toBe(403);
  expect((await ask("PUT", "/secrets/a", { body: { value: "v" } })).json).toStrictEqual({
    error: {
      code: "Conflict",
      message:
        "Secret a is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the secret can only be recovered or purged.",
      innererror: { code: "ObjectIsDeletedButRecoverable" },
    },
  });
});

test("a body over 1 MiB", async () => {
  const { ask } = await testVault();
  const large = await ask("PUT", "/secrets/a", { body: { value: "x".repeat(1024 * 1024) } });
  expect([large.status, large.json.error.code]).toEqual([413, "RequestEntityTooLarge"]);
  expect((await ask("PUT", "/secrets/a", { body: { value: "v" } })).status).toBe(200);
});

test("a backup of more than 500 versions", async () => {
  const { ask, client } = await testVault();
  for (let index = 0; index < 500; index++) await client.setSecret("a", String(index));
  expect((await ask("POST", "/secrets/a/backup")).status).toBe(200);
  await client.setSecret("a", "one too many");
  expect((await ask("POST", "/secrets/a/backup")).status).toBe(400);
});

test("what is no HTTP gets an answer", async () => {
  const { url, ca } = await testVault();
  for (const garbage of [
    "hello\r\n\r\n",
    "GET /secrets HTTP/9\r\n\r\n",
    `GET / HTTP/1.1\r\nX: ${"x".repeat(70_000)}\r\n\r\n`,
  ]) {
    const socket = connect({ port: Number(new URL(url).port), host: "127.0.0.1", ca });
    socket.write(garbage);
    const chunks: Buffer[] = [];
    for await (const chunk of socket as AsyncIterable<Buffer>) chunks.push(chunk);
    expect(Buffer.concat(chunks).toString()).toMatch(/^HTTP\/1\.1 400 [\s\S]*"code":"BadParameter"/);
  }
});
