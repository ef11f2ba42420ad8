import { expect, it } from "vitest";
import type { Consumer } from "../../src/consumer.ts";
import { given, moved, pinnedTo } from "./pins.ts";

it("puts a pin back that is ours, and leaves one that somebody else moved", async () => {
  const mine = moved(pinnedTo("ours"));
  expect(await mine.steps.retreat({ ...given, consumers: mine.before })).toMatchObject({ ok: true });
  expect(mine.text()).toBe(pinnedTo("former"));

  const theirs = moved(pinnedTo("by-hand"));
  expect(await theirs.steps.retreat({ ...given, consumers: theirs.before })).toMatchObject({ ok: true, proofs: [] });
  expect(theirs.text()).toBe(pinnedTo("by-hand"));
});

it("proves those that are back, and nothing of the one that somebody else moved", async () => {
  const proven: string[] = [];
  const prove: Consumer["prove"] = async (_step, version) => {
    proven.push(version);
    return [{ name: "resolved", ok: true }];
  };
  const verify = { ...given, version: "newest" };
  const mine = moved(pinnedTo("former"), prove);
  expect(await mine.steps.verify({ ...verify, back: mine.before })).toMatchObject({ ok: true });
  const theirs = moved(pinnedTo("byhand"), prove);
  expect(await theirs.steps.verify({ ...verify, back: theirs.before })).toMatchObject({ ok: true });
  expect(proven).toEqual(["former"]);
});
