import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { deadlineSeconds, leaseSeconds, openLeases } from "../../src/store/leases.ts";
import { openAzurite } from "./storage.ts";

let store: Awaited<ReturnType<typeof openAzurite>>;
beforeAll(async () => void (store = await openAzurite()));
afterAll(() => store.close());

const open = () => openLeases(store.open().leases);
const held = { code: "LEASE_HELD", class: "transient" };

test("a step is stopped before its lease can end", () => {
  expect(deadlineSeconds).toBeLessThan(leaseSeconds);
});

test("of thirty at once, on two instances, one works at a time", async () => {
  const instances = [open(), open()] as const;
  let inside = 0;
  let most = 0;
  let done = 0;
  const work = async () => {
    most = Math.max(most, ++inside);
    await delay(20);
    inside--;
    done++;
  };
  const outcomes = await Promise.allSettled(
    Array.from({ length: 30 }, (_, at) => instances[at % 2 === 0 ? 0 : 1]("account", work)),
  );
  for (const outcome of outcomes) if (outcome.status === "rejected") expect(outcome.reason).toMatchObject(held);
  expect(most).toBe(1);
  expect(done).toBe(outcomes.filter(({ status }) => status === "fulfilled").length);
  expect(done).toBeGreaterThan(0);
});

test("accounts do not hinder each other, whatever their names", async () => {
  const withLease = open();
  const names = ["pg:server/a", "pg:server/A", "../x", "ä €", "", "x".repeat(5000)];
  const nest = async ([name, ...rest]: string[]): Promise<string> =>
    name === undefined ? "all held" : await withLease(name, () => nest(rest));
  expect(await nest(names)).toBe("all held");
});

test("given back at once, also by work that fails", async () => {
  const withLease = open();
  await expect(withLease("fails", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(await withLease("fails", () => Promise.resolve(1))).toBe(1);
});

test("of a holder that died, it is free after its time by the cloud's clock and not a moment sooner", async () => {
  const [dead, next] = [open(), open()];
  const frozen = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  const late = dead("dies", () => (started.resolve(), frozen.promise));
  await started.promise;
  store.clock.advance((leaseSeconds - 5) * 1000);
  await expect(next("dies", () => Promise.resolve(1))).rejects.toMatchObject(held);
  store.clock.advance(6000);
  await next("dies", async () => {
    // The dead one comes back: its release must not end the lease that is another's by now.
    frozen.resolve();
    await late;
    await expect(open()("dies", () => Promise.resolve(1))).rejects.toMatchObject(held);
  });
  expect(await next("dies", () => Promise.resolve(2))).toBe(2);
});
