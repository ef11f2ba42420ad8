import { createRemoteJWKSet, customFetch, jwtVerify } from "jose";
import { ManagedIdentityCredential } from "@azure/identity";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Azure } from "../../local/azure/server.ts";
import { createTokens } from "../../local/azure/tokens.ts";
import { join } from "node:path";
import { app, call, openCloud, soon, tenantId } from "./cloud.ts";

const cloud = await openCloud();
const other = { clientId: "bbbbbbbb-0000-4000-8000-000000000001", objectId: "bbbbbbbb-0000-4000-8000-000000000002" };
let azure: Azure;
beforeAll(async () => {
  azure = await cloud.start({ identities: [{ ...app, systemAssigned: true }, other] });
  process.env["IDENTITY_ENDPOINT"] = azure.identityEndpoint;
  process.env["IDENTITY_HEADER"] = azure.identityHeader;
});
afterEach(() => azure.faults.clear());
afterAll(() => cloud.close());

const ask = (query: string, headers: Record<string, string> = { "x-identity-header": azure.identityHeader }) =>
  fetch(`${azure.identityEndpoint}?${query}`, { headers });

test("the official credential gets tokens for the system-assigned and for a named identity", async () => {
  const scope = "https://management.azure.com/.default";
  const system = await new ManagedIdentityCredential({ retryOptions: { maxRetries: 0 } }).getToken(scope);
  expect(await azure.tokens.verify(system.token, "https://management.azure.com")).toMatchObject({
    objectId: app.objectId,
    appId: app.clientId,
  });
  expect(Math.abs(system.expiresOnTimestamp - Date.now() - 86_400_000)).toBeLessThan(10_000);
  const named = await new ManagedIdentityCredential({ clientId: other.clientId }).getToken(
    "https://vault.azure.net/.default",
  );
  expect(await azure.tokens.verify(named.token, "https://vault.azure.net")).toMatchObject({ objectId: other.objectId });
});

test("the official credential gives up on an identity that the site does not have", async () => {
  const credential = new ManagedIdentityCredential({
    clientId: "cccccccc-0000-4000-8000-000000000001",
    retryOptions: { maxRetries: 0 },
  });
  await expect(credential.getToken("https://vault.azure.net/.default")).rejects.toThrow(
    /Unable to load the proper Managed Identity/,
  );
});

test("the reply has App Service's shape, to the letter", async () => {
  const reply = await ask("api-version=2019-08-01&resource=https%3A%2F%2Fvault.azure.net");
  const body = (await reply.json()) as Record<string, unknown>;
  expect(Object.keys(body).toSorted()).toEqual(["access_token", "client_id", "expires_on", "resource", "token_type"]);
  expect(body).toMatchObject({ token_type: "Bearer", resource: "https://vault.azure.net", client_id: app.clientId });
  expect(body["expires_on"]).toMatch(/^\d{10}$/);
});

test.each([
  ["no header", "api-version=2019-08-01&resource=x", {}, 401],
  ["a wrong header", "api-version=2019-08-01&resource=x", { "x-identity-header": "guess" }, 401],
  ["no resource", "api-version=2019-08-01", undefined, 400],
  ["no api-version", "resource=x", undefined, 400],
  ["an unknown identity", "api-version=2019-08-01&resource=x&client_id=nobody", undefined, 400],
])("%s is refused", async (_, query, headers, status) => {
  const reply = await ask(query, headers);
  expect(reply.status).toBe(status);
  expect(await reply.json()).toMatchObject({ statusCode: status, message: expect.any(String) });
});

test("an injected fault meets the next request only", async () => {
  azure.faults.add({
    operation: "identity.token",
    times: 1,
    kind: "status",
    status: 429,
    retryAfter: 3,
    when: "before",
  });
  const query = "api-version=2019-08-01&resource=x";
  const first = await ask(query);
  expect([first.status, first.headers.get("retry-after")]).toEqual([429, "3"]);
  expect((await ask(query)).status).toBe(200);
});

test("anyone can check a token by the published keys, and another process by the same folder", async () => {
  const { token } = await azure.tokens.issue({ audience: "https://x", objectId: "o", appId: "a" });
  const metadata = (
    await call<{ jwks_uri: string; issuer: string }>(
      azure,
      cloud.tls.ca,
      "GET",
      `/${tenantId}/v2.0/.well-known/openid-configuration`,
    )
  ).json;
  const viaCa = async (url: string) => {
    const answer = await call(azure, cloud.tls.ca, "GET", new URL(url).pathname);
    return new Response(JSON.stringify(answer.json), { status: answer.status });
  };
  const keys = createRemoteJWKSet(new URL(metadata.jwks_uri), { [customFetch]: viaCa });
  const { payload } = await jwtVerify(token, keys, { issuer: metadata.issuer, audience: "https://x" });
  expect(payload).toMatchObject({ oid: "o", appid: "a", tid: tenantId });

  const elsewhere = createTokens({ stateDir: join(cloud.dir, "azure"), clock: cloud.clock, tenantId });
  expect(await elsewhere.verify(token, "https://x/")).toMatchObject({ objectId: "o" });
  const stranger = createTokens({ stateDir: join(cloud.dir, "stranger"), clock: cloud.clock, tenantId });
  expect(await stranger.verify(token, "https://x")).toEqual({ fault: "malformed" });
});

test("a token for something else, a torn one and an old one are refused, each for its reason", async () => {
  const { token } = await azure.tokens.issue({ audience: "https://vault.azure.net", objectId: "o", appId: "a" });
  expect(await azure.tokens.verify(token, "https://other")).toEqual({
    fault: "audience",
    found: "https://vault.azure.net",
  });
  expect(await azure.tokens.verify(token.slice(0, -4), "https://vault.azure.net")).toEqual({ fault: "malformed" });
  expect(await azure.tokens.verifyHeader(undefined, "https://vault.azure.net")).toEqual({ fault: "missing" });
  cloud.clock.advance(90_000_000);
  await expect.poll(() => azure.tokens.verify(token, "https://vault.azure.net"), soon).toEqual({ fault: "expired" });
});
