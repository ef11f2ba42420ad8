import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Arm, openArm } from "../../src/azure/arm.ts";

type Answer = (reply: ServerResponse, base: string) => void;

const seen: { readonly method: string; readonly url: string; readonly token: string | undefined }[] = [];
let answers: Answer[] = [];
let base = "";
let arm: Arm;
const server = createServer((request, reply) => {
  const { method = "", url = "", headers } = request;
  seen.push({ method, url, token: headers.authorization });
  const answer = answers.length > 1 ? answers.shift() : answers[0];
  answer?.(reply, base);
});

beforeEach(async () => {
  seen.length = 0;
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  arm = openArm(base, "https://management.azure.com", {
    getToken: async () => ({ token: "t", expiresOnTimestamp: Number.MAX_SAFE_INTEGER }),
  });
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => void server.close(resolve));
});

const send = (status: number, headers: Record<string, string> = {}, body?: unknown): Answer => {
  return (reply, at) => {
    const whole = Object.entries(headers).map(([name, value]) => [name, value.replace("BASE", at)] as const);
    reply.writeHead(status, { "retry-after": "0", ...Object.fromEntries(whole) });
    reply.end(body === undefined ? "" : JSON.stringify(body));
  };
};
const ask = (signal = AbortSignal.timeout(60_000)) =>
  arm({ method: "PATCH", path: "/subscriptions/s/x", apiVersion: "2024-01-01", body: { a: 1 }, signal });
const operation = { "azure-asyncoperation": "BASE/operations/1?api-version=2020-01-01", location: "BASE/results/1" };

test("Azure-AsyncOperation is asked until it has succeeded, with the token, at its own api-version", async () => {
  answers = [
    send(202, operation, { provisioningState: "Updating" }),
    send(200, {}, { status: "InProgress" }),
    send(200, {}, { status: "Running" }),
    send(200, {}, { status: "Succeeded" }),
  ];
  expect(await ask()).toBeUndefined();
  expect(seen.map(({ method, url, token }) => [method, url, token])).toEqual([
    ["PATCH", "/subscriptions/s/x?api-version=2024-01-01", "Bearer t"],
    ...Array.from({ length: 3 }, () => ["GET", "/operations/1?api-version=2020-01-01", "Bearer t"]),
  ]);
});

test("a 201 with Azure-AsyncOperation is one too; its Location alone is that of what was made", async () => {
  answers = [send(201, operation), send(200, {}, { status: "Succeeded" })];
  expect(await ask()).toBeUndefined();
  expect(seen.length).toBe(2);
  answers = [send(201, { location: "BASE/subscriptions/s/x" }, { made: true })];
  expect(await ask()).toEqual({ made: true });
  expect(seen.length).toBe(3);
});

test("Location answers 202 until it is over", async () => {
  answers = [send(202, { location: "BASE/results/1" }), send(202), send(202), send(200, {}, { whole: true })];
  expect(await ask()).toBeUndefined();
  expect(seen.map(({ url }) => url).slice(1)).toEqual(["/results/1", "/results/1", "/results/1"]);
});

test("neither header: the reply is what there is", async () => {
  answers = [send(202, {}, { properties: { provisioningState: "Updating" } })];
  expect(await ask()).toEqual({ properties: { provisioningState: "Updating" } });
});

test.each([
  ["SameKeyMaterialNotFoundOnRemoteServer", "CONSUMER_MISCONFIGURED", "permanent"],
  ["InternalServerError", "CONSUMER_UNREACHABLE", "transient"],
  ["ConflictingServerOperation", "CONSUMER_UNREACHABLE", "transient"],
])("failed with %s: %s (%s), by its code; the text stays unquoted", async (code, expected, kind) => {
  answers = [send(202, operation), send(200, {}, { status: "Failed", error: { code, message: "canary-1f" } })];
  const error = await ask().catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: expected, class: kind, message: expect.stringContaining(code) });
  expect((error as Error).message).not.toContain("canary");
});

test("canceled, or with a code that is none", async () => {
  answers = [send(202, operation), send(200, {}, { status: "Canceled" })];
  await expect(ask()).rejects.toMatchObject({ code: "CONSUMER_MISCONFIGURED", message: /Canceled/ });
  answers = [send(202, operation), send(200, {}, { status: "Failed", error: { code: "a secret = x" } })];
  await expect(ask()).rejects.toMatchObject({ message: expect.not.stringContaining("secret") });
});

test.each([403, 404, 429, 500])("a status that answers %i says nothing of the change: come back", async (status) => {
  answers = [send(202, operation), send(status)];
  await expect(ask()).rejects.toMatchObject({ code: "CONSUMER_NOT_MOVED", class: "transient" });
});

test("a status that breaks off, too", async () => {
  answers = [send(202, operation), (reply) => void reply.destroy()];
  await expect(ask()).rejects.toMatchObject({ code: "CONSUMER_NOT_MOVED", class: "transient" });
});

test("longer than a step may take: told at once, not slept through", async () => {
  answers = [send(202, { ...operation, "retry-after": "30" })];
  const started = performance.now();
  await expect(ask()).rejects.toMatchObject({ code: "CONSUMER_NOT_MOVED", class: "transient" });
  expect(performance.now() - started).toBeLessThan(5_000);
  expect(seen.length).toBe(1);
});

test("the step's end ends the wait, with the signal's own reason", async () => {
  answers = [send(202, { ...operation, "retry-after": "15" })];
  const stop = new AbortController();
  const reason = new Error("lease lost");
  const asked = ask(stop.signal);
  await expect.poll(() => seen.length).toBe(1);
  stop.abort(reason);
  await expect(asked).rejects.toBe(reason);
});

test("the token goes nowhere else, whatever the reply says", async () => {
  const asked: (string | undefined)[] = [];
  const foreign = createServer((request, reply) => {
    asked.push(request.headers.authorization);
    reply.end("{}");
  });
  await new Promise<void>((resolve) => void foreign.listen(0, "127.0.0.1", resolve));
  try {
    const url = `http://127.0.0.1:${(foreign.address() as AddressInfo).port}/operations/1`;
    answers = [send(202, { "azure-asyncoperation": url })];
    await expect(ask()).rejects.toMatchObject({ code: "CONSUMER_NOT_MOVED", class: "transient" });
    expect(asked).toEqual([]);
  } finally {
    await new Promise((resolve) => void foreign.close(resolve));
  }
});

test.each([
  [{ error: { code: "KeyVaultEncryptionKeyNotFound", message: "canary" } }, "400 KeyVaultEncryptionKeyNotFound"],
  [{ error: { code: "canary is no code", message: "x" } }, "(400)"],
  [{ canary: true }, "(400)"],
])("a refusal is told by Azure's code alone: %j", async (body, expected) => {
  answers = [send(400, {}, body)];
  const error = await ask().catch((thrown: unknown) => thrown);
  expect((error as Error).message).toContain(expected);
  expect((error as Error).message).not.toContain("canary");
});
