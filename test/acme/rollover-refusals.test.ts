import { expect, test } from "vitest";
import { issue } from "../../rotators/shared/acme/issue.ts";
import { observeIssuance } from "../../rotators/shared/acme/observe.ts";
import { faultOf } from "./bed.ts";
import { accountKey, noted, register } from "./registered.ts";

// What keeps an account from the new version of its key, and what is said then.

test.each<[string, { enabled?: false; expiresAt?: string }]>([
  ["disabled", { enabled: false }],
  ["expired", { expiresAt: "2026-01-01T00:00:00.000Z" }],
])(
  "a former version that is %s too early: preflight and order say what to do, and no account is made",
  async (_why, change) => {
    for (const remembers of [true, false]) {
      const { bed, ca, zone, former, goesOn } = await register();
      const turned = bed.keys.turn(accountKey);
      bed.keys.change(former, change);
      if (!remembers) bed.notes.clear();
      const { step, slot } = bed.rotation(["b.contoso.com"]);
      for (const work of [observeIssuance, issue]) {
        const fault = await faultOf(work(step, zone));
        expect(fault).toMatchObject({ code: "TARGET_MISCONFIGURED", class: "permanent" });
        const versions = [former, turned].map((url) => url.split("/").at(-1));
        expect(fault.message).toMatch(
          new RegExp(
            `may belong to version ${versions[0]} of its key, which is disabled or has expired, so it cannot be moved to version ${versions[1]}: enable`,
          ),
        );
      }
      expect([ca.accounts.size, ca.orders.length, slot.begun()]).toEqual([1, 1, 0]);
      bed.keys.change(former, { enabled: true, expiresAt: "2099-01-01T00:00:00.000Z" });
      await goesOn();
    }
  },
);

test("a newest version that is still disabled changes nothing; one that has expired says so", async () => {
  const { bed, goesOn, changes, zone } = await register();
  const turned = bed.keys.turn(accountKey);
  bed.keys.change(turned, { enabled: false });
  await goesOn();
  expect(changes()).toBe(0);
  bed.keys.change(turned, { enabled: true, expiresAt: "2026-01-01T00:00:00.000Z" });
  const fault = await faultOf(issue(bed.rotation(["b.contoso.com"]).step, zone));
  expect(fault).toMatchObject({ code: "TARGET_MISCONFIGURED" });
  expect(fault.message).toContain(`${turned} has expired`);
});

test("a CA that changes no keys: the version to name is named, and naming it helps", async () => {
  const { bed, ca, zone, former, goesOn } = await register();
  ca.manners.changesKeys = false;
  bed.keys.turn(accountKey);
  const fault = await faultOf(issue(bed.rotation(["b.contoso.com"]).step, zone));
  expect(fault).toMatchObject({ code: "TARGET_MISCONFIGURED", class: "permanent" });
  expect(fault.message).toContain(`name the version ${former}`);
  (bed.target as { account: string }).account = former;
  await goesOn();
  expect(noted(bed).key).toBe(former);
});

test.each([
  [429, "rateLimited", "ISSUANCE_LIMITED", "throttled"],
  [500, "serverInternal", "TARGET_UNREACHABLE", "transient"],
  [400, "badPublicKey", "TARGET_REFUSED", "permanent"],
  [403, "unauthorized", "TARGET_FORBIDDEN", "permanent"],
])("a change refused as %s %s", async (status, type, code, kind) => {
  const { bed, ca, zone, goesOn } = await register();
  const turned = bed.keys.turn(accountKey);
  ca.manners.instead.set("keyChange", [{ status, body: { type, detail: "the CA's own words" } }]);
  const fault = await faultOf(issue(bed.rotation(["b.contoso.com"]).step, zone));
  expect(fault).toMatchObject({ code, class: kind });
  expect(fault.message).toContain(`refused the account's new key ${turned} (${type}: the CA's own words)`);
  await goesOn();
  expect(noted(bed).key).toBe(turned);
});

test("an account that was deactivated is left: the new version of the key is another account", async () => {
  const { bed, ca, issued } = await register();
  bed.keys.turn(accountKey);
  ca.manners.instead.set("newAccount", [
    { status: 400, body: { type: "accountDoesNotExist", detail: "no account has this key" } },
    { status: 403, body: { type: "unauthorized", detail: "the account is deactivated" } },
  ]);
  await issued(bed.rotation(["b.contoso.com"]));
  expect(ca.accounts.size).toBe(2);
});
