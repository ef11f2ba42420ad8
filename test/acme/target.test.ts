import { expect, test } from "vitest";
import { acmeTarget } from "../../rotators/certificate-acme.ts";
import { externalBinding } from "../../rotators/shared/acme/key.ts";
import { links, retryAfter } from "../../rotators/shared/acme/http.ts";
import { thumbprint } from "../../rotators/shared/jwk.ts";

// The target's schema, and the small pieces of the protocol that have an example of their own.

const good = {
  directory: "https://acme-v02.api.letsencrypt.org/directory",
  account: "https://kv-contoso.vault.azure.net/keys/acme",
  termsOfServiceAgreed: true,
  challenge: { kind: "cloudflare", apiToken: "https://kv-contoso.vault.azure.net/secrets/token" },
};

test("what may be left out has the values of Let's Encrypt", () => {
  expect(acmeTarget.parse(good)).toMatchObject({
    contact: [],
    revokeOld: false,
    limits: { duplicates: { count: 5, hours: 168 }, failures: { count: 5, hours: 1 } },
  });
  const account = `${good.account}/0123456789abcdef0123456789abcdef`;
  expect(acmeTarget.safeParse({ ...good, account }).success).toBe(true);
  expect(acmeTarget.safeParse({ ...good, directory: "http://127.0.0.1:14000/dir" }).success).toBe(true);
});

test.each([
  ["plain http to another machine", { directory: "http://ca.contoso.com/dir" }],
  ["a name that only begins like this machine's", { directory: "http://127.0.0.1.contoso.com/dir" }],
  ["a password in the URL", { directory: "https://user:word@ca.contoso.com/dir" }],
  ["a secret in place of a key", { account: "https://kv-contoso.vault.azure.net/secrets/acme" }],
  ["terms that nobody agreed to", { termsOfServiceAgreed: false }],
  ["a challenge of no kind", { challenge: { kind: "carrier-pigeon" } }],
  ["no challenge", { challenge: undefined }],
  ["an unknown field", { accountKey: "-----BEGIN PRIVATE KEY-----" }],
  ["an external account whose key is in the policy", { eab: { kid: "1", key: "c2VjcmV0" } }],
  ["a contact that is no address", { contact: ["https://contoso.com"] }],
])("%s is refused", (_what, change) => {
  expect(acmeTarget.safeParse({ ...good, ...change }).success).toBe(false);
});

test("the thumbprint is that of RFC 7638's own example", () => {
  const n =
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
  expect(thumbprint({ kty: "RSA", alg: "RS256", kid: "2011-04-29", e: "AQAB", n })).toBe(
    "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
  );
});

test("an external account's binding names it, and not our account's nonce", () => {
  const bound = externalBinding({ kty: "EC" }, "kid-1", "c2VjcmV0", "https://ca/new") as Record<string, string>;
  const header = JSON.parse(Buffer.from(bound.protected!, "base64url").toString()) as unknown;
  expect(header).toEqual({ alg: "HS256", kid: "kid-1", url: "https://ca/new" });
});

test.each([
  ['<https://ca/c/1>;rel="alternate"', ["https://ca/c/1"]],
  ['<https://ca/dir>;rel="index", </c/2>; title="a, b;c"; rel=alternate', ["https://ca/c/2"]],
  ['<https://ca/c/1>;rel="up alternate",<https://ca/c/3>;rel="alternate"', ["https://ca/c/1", "https://ca/c/3"]],
  ['<https://ca/c/1>;rel="alternates"', []],
  ["nonsense", []],
])("alternates in the header %s", (link, expected) => {
  expect(links({ url: "https://ca/c/0", status: 200, headers: { link }, body: "" }, "alternate")).toEqual(expected);
});

test.each([
  ["120", 120],
  ["Thu, 26 Nov 2026 00:02:00 GMT", 120],
  ["Thu, 26 Nov 2026 00:00:00 GMT", 0],
  ["-5", undefined],
  ["soon", undefined],
])("Retry-After %s", (text, seconds) => {
  const reply = { url: "https://ca", status: 429, headers: { "retry-after": text }, body: "" };
  const found = retryAfter(reply, Date.UTC(2026, 10, 26));
  expect(found).toBe(seconds);
});
