import { expect, test } from "vitest";
import { createSubscription, createThrottle, keyWeight } from "../../local/vault/throttle.ts";
import { start, testVault } from "./support.ts";

// The service's documented limits, in ten seconds of one vault: per kind of operation, per type and size of key.

/** How many of an operation are let through at one instant. */
function admitted(operation: string, weight = 1): number {
  const throttle = createThrottle();
  let count = 0;
  while (throttle.admits(operation, start, weight)) count += 1;
  return count;
}

test("so many and no more, by operation", () => {
  const expected: Record<string, number> = {
    "secret.set": 300,
    "key.import": 300,
    "certificate.import": 300,
    "key.create": 20,
    "key.rotate": 20,
    "certificate.create": 20,
    "secret.get": 4000,
    "secret.list": 4000,
    "certificate.get": 4000,
    "key.sign": 4000,
    "key.get": 4000,
  };
  for (const [operation, count] of Object.entries(expected))
    expect([operation, admitted(operation)]).toEqual([operation, count]);
});

test("larger keys weigh more, and all keys draw on one budget", () => {
  const key = (n: number | undefined) => ({
    versions: [{ id: "v", jwk: n === undefined ? {} : { n: "x".repeat(n) } }],
  });
  /** The length of a modulus in base64url, by its bits. */
  const sizes = { ec: undefined, rsa2048: 342, rsa3072: 512, rsa4096: 683 };
  const vault = {
    keys: { find: (name: string) => (name in sizes ? key(sizes[name as keyof typeof sizes]) : undefined) },
  } as unknown as Parameters<typeof keyWeight>[0];
  const weights = ["ec", "rsa2048", "rsa3072", "rsa4096", "none"].map((name) => keyWeight(vault, name, ""));
  expect(weights).toEqual([1, 1, 4, 8, 1]);
  expect(keyWeight(vault, "rsa4096", "v")).toBe(8);
  expect([admitted("key.sign", 4), admitted("key.sign", 8)]).toEqual([1000, 500]);
  const throttle = createThrottle();
  for (let index = 0; index < 250; index++) throttle.admits("key.sign", start, 8);
  for (let index = 0; index < 2000; index++) expect(throttle.admits("key.decrypt", start, 1)).toBe(true);
  expect(throttle.admits("key.get", start, 1)).toBe(false);
  expect(throttle.admits("secret.get", start), "secrets have a budget of their own").toBe(true);
});

test("imports share the budget of secret creations; 429 answers do not count; ten seconds later all is forgotten", () => {
  const throttle = createThrottle();
  for (let index = 0; index < 150; index++) throttle.admits("secret.set", start);
  for (let index = 0; index < 150; index++) throttle.admits("key.import", start);
  for (let index = 0; index < 50; index++) expect(throttle.admits("certificate.import", start + 9_999)).toBe(false);
  expect(throttle.admits("secret.set", start + 10_000)).toBe(true);
});

test("the vaults of a subscription share five times what one may", () => {
  const subscription = createSubscription();
  const vaults = Array.from({ length: 6 }, () => createThrottle(subscription));
  for (const { admits } of vaults.slice(0, 5)) {
    for (let index = 0; index < 20; index++) expect(admits("key.create", start)).toBe(true);
  }
  expect(vaults[5]!.admits("key.create", start)).toBe(false);
  expect(vaults[5]!.admits("key.create", start + 10_000)).toBe(true);
});

test("over the wire: the twenty-first key is refused as the service refuses it, and is not made", async () => {
  const { ask, control, clock } = await testVault();
  control.set({ throttling: true });
  const create = () => ask("POST", "/keys/a/create", { body: { kty: "EC" } });
  for (let index = 0; index < 20; index++) expect((await create()).status).toBe(200);
  const refused = await create();
  expect([refused.status, refused.json.error.code]).toEqual([429, "Throttled"]);
  expect(refused.headers["retry-after"]).toBeUndefined();
  expect((await ask("GET", "/keys/a/versions")).json.value).toHaveLength(20);
  clock.advance(10_000);
  expect((await create()).status).toBe(200);
});
