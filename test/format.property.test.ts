import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PinionError } from "../src/errors.ts";
import { readValue, writeValue } from "../src/format.ts";
import type { Format } from "../src/policy.ts";

const seed = 20_261_123;
const runs = { seed, numRuns: 500 };

// Every printable mark, quotes, separators, spaces, controls and characters beyond the BMP.
const marks = fc.constantFrom(
  ...Array.from(" \"'=;{}[]\\/@:?#%&+,\n\t\u0000\u2028üß漢😀"),
  "==",
  '""',
  "''",
  "%41",
  "\\u0041",
);
const secretText = fc
  .array(fc.oneof(fc.string({ unit: "grapheme", minLength: 1, maxLength: 4 }), marks), { minLength: 1, maxLength: 12 })
  .map((parts) => parts.join(""));
const login = fc.record({ username: secretText, password: secretText });

const json: Format = { type: "json", username: "username", password: "password" };
const url: Format = { type: "url" };
const pairs: Format = { type: "connection-string", username: "User Id", password: "Password" };
const template: Format = { type: "template", template: "{username}\n.*[{password}]" };

/** What a reader gets that parses the whole value, without the two parts. */
const jsonRest = (text: string) => {
  const { username: _, password: __, ...rest } = JSON.parse(text) as Record<string, unknown>;
  return { rest, order: Object.keys(JSON.parse(text) as object) };
};

describe("write, then read", () => {
  test("plain gives back the password, and the user name that is known otherwise", () => {
    fc.assert(
      fc.property(login, (next) => {
        expect(readValue({ type: "plain" }, writeValue({ type: "plain" }, "old", next), next.username)).toEqual(next);
      }),
      runs,
    );
  });

  test("json gives back the same, and every other field as it was, in its order", () => {
    fc.assert(
      fc.property(
        login,
        fc.dictionary(fc.string({ maxLength: 8 }), fc.jsonValue(), { noNullPrototype: true }),
        fc.boolean(),
        (next, others, pretty) => {
          const { username: _, password: __, ...rest } = others;
          const before = JSON.stringify({ username: "old", ...rest, password: "old" }, null, pretty ? 2 : 0);
          const after = writeValue(json, before, next);
          expect(readValue(json, after)).toEqual(next);
          expect(JSON.parse(after)).toMatchObject(next);
          expect(jsonRest(after)).toEqual(jsonRest(before));
        },
      ),
      runs,
    );
  });

  test("url gives back the same to this reader and to WHATWG's, with scheme, host, path and query as they were", () => {
    const tails = fc.constantFrom(
      "@db.example:5432/orders?sslmode=verify-full&x=%20",
      "@[::1]:5432/a%2Fb",
      "@h1:1,h2:2/db?user=x",
      "@h#frag@x",
    );
    fc.assert(
      fc.property(login, tails, (next, tail) => {
        const after = writeValue(url, `postgres://old:old${tail}`, next);
        expect(readValue(url, after)).toEqual(next);
        expect(after.endsWith(tail) && after.startsWith("postgres://")).toBe(true);
        if (!URL.canParse(after)) return;
        const parsed = new URL(after);
        expect([parsed.username, parsed.password].map(decodeURIComponent)).toEqual([next.username, next.password]);
      }),
      runs,
    );
  });

  test("connection string gives back the same, and every other key to the letter", () => {
    fc.assert(
      fc.property(login, (next) => {
        const [head, middle, tail] = [
          `Host=db;Options='a;b=""c';`,
          `; Application==Name = "x;Password=no" ;;`,
          ";Timeout=15; ",
        ];
        const after = writeValue(pairs, `${head}user id=old${middle}PASSWORD='o''ld'${tail}`, next);
        expect(readValue(pairs, after)).toEqual(next);
        expect(after.startsWith(`${head}user id=`)).toBe(true);
        expect(after.includes(`${middle}PASSWORD=`)).toBe(true);
        expect(after.endsWith(tail)).toBe(true);
      }),
      runs,
    );
  });

  test("template gives back the same, or refuses a login that it could not tell apart", () => {
    let carried = 0;
    fc.assert(
      fc.property(login, (next) => {
        const ambiguous = next.username.includes("\n.*[");
        try {
          expect(readValue(template, writeValue(template, "a\n.*[b]", next))).toEqual(next);
          carried++;
        } catch (error) {
          if (!ambiguous || !(error instanceof PinionError)) throw error;
        }
      }),
      runs,
    );
    expect(carried).toBeGreaterThan(400);
    expect(() => writeValue(template, "a\n.*[b]", { username: "x\n.*[y", password: "p" })).toThrow("cannot carry");
  });

  test("a second write leaves no trace of the first", () => {
    const values: [Format, string][] = [
      [json, `{"a":1,"username":"u","password":"p"}`],
      [url, "amqp://u:p@h/v"],
      [pairs, "Server=s;User Id=u;Password=p"],
      [template, "u\n.*[p]"],
    ];
    fc.assert(
      fc.property(fc.constantFrom(...values), login, ([format, text], next) => {
        fc.pre(format.type !== "template" || !next.username.includes("\n.*["));
        const old = readValue(format, text);
        expect(writeValue(format, writeValue(format, text, next), old)).toBe(text);
      }),
      runs,
    );
  });
});

test("half a surrogate pair is refused in every format", () => {
  const bad = { username: "u", password: "\uD800" };
  const values: [Format, string][] = [
    [{ type: "plain" }, "p"],
    [json, `{"username":"u","password":"p"}`],
    [url, "amqp://u:p@h"],
    [pairs, "User Id=u;Password=p"],
  ];
  for (const [format, text] of values) expect(() => writeValue(format, text, bad)).toThrow("cannot carry");
});

test("no text that is not a value makes anything but SECRET_MALFORMED, without the text", () => {
  const canary = "hunter2-canary";
  const texts = fc
    .array(fc.oneof(marks, fc.constantFrom("User Id", "Password", '"password"', "a://", canary)), { maxLength: 30 })
    .map((parts) => parts.join(""));
  fc.assert(
    fc.property(texts, fc.constantFrom(json, url, pairs, template), (text, format) => {
      try {
        readValue(format, text);
      } catch (error) {
        expect(error).toMatchObject({ code: "SECRET_MALFORMED", class: "permanent" });
        expect(String(error)).not.toContain(canary);
        expect((error as Error).cause).toBeUndefined();
      }
    }),
    { ...runs, numRuns: 2_000 },
  );
});
