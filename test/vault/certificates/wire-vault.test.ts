import { expect, test } from "vitest";
import { day, testVault } from "../support.ts";
import { at, ec, quickVault } from "./support.ts";

// What a vault has beside single certificates: issuers, contacts, lists, and the end of all.

test("issuers and contacts", async () => {
  const { ask, clock, url } = await testVault();
  const id = `${url}/certificates/issuers/Ca`;
  const attributes = { enabled: true, created: at, updated: at };
  const admin_details = [{ first_name: "Ada", last_name: "L", email: "a@contoso.com", phone: "1" }];
  const set = await ask("PUT", "/certificates/issuers/Ca", {
    body: { provider: "Test", credentials: { account_id: "u", pwd: "hidden" }, org_details: { admin_details } },
  });
  const issuer = {
    id,
    provider: "Test",
    credentials: { account_id: "u" },
    org_details: { zip: 0, admin_details },
    attributes,
  };
  expect([set.status, set.json]).toStrictEqual([200, issuer]);
  clock.advance(2000);
  const patched = await ask("PATCH", "/certificates/issuers/ca", {
    body: { org_details: { id: "o" }, attributes: { enabled: false } },
  });
  const changed = {
    ...issuer,
    org_details: { id: "o", zip: 0 },
    attributes: { enabled: false, created: at, updated: at + 2 },
  };
  expect(patched.json).toStrictEqual(changed);
  expect((await ask("GET", "/certificates/issuers/ca")).json).toStrictEqual(changed);
  expect((await ask("GET", "/certificates/issuers")).json).toStrictEqual({ value: [{ id, provider: "Test" }] });
  expect(
    (await ask("POST", "/certificates/a/create", { body: ec({}, "Ca") })).status,
    "a disabled issuer issues nothing",
  ).toBe(400);
  for (const body of [
    {},
    { provider: "" },
    { provider: 1 },
    { provider: "x", credentials: 1 },
    { provider: "x", org_details: { admin_details: [1] } },
    { provider: "x", attributes: { enabled: 1 } },
  ]) {
    const refused = await ask("PUT", "/certificates/issuers/x", { body });
    expect([body, refused.status, refused.json.error.code]).toEqual([body, 400, "BadParameter"]);
  }
  expect((await ask("DELETE", "/certificates/issuers/ca")).json).toStrictEqual(changed);
  for (const [method, body] of [
    ["GET", undefined],
    ["PATCH", {}],
    ["DELETE", undefined],
  ] as const) {
    const absent = await ask(method, "/certificates/issuers/ca", body ? { body } : {});
    expect([absent.status, absent.json.error.code]).toEqual([404, "CertificateIssuerNotFound"]);
  }
  await ask("PUT", "/certificates/issuers/gone", { body: { provider: "Test" } });
  await ask("POST", "/certificates/orphan/create", { body: ec({}, "gone") });
  await ask("DELETE", "/certificates/issuers/gone");
  for (const [path, body] of [
    ["/certificates/orphan", { tags: { a: "1" } }],
    ["/certificates/orphan/policy", { x509_props: { validity_months: 1 } }],
  ] as const) {
    expect((await ask("PATCH", path, { body })).status, "what a certificate had, it may keep").toBe(200);
  }
  const contacts = [{ email: "a@contoso.com", name: "A", phone: "1" }, { email: "b@contoso.com" }];
  const list = { id: `${url}/certificates/contacts`, contacts };
  expect((await ask("GET", "/certificates/contacts")).json.error.code).toBe("ContactsNotFound");
  expect((await ask("PUT", "/certificates/contacts", { body: { contacts } })).json).toStrictEqual(list);
  for (const body of [{}, { contacts: [] }, { contacts: [{}] }, { contacts: [{ email: 1 }] }, { contacts: {} }]) {
    const refused = await ask("PUT", "/certificates/contacts", { body });
    expect([body, refused.status, refused.json.error.code]).toEqual([body, 400, "BadParameter"]);
  }
  expect((await ask("GET", "/certificates/contacts")).json).toStrictEqual(list);
  expect((await ask("DELETE", "/certificates/contacts")).json).toStrictEqual(list);
  expect((await ask("DELETE", "/certificates/contacts")).status).toBe(404);
});

test("lists page by page, newest version first of all", async () => {
  const { ask, url } = await quickVault();
  for (const name of ["c", "a", "b"]) await ask("POST", `/certificates/${name}/create`, { body: ec() });
  const first = await ask("GET", "/certificates?maxresults=2");
  expect(first.json.value.map((item: { id: string }) => item.id)).toEqual([
    `${url}/certificates/a`,
    `${url}/certificates/b`,
  ]);
  const second = await ask("GET", first.json.nextLink.slice(url.length), { raw: true });
  expect(second.json.value.map((item: { id: string }) => item.id)).toEqual([`${url}/certificates/c`]);
  expect(second.json.nextLink).toBeUndefined();
  expect((await ask("GET", "/certificates?includePending=perhaps")).status).toBe(400);
  await ask("POST", "/certificates/a/create", { body: ec({}, "Unknown") });
  const both = async (query: string) => (await ask("GET", `/certificates${query}`)).json.value[0].attributes.enabled;
  expect(
    [await both(""), await both("?includePending=true")],
    "a version in the making is shown when it is asked for",
  ).toEqual([true, false]);
  expect((await ask("GET", "/certificates/a/versions")).json.value).toHaveLength(2);
});

test("purge waits for the clock under purge protection, for all three", async () => {
  const name = "kv-purge";
  const { ask, clock, control } = await quickVault({
    vaults: [{ name, resourceId: "/x", purgeProtection: true, retentionDays: 7 }],
  });
  control.set({ certificateDelayMs: 0 });
  await ask("POST", "/certificates/a/create", { body: ec() });
  expect((await ask("DELETE", "/certificates/a")).json.attributes.recoveryLevel).toBe("CustomizedRecoverable");
  expect((await ask("DELETE", "/deletedcertificates/a")).status).toBe(403);
  clock.advance(7 * day - 2000);
  expect((await ask("GET", "/deletedcertificates/a")).status).toBe(200);
  clock.advance(2000);
  for (const path of ["/deletedcertificates/a", "/deletedsecrets/a", "/deletedkeys/a"])
    expect((await ask("GET", path)).status).toBe(404);
  expect((await ask("POST", "/certificates/a/create", { body: ec() })).status).toBe(202);
});
