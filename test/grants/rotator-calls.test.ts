import { expect, test } from "vitest";
import { rotators } from "../../rotators/index.ts";
import { objectRoles } from "../../src/azure/vault-roles.ts";
import type { Rotator } from "../../src/rotator.ts";
import { declaredIsCalled } from "./both-ways.ts";
import { certificateLives } from "./certificate-lives.ts";
import { secretLives } from "./secret-lives.ts";

// What each rotator calls in a whole life against what it declares, and what its object takes.

const lived = declaredIsCalled([...secretLives, ...certificateLives]);
const heldIn = (which: (of: string) => boolean) =>
  new Set(lived.filter(({ of }) => which(of)).flatMap(({ rotation }) => rotation.map(({ role }) => role)));

test.each(rotators as readonly Pick<Rotator<unknown>, "kind" | "strategy" | "roles">[])(
  "$kind $strategy: each of its roles is in a life",
  ({ kind, strategy, roles }) => {
    const held = heldIn((of) => of === `${kind} ${strategy}`);
    expect(held.size).toBeGreaterThan(0);
    expect(roles.map(({ key }) => key).filter((key) => !held.has(key))).toEqual([]);
  },
);

test("so is each of the objects' own, and each of their actions is used by one of them", () => {
  const all = heldIn(() => true);
  const own = Object.values(objectRoles).flatMap(({ object, staging }) => (staging ? [...object, staging] : object));
  expect(own.map(({ key }) => key).filter((key) => !all.has(key))).toEqual([]);
  const used = new Set(lived.flatMap(({ calls }) => calls.map(({ action }) => action)));
  expect(own.flatMap(({ dataActions = [] }) => dataActions).filter((action) => !used.has(action))).toEqual([]);
});
