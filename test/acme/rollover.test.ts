import { expect, test } from "vitest";
import { issue } from "../../rotators/shared/acme/issue.ts";
import { observeIssuance } from "../../rotators/shared/acme/observe.ts";
import { revokeSuperseded } from "../../rotators/shared/acme/revoke.ts";
import { faultOf, untilDone } from "./bed.ts";
import { startCa } from "./ca/server.ts";
import type { KeyKind } from "./keys.ts";
import { accountKey, noted, register } from "./registered.ts";

// The account's key gets another version: issuing goes on with the same account (RFC 8555 section 7.3.5).

const movable = "the account can be moved to the new version of its key";

test.each<[string, KeyKind]>([
  ["ec", "ec"],
  ["rsa", "rsa"],
  ["ec", "rsa"],
  ["rsa", "ec"],
])(
  "from %s to %s: the account stays, its key is changed once, and the former version signs no more",
  async (from, to) => {
    const account = `https://kv.vault.azure.net/keys/acme-account-${from}`;
    const { bed, ca, goesOn, changes, former, kid } = await register({ account });
    const turned = bed.keys.turn(account, to);
    await goesOn();
    expect(changes()).toBe(1);
    expect(noted(bed)).toMatchObject({ key: turned, kid });
    bed.keys.change(former, { enabled: false });
    bed.keys.signed.length = 0;
    await goesOn();
    expect(new Set(bed.keys.signed)).toEqual(new Set([turned]));
    expect([changes(), ca.accounts.get(kid)!.jwk.kty]).toEqual([1, to.toUpperCase()]);
  },
);

test("the call that moved the account ends there: another server of the CA may know the former key for a while", async () => {
  const { bed, ca, zone, goesOn, sent } = await register({ contact: ["pki@contoso.com"] });
  for (const told of [0, 1]) {
    bed.keys.turn(accountKey);
    if (told === 1) bed.notes.clear();
    expect(await faultOf(issue(bed.rotation(["b.contoso.com"]).step, zone))).toMatchObject({
      code: "ISSUANCE_PENDING",
      class: "transient",
      retryAfterSeconds: 10,
    });
    expect(ca.seen.at(-1)!.resource).toBe("keyChange");
    await goesOn();
    // Without a record nobody knows what contacts it has.
    expect(sent("account")).toHaveLength(told);
  }
});

test("without any record of Pinion's the CA tells which version has the account, however many there are between", async () => {
  const { bed, goesOn, changes } = await register();
  for (let version = 1; version <= 3; version++) bed.keys.turn(accountKey);
  bed.notes.clear();
  await goesOn();
  bed.notes.clear();
  await goesOn();
  expect(changes()).toBe(1);
});

test("what an earlier release noted, without the version, is enough", async () => {
  const { bed, goesOn, changes } = await register();
  bed.notes.set("acme-account", JSON.stringify({ ...noted(bed), key: undefined }));
  bed.keys.turn(accountKey);
  await goesOn();
  expect(changes()).toBe(1);
});

test("preflight foresees the move and moves nothing", async () => {
  const { bed, ca, zone, kid, changes } = await register();
  const { jwk } = ca.accounts.get(kid)!;
  const names = async () => {
    const proofs = await observeIssuance(bed.rotation(["b.contoso.com"]).step, zone);
    return proofs.filter(({ name }) => name === movable);
  };
  expect(await names()).toEqual([]);
  bed.keys.turn(accountKey);
  for (const remembers of [true, false]) {
    if (!remembers) bed.notes.clear();
    expect(await names()).toEqual([{ name: movable, ok: true, detail: kid }]);
  }
  expect([changes(), ca.accounts.get(kid)!.jwk]).toEqual([0, jwk]);
});

test("a version that the target names: the account follows it when the policy names another one, and back", async () => {
  const { bed, goesOn, former, changes } = await register();
  const turned = bed.keys.turn(accountKey);
  const name = (url: string) => ((bed.target as { account: string }).account = url);
  name(former);
  await goesOn();
  expect(changes()).toBe(0);
  for (const [time, url] of [turned, former].entries()) {
    name(url);
    await goesOn();
    expect([changes(), noted(bed).key]).toEqual([time + 1, url]);
  }
});

test("an object that names a version takes no account from another version, unless it was its own", async () => {
  const { bed, ca, issued, changes, former, kid } = await register();
  (bed.target as { account: string }).account = bed.keys.turn(accountKey);
  bed.notes.clear();
  await issued(bed.rotation(["b.contoso.com"]));
  expect([ca.accounts.size, changes(), noted(bed).kid === kid]).toEqual([2, 0, false]);
  (bed.target as { account: string }).account = former;
  bed.notes.clear();
  await issued(bed.rotation(["c.contoso.com"]));
  expect([ca.accounts.size, noted(bed).kid]).toEqual([2, kid]);
});

test("with thirty versions between, the noted one is asked about first", async () => {
  const { bed, goesOn, changes } = await register();
  for (let version = 1; version <= 30; version++) bed.keys.turn(accountKey);
  const before = bed.keys.signed.length;
  await goesOn();
  expect(changes()).toBe(1);
  expect(new Set(bed.keys.signed.slice(before)).size).toBe(2);
});

test("another CA in the target is another account, whatever is noted of the first", async () => {
  const { bed, ca, zone, changes } = await register();
  const second = await startCa(zone.lookup);
  const renew = async () => await untilDone(async () => await issue(bed.rotation(["b.contoso.com"]).step, zone));
  (bed.target as { directory: string }).directory = second.directory;
  await renew();
  expect([ca.accounts.size, second.accounts.size, new URL(noted(bed).kid).host]).toEqual([
    1,
    1,
    new URL(second.directory).host,
  ]);
  (bed.target as { directory: string }).directory = ca.directory;
  bed.keys.turn(accountKey);
  await renew();
  expect([ca.accounts.size, second.accounts.size, changes()]).toEqual([1, 1, 1]);
  second.close();
});

test("another key in the target is another account", async () => {
  const { bed, ca, issued, changes } = await register();
  (bed.target as { account: string }).account = "https://kv.vault.azure.net/keys/another-ec";
  await issued(bed.rotation(["b.contoso.com"]));
  expect([ca.accounts.size, changes()]).toEqual([2, 0]);
});

test("in the midst of an order: its values are shown again for the new key, and all are withdrawn", async () => {
  const { bed, ca, zone, kid, issued } = await register();
  const { visible } = zone;
  zone.visible = async () => await Promise.resolve({ everywhere: false, detail: "1 of 2 servers" });
  const rotation = bed.rotation(["b.contoso.com", "c.contoso.com"]);
  const long = { ...rotation.step, ports: { ...rotation.step.ports, now: soon(rotation.step.ports.now) } };
  expect(await faultOf(issue(long, zone))).toMatchObject({ code: "ISSUANCE_PENDING" });
  expect(zone.left()).toHaveLength(2);
  bed.keys.turn(accountKey);
  zone.visible = visible;
  await issued(rotation);
  expect([ca.orders.length, ca.orders.at(-1)!.kid, rotation.slot.begun()]).toEqual([2, kid, 1]);
});

/** A clock that runs away after some looks, so that a call's time is over soon. */
function soon(now: () => number): () => number {
  let looks = 0;
  return () => now() + (++looks > 12 ? 30_000 : 0);
}

test("a former certificate is revoked by the account that was moved", async () => {
  const { bed, issued, kid, ca, changes } = await register();
  const certificate = await issued(bed.rotation(["b.contoso.com"]));
  bed.keys.turn(accountKey);
  const { step } = bed.rotation(["b.contoso.com"]);
  expect(await untilDone(async () => await revokeSuperseded(step, certificate.leaf))).toMatchObject({ ok: true });
  expect([changes(), ca.accounts.size, noted(bed).kid]).toEqual([1, 1, kid]);
});
