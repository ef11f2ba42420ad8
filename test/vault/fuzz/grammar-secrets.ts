import * as fc from "fast-check";
import { secretValue } from "./odd.ts";
import type { Meant } from "./request.ts";
import type { Topic } from "./run.ts";

/** Names of all kinds of objects; `B` is `b`. */
export const name = fc.constantFrom("a", "a", "b", "B", "c");
export const attributes = fc.record(
  {
    enabled: fc.boolean(),
    exp: fc.constantFrom(1, 1_800_000_000, 253_402_300_799),
    nbf: fc.constantFrom(0, 1_700_000_000, 1_900_000_000),
  },
  { requiredKeys: [] },
);
export const tags = fc.dictionary(
  fc.constantFrom("t", "env", "__proto__", ""),
  fc.constantFrom("", "v", "x".repeat(256)),
);

/** `/noun/a` or with a version. */
export const objectPath = (noun: string) =>
  fc
    .tuple(name, fc.constantFrom("", "", "/", `/@version(${noun})`))
    .map(([one, version]) => `/${noun}s/${one}${version}`);

const meant = (method: string, path: fc.Arbitrary<string>, body?: fc.Arbitrary<unknown>) =>
  fc.tuple(path, body ?? fc.constant(undefined)).map(([path, body]): Meant => ({ method, path, body }));
const under = (before: string, after = "") => name.map((one) => `${before}/${one}${after}`);

/** The clock goes on, which is no request. */
const tick = (milliseconds: number): Meant => ({ method: "GET", path: "/tick", query: String(milliseconds) });

/** What secrets, keys and certificates have in common. */
export function commonGrammar(noun: string): fc.Arbitrary<Meant> {
  const query = fc.constantFrom(
    "api-version=7.5",
    "api-version=7.0",
    "api-version=2026-04-01&maxresults=2",
    "api-version=7.4&maxresults=1&$skiptoken=@skip()",
  );
  const list = fc
    .tuple(fc.constantFrom(`/${noun}s`, `/${noun}s/a/versions`, `/deleted${noun}s`), query)
    .map(([path, query]): Meant => ({ method: "GET", path, query }));
  const blob = fc.constantFrom(
    `@blob(${noun})`,
    `@blob(${noun})`,
    `@bent(${noun})`,
    `@half(${noun})`,
    "@blob(key)",
    "@blob(secret)",
    "AA",
  );
  const day = 86_400_000;
  return fc.oneof(
    { weight: 6, arbitrary: list },
    { weight: 4, arbitrary: meant("GET", objectPath(noun)) },
    { weight: 2, arbitrary: meant("DELETE", under(`/${noun}s`)) },
    { weight: 2, arbitrary: meant("GET", under(`/deleted${noun}s`)) },
    { weight: 4, arbitrary: meant("POST", under(`/deleted${noun}s`, "/recover")) },
    { weight: 1, arbitrary: meant("DELETE", under(`/deleted${noun}s`)) },
    { weight: 4, arbitrary: meant("POST", under(`/${noun}s`, "/backup")) },
    { weight: 4, arbitrary: meant("POST", fc.constant(`/${noun}s/restore`), fc.record({ value: blob })) },
    { weight: 1, arbitrary: fc.constantFrom(1000, 1000, 1000, 91 * day).map(tick) },
  );
}

const body = fc.record(
  { value: secretValue, contentType: fc.constantFrom("text/plain", "application/x-pkcs12"), tags, attributes },
  { requiredKeys: ["value"] },
);
const patch = fc.record({ contentType: fc.string({ maxLength: 5 }), tags, attributes }, { requiredKeys: [] });
const converted: Meant = {
  method: "GET",
  path: "/secrets/a",
  query: "api-version=2026-04-01&outContentType=application/x-pem-file",
};

export const secrets: Topic = {
  name: "secrets",
  prepare: [
    { method: "PUT", path: "/secrets/a", body: { value: "hush-1", contentType: "application/x-pkcs12" } },
    { method: "PUT", path: "/secrets/b", body: { value: "hush-2", tags: { t: "v" }, attributes: { enabled: false } } },
  ],
  grammar: fc.oneof(
    { weight: 4, arbitrary: meant("PUT", under("/secrets"), body) },
    { weight: 2, arbitrary: meant("PATCH", objectPath("secret"), patch) },
    { weight: 8, arbitrary: commonGrammar("secret") },
    { weight: 1, arbitrary: fc.constant(converted) },
  ),
  reads: ["/secrets", "/deletedsecrets", "/secrets/a/versions", "/secrets/b/versions", "/secrets/c/versions"],
};
