import { expect, test } from "vitest";
import { testVault } from "../support.ts";
import { digestOf, ecJwk, encode } from "./material.ts";

// Errors word by word, and while a deletion or a recovery runs.

const none = "0".repeat(32);
const hint =
  " was not found in this key vault. If you recently deleted this key you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182";
test("error bodies word by word", async () => {
  const { ask } = await testVault();
  await ask("POST", "/keys/a/create", { body: { kty: "EC", attributes: { enabled: false } } });
  const notFound = (id: string) => ({ code: "KeyNotFound", message: `A key with (name/id) ${id}${hint}` });
  const disabled = {
    code: "Forbidden",
    message: "Operation get is not allowed on a disabled key.",
    innererror: { code: "KeyDisabled" },
  };
  const sign = { alg: "ES256", value: encode(digestOf("sha256", "text")) };
  const expected: [string, string, unknown, number, unknown][] = [
    ["GET", "/keys/none", undefined, 404, notFound("none")],
    ["GET", `/keys/a/${none}`, undefined, 404, notFound(`a/${none}`)],
    ["POST", `/keys/a/${none}/sign`, sign, 404, notFound(`a/${none}`)],
    ["GET", "/keys/none/rotationpolicy", undefined, 404, notFound("none")],
    ["GET", "/deletedkeys/a", undefined, 404, { code: "KeyNotFound", message: "Deleted Key not found: a" }],
    ["GET", "/keys/a", undefined, 403, disabled],
    ["POST", "/keys/a/sign", sign, 403, { ...disabled, message: "Operation sign is not allowed on a disabled key." }],
    [
      "POST",
      "/keys/restore",
      { value: "AAAA" },
      400,
      { code: "Malformed backup blob", message: "The backup blob is malformed." },
    ],
  ];
  for (const [method, path, body, status, error] of expected) {
    const answer = await ask(method, path, { body });
    expect([path, answer.status, answer.json]).toStrictEqual([path, status, { error }]);
  }
  await ask("DELETE", "/keys/a");
  expect((await ask("GET", "/deletedkeys/a")).json.error.innererror.code).toBe("KeyDisabled");
  for (const [method, path, body] of [
    ["POST", "/keys/A/create", { kty: "EC" }],
    ["PUT", "/keys/a", { key: ecJwk() }],
  ] as const) {
    const { status, json } = await ask(method, path, { body });
    expect([status, json]).toStrictEqual([
      409,
      {
        error: {
          code: "Conflict",
          message:
            "Key a is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the key can only be recovered or purged.",
          innererror: { code: "ObjectIsDeletedButRecoverable" },
        },
      },
    ]);
  }
});

test("while a deletion or a recovery runs", async () => {
  const { ask, control, clock } = await testVault();
  await ask("POST", "/keys/a/create", { body: { kty: "EC" } });
  control.set({ deleteDelayMs: 1000 });
  await ask("DELETE", "/keys/a");
  const running = { code: "Conflict", message: "Key is currently being deleted." };
  const conflict = { error: { ...running, innererror: { code: "ObjectIsBeingDeleted" } } };
  expect((await ask("GET", "/deletedkeys/a")).status).toBe(404);
  for (const [method, path] of [
    ["DELETE", "/keys/a"],
    ["DELETE", "/deletedkeys/a"],
    ["POST", "/keys/a/create"],
  ] as const) {
    const { status, json } = await ask(method, path, { body: { kty: "EC" } });
    expect([path, status, json]).toStrictEqual([path, 409, conflict]);
  }
  clock.advance(1000);
  expect((await ask("POST", "/deletedkeys/a/recover")).status).toBe(200);
  expect((await ask("GET", "/keys/a")).status).toBe(404);
  const again = await ask("POST", "/keys/a/create", { body: { kty: "EC" } });
  expect([again.status, again.json.error.innererror.code]).toEqual([409, "ObjectIsBeingRecovered"]);
  clock.advance(1000);
  expect((await ask("GET", "/keys/a")).status).toBe(200);
});
