import { expect, test } from "vitest";
import { findRotator, rotators, strategiesOf } from "../../rotators/index.ts";
import { postgresAlternating, postgresInPlace } from "../../rotators/postgres.ts";

test("finds a rotator by kind and strategy", () => {
  expect(findRotator("postgres", "alternating")).toBe(postgresAlternating);
  expect(findRotator("postgres", "in-place")).toBe(postgresInPlace);
  expect(strategiesOf("postgres")).toEqual(["alternating", "in-place"]);
  expect(strategiesOf("oracle")).toEqual([]);
});

test("says what there is when it finds none", () => {
  const unknown = { code: "ROTATOR_UNKNOWN", class: "permanent" };
  expect(() => findRotator("oracle")).toThrow(
    expect.objectContaining({ ...unknown, message: expect.stringContaining("postgres") }),
  );
  expect(() => findRotator("postgres", "dual")).toThrow(expect.objectContaining(unknown));
  expect(() => findRotator("postgres")).toThrow(
    expect.objectContaining({ ...unknown, message: expect.stringContaining("in-place") }),
  );
});

test("no two rotators share kind and strategy", () => {
  expect(new Set(rotators.map(({ kind, strategy }) => `${kind} ${strategy}`)).size).toBe(rotators.length);
});
