import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createValueCache } from "../../src/vault/value-cache.ts";

const minutes = 60_000;

test("a value lives five minutes from when it was last kept, by process time", () => {
  let now = 0;
  const cache = createValueCache(() => now);
  cache.keep("Db", "1", "a");
  now = 5 * minutes - 1;
  expect(cache.find("dB", "1")).toBe("a");
  expect(cache.find("db", "2")).toBeUndefined();
  now += 1;
  expect(cache.find("db", "1")).toBeUndefined();
  cache.keep("db", "1", "b");
  cache.forget("DB", "1");
  expect(cache.find("db", "1")).toBeUndefined();
});

test("it never gives another version's value, an old one or more than 64", () => {
  const step = fc.record({
    does: fc.constantFrom("keep", "find", "forget"),
    version: fc.integer({ min: 0, max: 99 }).map(String),
    wait: fc.integer({ min: 0, max: minutes }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      let now = 0;
      const cache = createValueCache(() => now);
      const kept = new Map<string, number>();
      for (const { does, version, wait } of steps) {
        now += wait;
        if (does === "keep") {
          cache.keep("db", version, `value of ${version}`);
          kept.set(version, now);
        } else if (does === "forget") {
          cache.forget("db", version);
          kept.delete(version);
        } else {
          const found = cache.find("db", version);
          if (found === undefined) continue;
          expect(found).toBe(`value of ${version}`);
          expect(now - (kept.get(version) ?? -Infinity)).toBeLessThan(5 * minutes);
        }
      }
      const held = Array.from({ length: 100 }, (_, version) => cache.find("db", String(version)));
      expect(held.filter((value) => value !== undefined).length).toBeLessThanOrEqual(64);
    }),
  );
});
