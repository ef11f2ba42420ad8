import { expect, test } from "vitest";
import { recordOf } from "../../src/triggers/rebuild.ts";
import type { ObjectVersion } from "../../src/vault/vault.ts";

// What the tags in the vault tell of a record that is gone.

const version = (name: string, second: number, tags: Record<string, string> = {}): ObjectVersion => ({
  name: "db",
  version: name,
  enabled: true,
  tags,
  createdOn: new Date(second * 1000),
  expiresOn: new Date((second + 90) * 1000),
});
const of = (rotation: string, previous: string, more: Record<string, string> = {}) => ({
  "pinion-rotation": rotation,
  "pinion-previous": previous,
  ...more,
});
const iso = (second: number) => new Date(second * 1000).toISOString();

test("the last rotation, what it published and until when, and what was current before", () => {
  const versions = [version("c", 3, of("r-2", "b")), version("b", 2, of("r-1", "a")), version("a", 1)];
  expect(recordOf(versions[0]!, versions)).toEqual({
    phase: "idle",
    attempts: 0,
    quarantined: false,
    pointOfNoReturn: false,
    rotationId: "r-2",
    sourceVersion: "b",
    publishedVersion: "c",
    publishedAt: iso(3),
    publishedUntil: iso(93),
    versionCount: 3,
    superseded: ["a", "b"],
  });
});

test("a version that carries a former credential again is no fresh one, and who is pinned to that is where they belong", () => {
  const versions = [
    version("c", 3, of("r-1", "b", { "pinion-rollback-of": "a" })),
    version("b", 2, of("r-1", "a")),
    version("a", 1),
  ];
  const record = recordOf(versions[0]!, versions);
  expect(record).toMatchObject({ publishedVersion: "c", superseded: ["b"] });
  expect(record?.publishedAt).toBeUndefined();
});

test("the last twenty former versions, the newest of them last", () => {
  const versions = Array.from({ length: 30 }, (_, at) => version(`v${30 - at}`, 30 - at, of(`r-${at}`, "")));
  const { superseded, versionCount } = recordOf(versions[0]!, versions)!;
  expect([superseded.length, superseded[0], superseded.at(-1), versionCount]).toEqual([20, "v10", "v29", 30]);
});

test.each([
  ["a version that somebody else wrote", {}],
  ["marks that the vault copied from another version", of("r-1", "a", { "pinion-marks": "a" })],
])("nothing from %s", (_name, tags) => {
  const newest = version("b", 2, tags);
  expect(recordOf(newest, [newest, version("a", 1, of("r-0", ""))])).toBeUndefined();
});
