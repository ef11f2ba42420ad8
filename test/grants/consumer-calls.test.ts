import { expect, test } from "vitest";
import { findConsumer } from "../../src/consumers/index.ts";
import { type ConsumerKind, readable } from "../../src/policy-consumers.ts";
import { declaredIsCalled } from "./both-ways.ts";
import { consumerLives } from "./consumer-lives.ts";

// What each kind of consumer calls in a whole life against what it declares.

const lived = declaredIsCalled(consumerLives);

test.each(Object.keys(readable) as ConsumerKind[])("%s: each of its roles is in a life", (kind) => {
  const held = lived.filter(({ of }) => of === kind).flatMap(({ rotation }) => rotation.map(({ role }) => role));
  const declared = findConsumer(kind).roles.map(({ key }) => key);
  expect(declared.filter((key) => !held.includes(key))).toEqual([]);
});

test("operations that go on are polled, which takes a right that nobody has: the step looks again", () => {
  const polled = lived.filter(({ failures }) =>
    failures.some((one) => one.includes("Azure still works on the change")),
  );
  expect(new Set(polled.map(({ of }) => of))).toEqual(new Set(["sql-tde", "disk-encryption-set", "cosmos-db"]));
});
