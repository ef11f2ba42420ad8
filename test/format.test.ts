import { describe, expect, test } from "vitest";
import { readValue, writeValue } from "../src/format.ts";
import type { Format } from "../src/policy.ts";

const next = { username: "app_b", password: `p@ss;w"o'r d/%` };
const json: Format = { type: "json", username: "username", password: "password" };
const url: Format = { type: "url" };
const pairs: Format = { type: "connection-string", username: "Username", password: "Password" };
const template: Format = { type: "template", template: "user={username} pass={password} (v1.0)" };

describe("what is around the login stays to the letter", () => {
  test.each<readonly [string, Format, string, string]>([
    ["plain", { type: "plain" }, "old", next.password],
    [
      "json: spaces, order, long numbers, nested fields of the same name",
      json,
      `{ "2": 1,\n "n": 12345678901234567890.0, "password" : "old", "1": {"password":"in"}, "l":["username",{"username":"x"}], "username":"a\\u0041" }\n`,
      `{ "2": 1,\n "n": 12345678901234567890.0, "password" : ${JSON.stringify(next.password)}, "1": {"password":"in"}, "l":["username",{"username":"x"}], "username":"app_b" }\n`,
    ],
    [
      "url: hosts, path and query",
      url,
      "postgresql://app_a:o%20ld@h1:5432,h2:5433/orders?sslmode=verify-full&application_name=a%20b",
      "postgresql://app_b:p%40ss%3Bw%22o%27r%20d%2F%25@h1:5432,h2:5433/orders?sslmode=verify-full&application_name=a%20b",
    ],
    [
      "connection string: keys, order, quotes, empty pairs",
      pairs,
      `Host=db; USERNAME = app_a ;Password='o''ld;';;Search Path="a;b"`,
      `Host=db; USERNAME = app_b ;Password=${JSON.stringify(next.password).replace('\\"', '""')};;Search Path="a;b"`,
    ],
    ["template", template, "user=app_a pass=old (v1.0)", `user=app_b pass=${next.password} (v1.0)`],
  ])("%s", (_, format, before, after) => {
    expect(writeValue(format, before, next)).toBe(after);
    expect(readValue(format, after, next.username)).toEqual(next);
  });
});

test("a format without a user name takes the one that is known otherwise, and writes the password alone", () => {
  const alone: Format = { type: "json", password: "pw" };
  expect(readValue(alone, `{"pw":"x","username":"other"}`, "app")).toEqual({ username: "app", password: "x" });
  expect(writeValue(alone, `{"pw":"x","username":"other"}`, next)).toBe(
    `{"pw":${JSON.stringify(next.password)},"username":"other"}`,
  );
  expect(() => readValue(alone, `{"pw":"x"}`)).toThrow("no user name");
  // The value's own name is never replaced by the one known otherwise.
  expect(() => readValue(json, `{"password":"x"}`, "app")).toThrow("no user name");
});

describe("a malformed value is SECRET_MALFORMED, and the error holds nothing of it", () => {
  test.each<readonly [Format, string, string]>([
    [{ type: "plain" }, "", "no password"],
    [json, "canary", "not JSON"],
    [json, `{"password":"canary",}`, "not JSON"],
    [json, `["canary"]`, "not a JSON object"],
    [json, `"canary"`, "not a JSON object"],
    [json, `{"username":"canary"}`, "no password"],
    [json, `{"username":"canary","password":7}`, "no password"],
    [json, `{"username":"canary","password":""}`, "no password"],
    [json, `{"username":"u","password":{"v":"canary"}}`, "no password"],
    [json, `{"username":"u","password":"canary","password":"canary"}`, "twice"],
    [json, `{"username":"u","password":"canary","password":7}`, "twice"],
    [url, "canary", "not a URL"],
    [url, "postgres://canary@host/db", "no password"],
    [url, "postgres://:canary@host/db", "no user name"],
    [url, "postgres://u:canary/x@host/db", "not a URL"],
    [url, "postgres://u:can@ary@host/db", "not a URL"],
    [url, "postgres://u:canary%@host/db", "not percent-encoded"],
    [url, "postgres://host/db?user=u&password=canary", "not a URL"],
    [pairs, "canary", "key=value"],
    [pairs, `Username=u;Password="canary`, "key=value"],
    [pairs, `Username=u;Password="can"ary`, "key=value"],
    [pairs, `Username=u;Password= "canary`, "key=value"],
    [pairs, "Username=u;Password=canary;PASSWORD=canary", "twice"],
    [pairs, "Username=canary", "no password"],
    [pairs, "Password=canary", "no user name"],
    [template, "user=u pass=canary (v1x0)", "does not fit the template"],
  ])("%j %j", (format, text, problem) => {
    for (const act of [
      () => readValue(format, text, "u"),
      () => writeValue(format, text, { username: "u", password: "p" }),
    ]) {
      expect(act).toThrow(
        expect.objectContaining({ code: "SECRET_MALFORMED", message: expect.stringContaining(problem) }),
      );
      expect(act).not.toThrow(/canary|can"ary|can@ary/);
    }
  });
});
