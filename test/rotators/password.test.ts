import { assert, constantFrom, integer, pre, property, uniqueArray } from "fast-check";
import { expect, test } from "vitest";
import { generatePassword, urlSafeAlphabet } from "../../rotators/shared/password.ts";

const letters = uniqueArray(constantFrom(...Array.from(urlSafeAlphabet), "é", "😀", "'", "\\"), {
  minLength: 2,
  maxLength: 30,
});

test("has the length, keeps to the alphabet and leaves out what is excluded", () => {
  assert(
    property(letters, letters, integer({ min: 1, max: 200 }), (alphabet, exclude, length) => {
      const allowed = alphabet.filter((letter) => !exclude.includes(letter));
      pre(allowed.length >= 2);
      const password = Array.from(generatePassword({ length, alphabet: alphabet.join(""), exclude: exclude.join("") }));
      expect(password).toHaveLength(length);
      expect(password.filter((letter) => !allowed.includes(letter))).toEqual([]);
    }),
  );
});

test("is 40 letters and digits unless asked otherwise, and never the same twice", () => {
  const many = Array.from({ length: 500 }, () => generatePassword());
  expect(new Set(many).size).toBe(many.length);
  expect(many.every((password) => /^[A-Za-z0-9]{40}$/.test(password))).toBe(true);
});

test("uses every letter about as often as any other", () => {
  const counts = new Map<string, number>();
  for (const letter of generatePassword({ length: 62_000 })) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  expect(counts.size).toBe(62);
  // 1000 expected of each, standard deviation 31: eight of them is a chance of one in 10^13.
  for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(8 * 31.4);
});

test("refuses what cannot make a password", () => {
  expect(() => generatePassword({ alphabet: "aaaa" })).toThrow(RangeError);
  expect(() => generatePassword({ alphabet: "ab", exclude: "b" })).toThrow(RangeError);
  for (const length of [0, -1, 1.5, Number.NaN]) expect(() => generatePassword({ length })).toThrow(RangeError);
});
