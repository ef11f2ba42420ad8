import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { probeHealth } from "../../src/consumers/health.ts";

const password = "Zx81Zx81Zx81Zx81Zx81Zx81Zx81Zx81Zx81Zx81";
const version = "0123456789abcdef0123456789abcdef";
const server = createServer((_request, reply) => reply.end(JSON.stringify({ password, version })));
beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
afterAll(() => void server.close());

const probe = (versionField: string) => {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const health = { url, expect: 200, timeout: 5_000, versionField };
  return probeHealth("api", health, version, new AbortController().signal);
};

it("shows a version that a consumer reports, and nothing else of its reply", async () => {
  expect(await probe("version")).toMatchObject({ ok: true, detail: `answered 200, reports version ${version}` });
  const mistaken = await probe("password");
  expect(mistaken.ok).toBe(false);
  expect(JSON.stringify(mistaken)).not.toContain(password.slice(0, 10));
});
