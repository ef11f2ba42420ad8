import { expect, test } from "vitest";
import { issue } from "../../rotators/shared/acme/issue.ts";
import { observeIssuance } from "../../rotators/shared/acme/observe.ts";
import { faultOf, untilDone } from "./bed.ts";
import { accountKey, noted, register, sharing } from "./registered.ts";

// Two objects share the account: one of them moves it to the new version of its key while the other is at work.

test.each([
  ["cut", { status: 0, body: "cut" }],
  ["no", { status: 409, body: { type: "malformed", detail: "an account has this key" } }],
])(
  "a change that another process made between our question and ours (answer: %s) is found again",
  async (_answer, instead) => {
    const { bed, ca, goesOn, changes, zone } = await register();
    const turned = bed.keys.turn(accountKey);
    const other = sharing(bed).rotation(["other.contoso.com"]);
    await untilDone(async () => await issue(other.step, zone));
    const { kid } = noted(bed);
    // The answers to our question, as they were before that.
    ca.manners.instead.set("newAccount", [
      { status: 400, body: { type: "accountDoesNotExist", detail: "not yet" } },
      { status: 200, body: "", headers: { location: kid } },
    ]);
    ca.manners.instead.set("keyChange", [instead]);
    await goesOn();
    expect([noted(bed).key, changes()]).toEqual([turned, 1]);
  },
);

test("another object moved the account, and the version that we noted is disabled since: the new one finds it", async () => {
  const { bed, zone, former, goesOn, changes } = await register();
  bed.keys.turn(accountKey);
  const other = sharing(bed).rotation(["other.contoso.com"]);
  await untilDone(async () => await issue(other.step, zone));
  bed.keys.change(former, { enabled: false });
  const proofs = await observeIssuance(bed.rotation(["b.contoso.com"]).step, zone);
  expect(proofs.filter(({ name }) => name.includes("moved"))).toEqual([]);
  await goesOn();
  expect(changes()).toBe(1);
});

test("another object moves the account in the midst of our call: it goes on with the new version, and nothing is withdrawn or ordered twice", async () => {
  for (const resource of ["newOrder", "authz", "challenge", "finalize"] as const) {
    const { bed, ca, zone, kid, issued } = await register();
    const rotation = bed.rotation(["b.contoso.com"]);
    let moved = false;
    const { sign } = bed.ports.keys;
    const keys = {
      ...bed.ports.keys,
      sign: async (...args: Parameters<typeof sign>) => {
        if (!moved && ca.seen.length > 0 && aboutTo(ca.seen.at(-1)!.resource, resource)) {
          moved = true;
          bed.keys.turn(accountKey);
          const other = sharing(bed).rotation(["other.contoso.com"]);
          await untilDone(async () => await issue(other.step, zone));
        }
        return await sign(...args);
      },
    };
    const step = { ...rotation.step, ports: { ...rotation.step.ports, keys } };
    await untilDone(async () => await issue(step, zone));
    await issued(rotation);
    expect({ resource, moved }).toEqual({ resource, moved: true });
    expect([...ca.accounts.keys()]).toEqual([kid]);
    const ordered = (name: string) => ca.orders.filter(({ names }) => names[0] === name).length;
    expect([ordered("b.contoso.com"), ordered("other.contoso.com"), rotation.slot.begun()]).toEqual([1, 1, 1]);
  }
});

const before = { newOrder: "revoke", authz: "newOrder", challenge: "authz", finalize: "order" } as const;
const aboutTo = (last: string, next: keyof typeof before) => next === "newOrder" || before[next] === last;

test("two objects that share the account: one moves it while the other waits for the lease", async () => {
  const { bed, zone, issued, changes, ca } = await register();
  bed.keys.turn(accountKey);
  const both = [bed.rotation(["b.contoso.com"]), sharing(bed).rotation(["c.contoso.com"])];
  const first = await Promise.all(both.map(async ({ step }) => await faultOf(issue(step, zone))));
  expect(first.map(({ code }) => code).sort()).toEqual(["ISSUANCE_PENDING", "LEASE_HELD"]);
  expect(bed.leases.size).toBe(0);
  for (const { step } of both) await untilDone(async () => await issue(step, zone));
  await issued(both[0]!);
  expect([changes(), ca.accounts.size]).toEqual([1, 1]);
});
