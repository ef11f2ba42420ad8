import { expect, test } from "vitest";
import type { Arm } from "../../src/azure/arm.ts";
import { lacking } from "../../src/azure/permissions.ts";
import { PinionError } from "../../src/errors.ts";

const signal = new AbortController().signal;
const scope = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/orders";
const none = { actions: [], notActions: [], dataActions: [], notDataActions: [] };
const telling =
  (...value: object[]): Arm =>
  async ({ path, apiVersion }) => {
    expect([path, apiVersion]).toEqual([`${scope}/providers/Microsoft.Authorization/permissions`, "2022-04-01"]);
    return { value };
  };

const write = "Microsoft.Web/sites/config/write";
const set = "Microsoft.KeyVault/vaults/secrets/setSecret/action";

test.each([
  ["a role with that very action", [{ actions: [write] }], []],
  ["in another spelling", [{ actions: ["microsoft.web/SITES/config/Write"] }], []],
  ["everything", [{ actions: ["*"] }], []],
  ["a star in the midst", [{ actions: ["Microsoft.Web/*/write"] }], []],
  ["a star that fits less", [{ actions: ["Microsoft.Web/sites/config/*/action"] }], [write]],
  ["a longer action", [{ actions: [`${write}/x`] }], [write]],
  ["what one role takes back", [{ actions: ["*"], notActions: ["Microsoft.Web/sites/config/*"] }], [write]],
  ["what one role takes back another gives", [{ actions: ["*"], notActions: [write] }, { actions: [write] }], []],
  ["no role at all", [], [write]],
] as const)("actions: %s", async (_, given, missing) => {
  const roles = given.map((role) => ({ ...none, ...role }));
  expect(await lacking(telling(...roles), { scope, actions: [write] }, signal)).toEqual(missing);
});

test("data actions are apart from actions, and none of those needed says nothing: access policies are not told there", async () => {
  const read = "Microsoft.KeyVault/vaults/secrets/getSecret/action";
  const ask = (...roles: object[]) => lacking(telling(...roles), { scope, dataActions: [read, set] }, signal);
  // An identity that keeps its records in storage has data actions there, which a resource group hands down to its vaults.
  const storage = "Microsoft.Storage/storageAccounts/tableServices/tables/entities/write";
  expect(await ask({ ...none, actions: ["*"], dataActions: [storage] })).toBeUndefined();
  expect(await ask({ ...none, actions: ["*"], dataActions: [read] })).toEqual([set]);
  expect(await ask({ ...none, dataActions: ["Microsoft.KeyVault/vaults/secrets/*"] })).toEqual([]);
  expect(await ask({ ...none, actions: ["*"] })).toBeUndefined();
});

test("where Azure does not tell, nothing is said; what may pass is passed on", async () => {
  const failing = (error: Error): Arm =>
    async function fail() {
      throw error;
    };
  const needs = { scope, actions: [write] };
  const forbidden = new PinionError("CONSUMER_FORBIDDEN", "no", { class: "propagation" });
  expect(await lacking(failing(forbidden), needs, signal)).toBeUndefined();
  expect(await lacking(async () => ({ odd: true }), needs, signal)).toBeUndefined();
  const unreachable = new PinionError("CONSUMER_UNREACHABLE", "no answer", { class: "transient" });
  expect(await lacking(failing(unreachable), needs, signal)).toBeUndefined();
  const more = { ...none, actions: ["*/read"] };
  expect(await lacking(async () => ({ value: [more], nextLink: "https://more" }), needs, signal)).toBeUndefined();
  const busy = new PinionError("CONSUMER_UNREACHABLE", "later", { class: "throttled" });
  await expect(lacking(failing(busy), needs, signal)).rejects.toBe(busy);
});
