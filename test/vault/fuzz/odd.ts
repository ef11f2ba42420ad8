import * as fc from "fast-check";
import { hush } from "./oracle.ts";

// What does not belong where it is put.

/** JSON that no JavaScript value writes, under the text that stands for it: see `writeJson`. */
const rawJson: Readonly<Record<string, string>> = {
  infinite: "1e999",
  negativeZero: "-0",
  long: "123456789012345678901234567890.5e-5",
  nan: "NaN",
  hex: "0x10",
  surrogate: '"\\ud800"',
  escapedNul: '"\\u0000"',
  badEscape: '"\\x"',
  twice: '{"value":"a","value":1,"kty":"EC","kty":null}',
  proto: '{"__proto__":{"value":"polluted","enabled":true},"constructor":{"prototype":{}}}',
  deepList: "[".repeat(3000) + "]".repeat(3000),
  veryDeepList: "[".repeat(100_000) + "]".repeat(100_000),
  deepObject: '{"a":'.repeat(3000) + "1" + "}".repeat(3000),
  open: "[[[",
  comma: "[1,]",
};

const rawMark = "@json:";

/** JSON text, with the raw pieces in their places. */
export function writeJson(value: unknown): string {
  return (JSON.stringify(value) ?? "").replace(/"@json:(\w+)"/g, (_, name: string) => rawJson[name] ?? "null");
}

const durations = [
  "P0D",
  "P1D",
  "P28D",
  "P30D",
  "P90D",
  "P99999Y",
  "P999999Y",
  "PT1S",
  "P-1D",
  "P1.5D",
  "p90d",
  "P",
  "P3M",
];
const times = [0, 1, -1, 1.5, 253_402_300_799, 253_402_300_800, 1e300, 2 ** 31, 2 ** 53, "1767225600", "2026-01-01"];
const bytes = [
  "A",
  "AA",
  "AA==",
  "-_",
  "+/",
  "====",
  "A A",
  "AAAA\n",
  "\u00e9",
  "AQAB",
  "Aw",
  "AQ",
  "A".repeat(342),
  "_".repeat(342),
];
const texts = [
  "",
  " ",
  "\0",
  "\ufffe",
  "a\r\nb",
  "\ud83d\ude00",
  "__proto__",
  "constructor",
  "toString",
  "null",
  "true",
  "x".repeat(255),
  "x".repeat(256),
  "x".repeat(257),
  "x".repeat(513),
  "x".repeat(5000),
  "\u00e9".repeat(12_801),
  "CN=",
  "CN=a\\",
  'CN="a',
  "2.5.4.3=a",
  "%",
  "../..",
];

/** One value of any type. */
export const oddValue: fc.Arbitrary<unknown> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom<unknown>(null, true, false, {}, [], [null], [[]], [{}], { "": "" }, 0, 1, -1),
  },
  { weight: 4, arbitrary: fc.constantFrom<unknown>(...times) },
  { weight: 4, arbitrary: fc.constantFrom<unknown>(...texts) },
  { weight: 2, arbitrary: fc.constantFrom<unknown>(...durations, ...bytes) },
  { weight: 2, arbitrary: fc.constantFrom(...Object.keys(rawJson).map((name) => `${rawMark}${name}`)) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 20 }) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 1 }) },
  {
    weight: 1,
    arbitrary: fc
      .integer({ min: 1, max: 300 })
      .map((size) => Object.fromEntries(Array.from({ length: size % 20 }, (_, at) => [`t${at}`, "x".repeat(size)]))),
  },
);

/** Members that some body or other has. */
export const memberName = fc.constantFrom(
  ..."value pwd tags attributes enabled exp nbf exportable contentType kty key_size crv key_ops public_exponent release_policy key Hsm n e d x alg digest".split(
    " ",
  ),
  ..."count lifetimeActions trigger action type timeAfterCreate expiryTime policy key_props secret_props x509_props subject sans upns ekus".split(
    " ",
  ),
  ..."issuer name provider credentials org_details admin_details contacts email x5c cancellation_requested preserveCertOrder".split(
    " ",
  ),
  ..."created updated recoveryLevel recoverableDays id managed __proto__ constructor Value VALUE".split(" "),
  "",
);

/** A segment of a path, written as it goes over the wire. */
export const oddSegment = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      ..."% %zz %ff %c3%28 %00 %2e%2e %2F %252F %25 .. . ~ * [x] ; a;b=c a_b a.b %C3%A9 %E2%98%83 %20 a%0d%0ab __proto__ constructor".split(
        " ",
      ),
      ..."versions backup restore recover pending merge policy contacts issuers rotate rotationpolicy sign import create rng".split(
        " ",
      ),
      ..."secrets keys certificates deletedsecrets deletedkeys deletedcertificates _emulator".split(" "),
      "x".repeat(127),
      "x".repeat(128),
      "x".repeat(5000),
      "0123456789abcdef".repeat(2),
      "",
    ),
  },
  {
    weight: 1,
    arbitrary: fc.string({ unit: "binary", maxLength: 8 }).map((text) => encodeURIComponent(text.toWellFormed())),
  },
);

/** A query, without the question mark. */
export const oddQuery = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      ..."|api-version=|api-version=9|api-version=7.5%20|api-version=7.5&api-version=9|API-VERSION=7.5|api%2Dversion=7.0|api%252Dversion=7.5|&&=&|?|api-version".split(
        "|",
      ),
      ..."7.0 7.1 7.2 7.3 7.4 7.5-preview.1 7.6 2025-07-01 2026-04-01 2026-01-01 7.7 07.5"
        .split(" ")
        .map((one) => `api-version=${one}`),
    ),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(
        fc.constantFrom(
          "$skiptoken",
          "%24skiptoken",
          "maxresults",
          "outContentType",
          "request_id",
          "includePending",
          "x",
        ),
        fc.oneof(
          fc.constantFrom(
            ..."0 1 2 25 26 -1 1.5 1e1 %2b1 NaN true FALSE application/x-pem-file application/x-pkcs12".split(" "),
            ..."@skip() @request() e30= eyJOZXh0TWFya2VyIjoiIn0= eyJOZXh0TWFya2VyIjoxfQ== eyJOZXh0TWFya2VyIjoiXHVkODAwIn0= %ff".split(
              " ",
            ),
            "",
          ),
          fc.string({ unit: "binary", maxLength: 20 }).map((text) => encodeURIComponent(text.toWellFormed())),
        ),
      )
      .map(([name, value]) => `api-version=7.5&${name}=${value}`),
  },
);

/** Headers beside those that every request has. */
export const oddHeader = fc.oneof(
  fc.constantFrom<[string, string]>(
    ["Content-Type", "text/plain"],
    ["Content-Type", "application/json; charset=utf-16"],
    ["Content-Type", ""],
    ["Content-Encoding", "gzip"],
    ["Accept", "application/xml"],
    ["Accept-Encoding", "br;q=NaN"],
    ["Expect", "100-continue"],
    ["Expect", "a miracle"],
    ["Connection", "close"],
    ["Connection", "Upgrade"],
    ["Upgrade", "websocket"],
    ["If-Match", "*"],
    ["Range", "bytes=0-1"],
    ["X-HTTP-Method-Override", "DELETE"],
    ["X-Forwarded-For", "1.2.3.4"],
    ["Origin", "https://example.org"],
    ["Cookie", "a=b"],
    ["Authorization", "Bearer second"],
    ["x-ms-client-request-id", "\u00e9\u00ff"],
    ["x-ms-client-request-id", "x".repeat(8000)],
    ["x-ms-client-request-id", ""],
    ["x-ms-return-client-request-id", "true"],
    ["__proto__", "x"],
    ["constructor", "x"],
    ["x", "y".repeat(20_000)],
  ),
  fc.tuple(fc.constantFrom("x-odd", "Accept", "x-ms-client-request-id"), fc.stringMatching(/^[\x21-\x7e]{0,30}$/)),
);

/** A token as the Authorization header has it; undefined: no header. */
export const oddToken = fc.constantFrom(
  undefined,
  "",
  "Bearer",
  "Bearer ",
  "Basic dTpw",
  "bearer t",
  "Bearer a b",
  "PoP t",
  `Bearer ${"t".repeat(9000)}`,
  "Bearer \u00e9",
);

/** A value to be kept secret. */
export const secretValue = fc.oneof(
  { weight: 5, arbitrary: fc.string({ maxLength: 12 }).map((text) => `${hush}${text}`) },
  { weight: 1, arbitrary: fc.constantFrom(25 * 1024, 25 * 1024 + 1, 26_000).map((size) => hush.padEnd(size, "x")) },
);
