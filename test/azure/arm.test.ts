import { afterEach, beforeEach, expect, test } from "vitest";
import type { SiteDeclaration } from "../../local/azure/app-service/site.ts";
import type { Azure } from "../../local/azure/server.ts";
import { app, call, openCloud, soon } from "./cloud.ts";
import type { Cloud } from "./cloud.ts";

const site: SiteDeclaration = {
  subscriptionId: "22222222-2222-4222-8222-222222222222",
  resourceGroup: "rg",
  name: "orders",
  appSettings: { PLAIN: "as it is" },
};
const path = `/subscriptions/${site.subscriptionId}/resourceGroups/rg/providers/Microsoft.Web/sites/orders`;
const settingsPath = `${path}/config/appsettings`;

let cloud: Cloud;
let azure: Azure;
beforeEach(async () => {
  cloud = await openCloud();
  azure = await cloud.start({ sites: [site] });
});
afterEach(() => cloud.close());

async function arm(method: string, where: string, body?: unknown) {
  const { token } = await azure.tokens.issue({
    audience: "https://management.azure.com/",
    objectId: app.objectId,
    appId: app.clientId,
  });
  const answer = call<{ properties: Record<string, string> }>;
  return answer(azure, cloud.tls.ca, method, `${where}?api-version=2024-11-01`, { token, body });
}
const put = (properties: Record<string, string>) => arm("PUT", settingsPath, { properties });

test("ARM's own refusals: token, audience, api-version, resource, rights, body", async () => {
  const code = async (answer: Promise<{ status: number; json: { error?: { code: string } } }>) => {
    const { status, json } = await answer;
    return [status, json.error?.code];
  };
  const ca = cloud.tls.ca;
  const version = "?api-version=2024-11-01";
  expect(await code(call(azure, ca, "GET", path + version))).toEqual([401, "AuthenticationFailed"]);
  const foreign = await azure.tokens.issue({ audience: "https://vault.azure.net", objectId: "o", appId: "a" });
  expect(await code(call(azure, ca, "GET", path + version, foreign))).toEqual([
    401,
    "InvalidAuthenticationTokenAudience",
  ]);
  const { token } = await azure.tokens.issue({
    audience: "https://management.azure.com",
    objectId: app.objectId,
    appId: app.clientId,
  });
  expect(await code(call(azure, ca, "GET", path, { token }))).toEqual([400, "MissingApiVersionParameter"]);
  expect(await code(call(azure, ca, "GET", `${path}?api-version=new`, { token }))).toEqual([
    400,
    "InvalidApiVersionParameter",
  ]);
  expect(await code(call(azure, ca, "GET", `${path}x${version}`, { token }))).toEqual([404, "ResourceNotFound"]);
  expect(await code(call(azure, ca, "GET", `${path}/nothing${version}`, { token }))).toEqual([404, "NotFound"]);
  expect(await code(call(azure, ca, "PUT", settingsPath + version, { token, body: { properties: { A: 1 } } }))).toEqual(
    [400, "BadRequest"],
  );
  expect(
    (await call(azure, ca, "GET", path.toUpperCase().replace("/SUBSCRIPTIONS", "/subscriptions") + version, { token }))
      .status,
  ).toBe(200);

  await call(azure, ca, "POST", "/_emulator/rights", { body: { objectId: app.objectId, plane: "arm", seconds: 300 } });
  expect(await code(call(azure, ca, "GET", path + version, { token }))).toEqual([403, "AuthorizationFailed"]);
  cloud.clock.advance(300_000);
  await expect.poll(() => code(call(azure, ca, "GET", path + version, { token })), soon).toEqual([200, undefined]);
});

test("faults by operation, before and after the work, as a status or a dropped connection", async () => {
  const fault = (body: Record<string, unknown>) => call(azure, cloud.tls.ca, "POST", "/_emulator/faults", { body });
  const list = async () => (await arm("POST", `${settingsPath}/list`)).json.properties;
  await fault({ operation: "appsettings.put", status: 429, retryAfter: 7 });
  const throttled = await put({ A: "before" });
  expect([throttled.status, throttled.headers["retry-after"]]).toEqual([429, "7"]);
  expect(await list()).toEqual(site.appSettings);
  await fault({ operation: "appsettings.put", kind: "drop", when: "after" });
  await expect(put({ A: "after" })).rejects.toMatchObject({ code: "ECONNRESET" });
  expect(await list()).toEqual({ A: "after" });
  expect((await fault({ kind: "drop" })).status).toBe(400);
  const { json } = await call(azure, cloud.tls.ca, "GET", "/_emulator/faults");
  expect(json).toMatchObject({ calls: { "appsettings.put": 2, "appsettings.list": 2 } });
});
