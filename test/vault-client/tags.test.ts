import * as fc from "fast-check";
import { expect, test } from "vitest";
import { nextTags, ownTagCount, ownTagLimit, tags } from "../../src/vault/tags.ts";

const names = fc.constantFrom(..."abcdefghijklmnopqrst".split(""), ...Object.values(tags));
const some = (maxKeys: number) => fc.dictionary(names, fc.constantFrom("1", "2"), { maxKeys });
const own = (all: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(all).filter(([name]) => !(Object.values(tags) as string[]).includes(name)));

test("what preflight lets through loses no tag, whatever the policy gives and however often it is rotated", () => {
  fc.assert(
    fc.property(some(15), some(10).map(own), fc.boolean(), (former, policy, back) => {
      fc.pre(ownTagCount(former, policy) <= ownTagLimit);
      const mark = { [tags.rotation]: "r", [tags.previous]: "v", ...(back && { [tags.rollbackOf]: "u" }) };
      const next = nextTags(former, { ...policy, ...mark });
      expect(Object.keys(next).length).toBeLessThanOrEqual(15);
      // Its own tags are all there, the policy's win, and of ours only the new ones.
      expect(next).toEqual({ ...own(former), ...policy, ...mark });
      // The next rotation finds the same room: a tag of the policy is not counted twice.
      expect(ownTagCount(next, policy)).toBe(ownTagCount(former, policy));
    }),
  );
});

test("even without preflight the service's limit of 15 is never passed", () => {
  fc.assert(
    fc.property(some(15), some(15), (former, mine) => {
      expect(Object.keys(nextTags(former, mine)).length).toBeLessThanOrEqual(15);
    }),
  );
});
