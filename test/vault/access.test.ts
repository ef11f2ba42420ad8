import { expect, test, vi } from "vitest";
import type { VaultEvent } from "../../local/vault/model.ts";
import { needOf } from "../../local/vault/actions.ts";
import { findRole, permits, roles } from "../../local/vault/roles.ts";
import { operations } from "../../local/vault/operations.ts";
import { day, resourceId, start, tempDir, testVault, vaultName } from "./support.ts";
import { me, strictVault, tenantId } from "./strict.ts";
import { createAccess } from "../../local/vault/access.ts";
import { join } from "node:path";

// Tokens, roles and access policies, as Azure checks them.

const set = { body: { value: "v" } };

test("a token of another signer, for another audience, too old or too new is refused, in the service's words", async () => {
  const { ask, tokenFor, hold, clock } = await strictVault();
  hold("Administrator");
  const good = await tokenFor({ lifetimeSeconds: 3600 });
  expect((await ask("PUT", "/secrets/a", { ...set, token: good })).status).toBe(200);
  const [head = "", claims = "", signature = ""] = good.split(".");
  const forged = [head, Buffer.from(claims, "base64url").toString().replace(me.objectId, "other"), signature];
  const cases: [string | null, string][] = [
    [null, "AKV10000: Request is missing a Bearer or PoP token."],
    ["nonsense", "AKV10046: Invalid token."],
    [`${head}.${Buffer.from(forged[1]!).toString("base64url")}.${signature}`, "AKV10046: Invalid token."],
    [
      await tokenFor({ audience: "https://management.azure.com" }),
      "AKV10022: Invalid audience. Expected https://vault.azure.net, found: https://management.azure.com.",
    ],
  ];
  for (const [token, message] of cases) {
    const answer = await ask("GET", "/secrets/a", { token });
    expect([answer.status, answer.json.error.code, answer.json.error.message]).toEqual([401, "Unauthorized", message]);
    expect(answer.headers["www-authenticate"]).toContain('resource="https://vault.azure.net"');
  }
  clock.advance(3600_000 + 299_000);
  expect((await ask("GET", "/secrets/a", { token: good })).status, "five minutes of leeway").toBe(200);
  clock.advance(1000);
  const old = await ask("GET", "/secrets/a", { token: good });
  expect([old.status, old.json.error.message]).toEqual([401, "AKV10066: Token has expired."]);
  const early = await tokenFor();
  clock.advance(-2 * day);
  expect((await ask("GET", "/secrets/a", { token: early })).status, "not valid yet").toBe(401);
});

test("without a role: 403 with the service's body; 404 and 400 are for those who may look", async () => {
  const { ask } = await strictVault();
  const answer = await ask("GET", "/secrets/Orders-Db");
  expect(answer.status).toBe(403);
  expect(answer.json).toEqual({
    error: {
      code: "Forbidden",
      message: [
        "Caller is not authorized to perform action on resource.",
        "If role assignments, deny assignments or role definitions were changed recently, please observe propagation time.",
        `Caller: appid=${me.appId};oid=${me.objectId};iss=https://sts.windows.net/${tenantId}/`,
        "Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'",
        `Resource: '${resourceId.toLowerCase()}/secrets/orders-db'`,
        "Assignment: (not found)",
        "DenyAssignmentId: null",
        "DecisionReason: null ",
        `Vault: ${vaultName};location=local`,
        "",
      ].join("\r\n"),
      innererror: { code: "ForbiddenByRbac" },
    },
  });
  const list = await ask("GET", "/secrets");
  expect(list.json.error.message).toContain(`Resource: '${resourceId.toLowerCase()}'`);
  expect(list.json.error.message).toContain("Action: 'Microsoft.KeyVault/vaults/secrets/readMetadata/action'");
});

test("each role opens what Azure says, no more", async () => {
  /** Of the operations on secrets: those that each role may do. */
  const all = [
    ["PUT", "/secrets/a", set],
    ["GET", "/secrets/a", {}],
    ["GET", "/secrets", {}],
    ["GET", "/secrets/a/versions", {}],
    ["PATCH", "/secrets/a", { body: {} }],
    ["POST", "/secrets/a/backup", {}],
    ["DELETE", "/secrets/a", {}],
    ["GET", "/deletedsecrets/a", {}],
    ["GET", "/deletedsecrets", {}],
    ["POST", "/deletedsecrets/a/recover", {}],
  ] as const;
  const reads = ["GET /secrets", "GET /secrets/a/versions", "GET /deletedsecrets/a", "GET /deletedsecrets"];
  const expected: Record<string, readonly string[]> = {
    "Key Vault Administrator": all.map(([method, path]) => `${method} ${path}`),
    "Key Vault Secrets Officer": all.map(([method, path]) => `${method} ${path}`),
    "Key Vault Secrets User": ["GET /secrets/a", ...reads],
    "Key Vault Certificate User": ["GET /secrets/a", ...reads],
    "Key Vault Reader": reads,
    "Key Vault Certificates Officer": [],
    "Key Vault Crypto Officer": [],
    "Key Vault Crypto User": [],
    "Key Vault Crypto Service Encryption User": [],
    "Key Vault Crypto Service Release User": [],
  };
  expect(Object.keys(expected).sort()).toEqual(roles.map(({ name }) => name).sort());
  const { ask, access, hold } = await strictVault();
  hold("Administrator");
  await ask("PUT", "/secrets/a", set);
  for (const { id } of access.assignments()) access.unassign(id);
  for (const [role, may] of Object.entries(expected)) {
    const { id } = hold(role);
    const did: string[] = [];
    for (const [method, path, asked] of all) {
      const { status } = await ask(method, path, asked);
      if (status !== 403) did.push(`${method} ${path}`);
    }
    expect([role, did.sort()]).toEqual([role, [...may].sort()]);
    access.unassign(id);
  }
});

test("the crypto and certificate roles, by data action", () => {
  const may = (role: string, operation: string) => permits(findRole(role)!, needOf(operation)!.action);
  const keyWork = ["encrypt", "decrypt", "wrapKey", "unwrapKey", "sign", "verify"].map((verb) => `key.${verb}`);
  for (const operation of [...keyWork, "key.get", "key.list", "key.update", "key.backup"]) {
    expect([operation, may("Crypto User", operation)]).toEqual([operation, true]);
  }
  for (const operation of ["key.create", "key.import", "key.delete", "key.restore", "key.purge", "key.rotate"]) {
    expect([operation, may("Crypto User", operation), may("Crypto Officer", operation)]).toEqual([
      operation,
      false,
      true,
    ]);
  }
  expect(may("Crypto User", "key.getRotationPolicy")).toBe(false);
  expect(may("Crypto Officer", "key.updateRotationPolicy")).toBe(true);
  expect(may("Reader", "key.getRotationPolicy")).toBe(true);
  expect(may("Crypto Service Encryption User", "key.unwrapKey")).toBe(true);
  expect(may("Crypto Service Encryption User", "key.sign")).toBe(false);
  for (const operation of ["create", "import", "merge", "get", "updatePolicy", "deleteOperation", "purge"]) {
    expect(may("Certificates Officer", `certificate.${operation}`)).toBe(true);
  }
  expect(may("Certificates Officer", "secret.get"), "the officer cannot read the private key").toBe(false);
  expect(may("Certificate User", "secret.get")).toBe(true);
  expect(may("Certificate User", "certificate.create")).toBe(false);
});

test("every operation there is needs a data action that Azure has", () => {
  const known = new RegExp(
    `^(${[
      "secrets/(delete|(backup|purge|update|recover|restore|readMetadata|getSecret|setSecret)/action)",
      "keys/(read|delete|(update|create|import|recover|restore|backup|purge|encrypt|decrypt|wrap|unwrap|sign|verify|release|rotate)/action)",
      "keyrotationpolicies/(read|write)",
      "certificates/(read|delete|(backup|purge|update|create|import|recover|restore)/action)",
      "certificatecas/(read|write|delete)",
      "certificatecontacts/write",
    ].join("|")})$`,
  );
  for (const { operation } of operations)
    expect([operation, needOf(operation)?.action]).toEqual([operation, expect.stringMatching(known)]);
});

test("a role at one object is a role at that object", async () => {
  const { ask, hold, access } = await strictVault();
  const { id } = hold("Administrator");
  for (const name of ["a", "ab"]) await ask("PUT", `/secrets/${name}`, set);
  access.unassign(id);
  hold("Secrets User", `${resourceId}/secrets/A`);
  expect((await ask("GET", "/secrets/a")).status).toBe(200);
  expect((await ask("GET", "/secrets/A")).status).toBe(200);
  expect((await ask("GET", "/secrets/ab")).status).toBe(403);
  expect((await ask("GET", "/secrets")).status, "listing is a matter of the vault").toBe(403);
  hold("Reader", resourceId.split("/providers/")[0]);
  expect((await ask("GET", "/secrets")).status, "inherited from the resource group").toBe(200);
});

test("a change of roles counts when it has spread", async () => {
  const { ask, clock, emulator, access } = await strictVault();
  await emulator("PUT", "roles-delay", { seconds: 60 });
  const { json } = await emulator("POST", "roles", { principalId: me.objectId, role: "Key Vault Secrets Officer" });
  expect(json.value).toMatchObject({ role: "Key Vault Secrets Officer", scope: resourceId, from: start + 60_000 });
  expect((await ask("PUT", "/secrets/a", set)).status).toBe(403);
  clock.advance(59_999);
  expect((await ask("PUT", "/secrets/a", set)).status).toBe(403);
  clock.advance(1);
  expect((await ask("PUT", "/secrets/a", set)).status).toBe(200);
  expect((await emulator("DELETE", `roles/${json.value.id}`)).status).toBe(204);
  expect((await emulator("DELETE", `roles/${json.value.id}`)).status).toBe(404);
  expect((await ask("GET", "/secrets/a")).status).toBe(200);
  clock.advance(60_000);
  expect((await ask("GET", "/secrets/a")).status).toBe(403);
  expect(access.assignments()).toEqual([]);
  for (const bad of [{ principalId: me.objectId, role: "Key Vault Emperor" }, { role: "Reader" }, [], "x"]) {
    expect((await emulator("POST", "roles", bad)).status).toBe(400);
  }
});

test("access policies in place of roles: AccessDenied, and an event when they change", async () => {
  const events: VaultEvent[] = [];
  const { ask, emulator, hold, url } = await strictVault({
    subscribedSince: start,
    onEvent: (event) => void events.push(event),
  });
  hold("Administrator");
  const policies = { [me.objectId]: { secrets: ["Get", "set"], certificates: ["all"] } };
  expect((await emulator("PUT", "access-policies", policies)).status).toBe(204);
  expect((await ask("PUT", "/secrets/a", set)).status).toBe(200);
  expect((await ask("GET", "/secrets/a")).status).toBe(200);
  const denied = await ask("DELETE", "/secrets/a");
  expect(denied.status).toBe(403);
  expect(denied.json.error).toEqual({
    code: "Forbidden",
    message: `The user, group or application 'appid=${me.appId};oid=${me.objectId};iss=https://sts.windows.net/${tenantId}/' does not have secrets delete permission on key vault '${vaultName};location=local'. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287`,
    innererror: { code: "AccessDenied" },
  });
  expect((await emulator("PUT", "access-policies", null)).status).toBe(204);
  expect((await ask("DELETE", "/secrets/a")).status, "by roles again").toBe(200);
  const changes = () => events.filter(({ type }) => type.endsWith("VaultAccessPolicyChanged"));
  await vi.waitFor(() => expect(changes()).toHaveLength(2));
  expect(changes()[0]).toMatchObject({ objectType: "Vault", objectName: vaultName, id: url, resourceId });
  expect((await emulator("PUT", "access-policies", { x: { secrets: "get" } })).status).toBe(400);
});

test("where any token is taken there are no roles, but the event of a changed policy can be had", async () => {
  const types: string[] = [];
  const { ask } = await testVault({ subscribedSince: start, onEvent: ({ type }) => void types.push(type) });
  const emulator = (method: string, what: string, body?: unknown) =>
    ask(method, `/_emulator/${what}`, { raw: true, token: null, ...(body === undefined ? {} : { body }) });
  expect((await emulator("GET", "roles")).status).toBe(409);
  expect((await emulator("POST", "roles", { principalId: "x", role: "Reader" })).json.error.message).toContain(
    "strict",
  );
  expect((await emulator("PUT", "access-policies", {})).status).toBe(204);
  await vi.waitFor(() => expect(types).toEqual(["Microsoft.KeyVault.VaultAccessPolicyChanged"]));
  expect((await ask("PUT", "/secrets/a", set)).status).toBe(200);
});

test("roles and policies outlive the process", () => {
  const clock = { now: () => start };
  const file = join(tempDir(), "roles.json");
  const given = { principalId: "p", role: "Secrets User", scope: "/vaults/a" };
  const first = createAccess({ clock, file });
  first.ensure([given, given]);
  first.setDelay(5000);
  first.setPolicies("/vaults/B", { p: { keys: ["sign"] } });
  const second = createAccess({ clock, file });
  second.ensure([given]);
  expect(second.assignments()).toHaveLength(1);
  expect(second.delay()).toBe(5000);
  const sign = needOf("key.sign")!;
  expect(second.allowed("p", sign, "/vaults/b", "/vaults/b/keys/x")).toBe(true);
  expect(second.allowed("p", needOf("key.get")!, "/vaults/b", "/vaults/b/keys/x")).toBe(false);
  expect(second.allowed("p", needOf("secret.get")!, "/vaults/a", "/vaults/a/secrets/x")).toBe(true);
  expect(() => second.assign({ ...given, role: "Owner" })).toThrow(RangeError);
});
