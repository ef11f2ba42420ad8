import { expect, test } from "vitest";
import { PinionError } from "../../src/errors.ts";
import { abandon, issue } from "../../rotators/shared/acme/issue.ts";
import { faultOf, untilDone } from "./bed.ts";
import type { Bed } from "./bed.ts";
import { createScene } from "./stand-in.ts";
import type { Zone } from "./zone.ts";

// One order from call to call: what is waited for, found again, limited and cleaned up.

const hour = 3_600_000;

/** Values are seen by nobody, and each look takes a while by the cloud's clock; until what it returns is called. */
function hide(zone: Zone, bed: Bed): () => void {
  const { visible } = zone;
  zone.hidden = true;
  zone.visible = async (record) => {
    bed.clock.ahead += 5000;
    return await visible(record);
  };
  return () => {
    zone.hidden = false;
    zone.visible = visible;
  };
}

test("a CA that takes its time: each call says how long to wait", async () => {
  const { ca, zone, bed, issued } = await createScene();
  ca.manners.slow = { looks: 2, retryAfter: "60" };
  const rotation = bed.rotation(["a.contoso.com"]);
  for (let call = 1; call <= 2; call++) {
    expect(await faultOf(issue(rotation.step, zone))).toMatchObject({
      code: "ISSUANCE_PENDING",
      class: "transient",
      retryAfterSeconds: 60,
    });
  }
  await issued(rotation);
  expect([ca.orders.length, rotation.slot.begun()]).toEqual([1, 1]);
});

test("the CA is told to look only when every server shows every value; after an hour it is given up", async () => {
  const { zone, bed, sent } = await createScene();
  hide(zone, bed);
  const { step, slot } = bed.rotation(["a.contoso.com", "*.a.contoso.com"]);
  const fault = await faultOf(issue(step, zone));
  expect(fault).toMatchObject({ code: "ISSUANCE_PENDING", class: "transient" });
  expect(fault.message).toContain("_acme-challenge.a.contoso.com does not show its value everywhere: 1 of 2 servers");
  expect([zone.left().length, sent("challenge").length, slot.begun()]).toEqual([2, 0, 0]);
  bed.clock.ahead += hour + 1000;
  expect(await faultOf(issue(step, zone))).toMatchObject({ code: "CHALLENGE_FAILED", class: "permanent" });
  expect(zone.left()).toEqual([]);
  expect(sent("newOrder")).toHaveLength(1);
});

test.each(["lists an account's orders", "answers with the order that is open"])(
  "an order whose URL was lost is found again where the CA %s",
  async (how) => {
    const { ca, zone, bed, issued } = await createScene();
    if (how.startsWith("lists")) ca.manners.listsOrders = true;
    else ca.manners.reusesOrders = true;
    await issued(bed.rotation(["other.contoso.com"]));
    const rotation = bed.rotation(["a.contoso.com"]);
    const { write } = rotation.step.notes;
    // The order is made, but its URL is not noted.
    const forgetful = {
      ...rotation.step.notes,
      write: async (name: string, text: string | undefined) => {
        if (text?.includes('"url"')) throw new PinionError("STORAGE_UNAVAILABLE", "down", { class: "transient" });
        await write(name, text);
      },
    };
    expect(await faultOf(issue({ ...rotation.step, notes: forgetful }, zone))).toMatchObject({
      code: "STORAGE_UNAVAILABLE",
    });
    if (how.startsWith("lists")) {
      // A CA that cannot say now what orders there are gets no second one.
      const busy = { status: 503, body: { type: "serverInternal", detail: "busy" } };
      ca.manners.instead.set("account", [busy]);
      ca.manners.instead.set("orders", [busy]);
      for (let time = 1; time <= 2; time++) {
        expect(await faultOf(issue(rotation.step, zone))).toMatchObject({ code: "TARGET_UNREACHABLE" });
      }
    }
    await issued(rotation);
    expect(ca.orders).toHaveLength(2);
  },
);

test("certificates for the same names are limited; another set of names is not, nor the next week", async () => {
  const { ca, zone, bed, issued } = await createScene({ limits: { duplicates: { count: 2, hours: 168 } } });
  for (let time = 1; time <= 2; time++) await issued(bed.rotation(["a.contoso.com", "b.contoso.com"]));
  const { step } = bed.rotation(["b.contoso.com", "a.contoso.com"]);
  const fault = await faultOf(issue(step, zone));
  expect(fault).toMatchObject({ code: "ISSUANCE_LIMITED", class: "permanent" });
  const until = Date.parse(/it may go on from (\S+)\.$/.exec(fault.message)![1]!);
  expect(Math.abs(until - (Date.now() + 168 * hour))).toBeLessThan(60_000);
  expect(ca.orders).toHaveLength(2);
  await issued(bed.rotation(["a.contoso.com"]));
  bed.clock.ahead += 169 * hour;
  await issued(bed.rotation(["a.contoso.com", "b.contoso.com"]));
});

test("failed validations are limited by the hour", async () => {
  const { ca, zone, bed, issued } = await createScene({ limits: { failures: { count: 2, hours: 1 } } });
  ca.manners.failing.set("a.contoso.com", { type: "dns", detail: "no" });
  for (let time = 1; time <= 2; time++) {
    const { step } = bed.rotation(["a.contoso.com"]);
    expect(await faultOf(untilDone(async () => await issue(step, zone)))).toMatchObject({ code: "CHALLENGE_FAILED" });
  }
  const rotation = bed.rotation(["a.contoso.com"]);
  const fault = await faultOf(issue(rotation.step, zone));
  expect(fault).toMatchObject({ code: "ISSUANCE_LIMITED", class: "throttled" });
  expect(fault.retryAfterSeconds).toBeGreaterThan(3500);
  expect(ca.orders).toHaveLength(2);
  ca.manners.failing.clear();
  bed.clock.ahead += hour;
  await issued(rotation);
});

test("a limit of the CA's outlives the rotation that met it, for these names", async () => {
  const { ca, zone, bed, issued } = await createScene();
  const limited = { type: "rateLimited", detail: "too many certificates already issued" };
  ca.manners.instead.set("newOrder", [
    { status: 429, body: limited, headers: { "retry-after": String(7 * 24 * 3600) } },
  ]);
  const first = bed.rotation(["a.contoso.com"]);
  expect(await faultOf(issue(first.step, zone))).toMatchObject({ code: "ISSUANCE_LIMITED", class: "throttled" });
  await abandon(first.step, zone);
  const again = bed.rotation(["a.contoso.com"]);
  const fault = await faultOf(issue(again.step, zone));
  expect(fault).toMatchObject({ code: "ISSUANCE_LIMITED", class: "permanent" });
  const until = Date.parse(/it may go on from (\S+)\.$/.exec(fault.message)![1]!);
  expect(Math.abs(until - (Date.now() + 168 * hour))).toBeLessThan(60_000);
  expect(ca.orders).toEqual([]);
  await issued(bed.rotation(["b.contoso.com"]));
  bed.clock.ahead += 167.5 * hour;
  expect(await faultOf(issue(again.step, zone))).toMatchObject({ class: "throttled" });
  bed.clock.ahead += hour;
  await issued(again);
});

test("an order that replaces a certificate is no duplicate; without that hint it is again", async () => {
  const { ca, zone, bed, issued } = await createScene({ limits: { duplicates: { count: 1, hours: 168 } } });
  ca.manners.window = { start: new Date().toISOString(), end: new Date(Date.now() + hour).toISOString() };
  const first = await issued(bed.rotation(["a.contoso.com"]));
  const second = await issued(bed.rotation(["a.contoso.com"], { source: first }));
  expect(await faultOf(issue(bed.rotation(["a.contoso.com"], { source: first }).step, zone))).toMatchObject({
    code: "ISSUANCE_LIMITED",
  });
  await issued(bed.rotation(["a.contoso.com"], { source: second }));
  expect(ca.orders).toHaveLength(3);
});

test("a pending operation that somebody ended: another order for the new key, and one merge", async () => {
  const { ca, zone, bed, issued } = await createScene();
  ca.manners.slow = { looks: 1, retryAfter: "60" };
  const rotation = bed.rotation(["a.contoso.com"]);
  expect(await faultOf(issue(rotation.step, zone))).toMatchObject({ code: "ISSUANCE_PENDING" });
  rotation.slot.cancel();
  delete ca.manners.slow;
  await issued(rotation);
  expect([ca.orders.length, rotation.slot.begun()]).toEqual([2, 2]);
});

test("an earlier rotation's order is left, and its values are withdrawn first", async () => {
  const { ca, zone, bed, issued } = await createScene();
  const show = hide(zone, bed);
  await faultOf(issue(bed.rotation(["old.contoso.com"]).step, zone));
  expect(zone.left()).toHaveLength(1);
  hide(zone, bed);
  const rotation = bed.rotation(["new.contoso.com"]);
  await faultOf(issue(rotation.step, zone));
  expect(zone.left().map(({ name }) => name)).toEqual(["_acme-challenge.new.contoso.com"]);
  show();
  await issued(rotation);
  expect(ca.orders.map(({ names }) => names[0])).toEqual(["old.contoso.com", "new.contoso.com"]);
});

test("what cannot be withdrawn now is withdrawn later; what cannot be for good does not spoil the certificate", async () => {
  const { zone, bed } = await createScene();
  const broken = { ...zone };
  const refuse = (kind: "transient" | "permanent") => {
    broken.withdraw = async () =>
      await Promise.reject(new PinionError("TARGET_FORBIDDEN", "The zone is locked.", { class: kind }));
  };
  refuse("transient");
  const { step, slot } = bed.rotation(["a.contoso.com"]);
  expect(await faultOf(untilDone(async () => await issue(step, broken), 3))).toMatchObject({ class: "transient" });
  expect([slot.merged.length, zone.left().length]).toEqual([1, 1]);
  refuse("permanent");
  expect(await issue(step, broken)).toMatchObject({ version: expect.any(String) as string });
  expect(zone.left()).toHaveLength(1);
  await abandon(step, zone);
  expect(zone.left()).toEqual([]);
  await abandon(step, zone);
});

test("a name whose zone nobody can write stops its own order only, and its value no later one", async () => {
  const { zone, bed, issued } = await createScene();
  const { publish, withdraw } = zone;
  const refuse = (name: string) => {
    if (name.endsWith("b.fabrikam.com"))
      throw new PinionError("TARGET_MISCONFIGURED", "None of the zones in the policy holds it: add its zone.");
  };
  zone.publish = async (record) => (refuse(record.name), await publish(record));
  zone.withdraw = async (record) => (refuse(record.name), await withdraw(record));
  const { step } = bed.rotation(["a.contoso.com", "b.fabrikam.com"]);
  expect(await faultOf(untilDone(async () => await issue(step, zone)))).toMatchObject({ code: "TARGET_MISCONFIGURED" });
  expect(zone.left()).toEqual([]);
  // The name is taken out of the policy.
  const next = bed.rotation(["a.contoso.com"]);
  await untilDone(async () => await issue(next.step, zone));
  expect(next.slot.merged).toHaveLength(1);
  expect(zone.left()).toEqual([]);
  // Its zone is put in: what is noted still is cleaned up with the next.
  Object.assign(zone, { publish, withdraw });
  await issued(bed.rotation(["b.fabrikam.com"]));
});

test("a challenge that failed is told as such, though its value cannot be withdrawn", async () => {
  const { ca, zone, bed } = await createScene();
  ca.manners.failing.set("a.contoso.com", { type: "caa", detail: "not this one" });
  zone.withdraw = async () => await Promise.reject(new PinionError("TARGET_FORBIDDEN", "The zone is locked."));
  const { step } = bed.rotation(["a.contoso.com"]);
  expect(await faultOf(untilDone(async () => await issue(step, zone)))).toMatchObject({ code: "CHALLENGE_FAILED" });
});

test("names that are all too long for a common name", async () => {
  const { ca, bed, issued } = await createScene();
  await issued(bed.rotation(["a", "b"].map((first) => `${first}.${"a-rather-long-label.".repeat(4)}contoso.com`)));
  expect(ca.orders).toHaveLength(1);
});

test("contacts that changed are told to the CA, once", async () => {
  const { ca, bed, issued, sent } = await createScene();
  await issued(bed.rotation(["a.contoso.com"]));
  (bed.target as { contact: string[] }).contact = ["pki@contoso.com"];
  for (let time = 1; time <= 2; time++) await issued(bed.rotation(["a.contoso.com"]));
  expect(sent("account")).toEqual([{ contact: ["mailto:pki@contoso.com"] }]);
  expect(ca.accounts.size).toBe(1);
});

test("two copies at the same time: one key pair, one certificate, no value left", async () => {
  const { zone, bed, issued } = await createScene();
  for (let round = 1; round <= 5; round++) {
    const rotation = bed.rotation([`copies-${round}.contoso.com`, `*.copies-${round}.contoso.com`]);
    const copies = await Promise.allSettled([1, 2].map(async () => await issue(rotation.step, zone)));
    for (const copy of copies) {
      if (copy.status === "rejected") expect(copy.reason).toMatchObject({ class: "transient" });
    }
    await issued(rotation);
    expect(rotation.slot.begun()).toBe(1);
  }
});

test("a request that was refused is no certificate: it counts against no limit", async () => {
  const { ca, zone, bed, issued } = await createScene({ limits: { duplicates: { count: 1, hours: 168 } } });
  ca.manners.instead.set("finalize", [{ status: 400, body: { type: "badCSR", detail: "a weak key" } }]);
  const { step } = bed.rotation(["a.contoso.com"]);
  expect(await faultOf(untilDone(async () => await issue(step, zone)))).toMatchObject({ code: "TARGET_REFUSED" });
  await issued(bed.rotation(["a.contoso.com"]));
});

test.each([
  ["serverInternal", "TARGET_UNREACHABLE", "transient"],
  ["caa", "CHALLENGE_FAILED", "permanent"],
  [undefined, "TARGET_REFUSED", "permanent"],
] as const)(
  "a CA that ends an order while it signs (%s): no certificate, and no duplicate",
  async (type, code, kind) => {
    const { ca, zone, bed, issued } = await createScene({ limits: { duplicates: { count: 1, hours: 168 } } });
    ca.manners.slow = { looks: 1, retryAfter: "60" };
    const rotation = bed.rotation(["a.contoso.com"]);
    expect(await faultOf(issue(rotation.step, zone))).toMatchObject({ code: "ISSUANCE_PENDING" });
    const problem = type && { error: { type: `urn:ietf:params:acme:error:${type}`, detail: "the CA's own words" } };
    const finalize = ca.directory.replace("directory", "finalize/x");
    const body = JSON.stringify({ status: "invalid", identifiers: [], authorizations: [], finalize, ...problem });
    ca.manners.instead.set("order", [{ status: 200, body }]);
    const fault = await faultOf(issue(rotation.step, zone));
    expect(fault).toMatchObject({ code, class: kind });
    expect(fault.message).toContain("ended the order for a.contoso.com");
    expect(zone.left()).toEqual([]);
    delete ca.manners.slow;
    await issued(kind === "transient" ? rotation : bed.rotation(["a.contoso.com"]));
  },
);

test("a challenge that was decided meanwhile is not told again; one that is refused while it is open is a failure", async () => {
  const { ca, zone, bed, issued } = await createScene();
  const { visible } = zone;
  zone.visible = async (record) => {
    ca.orders.at(-1)!.authorizations[0]!.status = "valid";
    return await visible(record);
  };
  await issued(bed.rotation(["a.contoso.com", "b.contoso.com"]));
  zone.visible = visible;
  ca.manners.instead.set("challenge", [{ status: 400, body: { type: "malformed", detail: "no such thing" } }]);
  expect(await faultOf(issue(bed.rotation(["c.contoso.com"]).step, zone))).toMatchObject({ code: "TARGET_REFUSED" });
});

test("a CA that signs nothing and says nothing is not asked without end", async () => {
  const { ca, zone, bed } = await createScene();
  const finalize = ca.directory.replace("directory", "finalize/x");
  const body = JSON.stringify({ status: "ready", identifiers: [], authorizations: [], finalize });
  const instead = Array.from({ length: 50 }, () => ({ status: 200, body }));
  ca.manners.instead.set("finalize", instead);
  const { step } = bed.rotation(["a.contoso.com"]);
  expect(await faultOf(issue(step, zone))).toMatchObject({ code: "ISSUANCE_PENDING", class: "transient" });
  expect(instead.length).toBeGreaterThan(40);
}, 30_000);
