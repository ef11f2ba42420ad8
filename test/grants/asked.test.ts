import { describe, expect, test } from "vitest";
import { findRotator, rotators } from "../../rotators/index.ts";
import { proveRights } from "../../src/activities/rights.ts";
import type { Scene } from "../../src/activities/step.ts";
import type { Arm } from "../../src/azure/arm.ts";
import { findConsumer } from "../../src/consumers/index.ts";
import type { Context } from "../../src/doctor/context.ts";
import { rights } from "../../src/doctor/rights.ts";
import { isAsked, isPlaced, placesOf } from "../../src/grants.ts";
import type { ManagedObject } from "../../src/policy.ts";
import { fleet, policyOf, vaults } from "./fleet.ts";

// What preflight demands of each object and what the doctor demands of all is one list, and nothing of it is only looked at: whatever
// Azure leaves out of its answer is missed by both, by its name and its place.

const policy = policyOf(fleet);
const registries = { rotator: findRotator, consumer: findConsumer };
const signal = AbortSignal.timeout(600_000);

/** What an identity is told that may do everything, but for one action at one place; `asked` holds where it was asked. */
function telling(without: { readonly scope: string; readonly action: string } = { scope: "", action: "" }) {
  const asked = new Set<string>();
  const arm: Arm = async ({ path }) => {
    const scope = path.replace(/\/providers\/Microsoft\.Authorization\/permissions$/, "");
    asked.add(scope);
    const not = scope === without.scope ? [without.action] : [];
    return { value: [{ actions: ["*"], notActions: not, dataActions: ["*"], notDataActions: not }] };
  };
  return { arm, asked };
}

const preflight = async (object: ManagedObject, arm: Arm) =>
  await proveRights({
    deps: registries,
    subject: { zone: { arm }, vaults: policy.vaults, object },
    signal,
  } as unknown as Scene);

const doctor = async (arm: Arm) =>
  await rights.run(
    {
      place: "app",
      config: { resourceManagerAudience: "https://management.azure.com" },
      registry: { rotators, find: findRotator },
      policy: async () => ({ policy, faults: [] }),
      armAs: () => arm,
      identity: () => ({ getToken: async () => ({ token: "t", expiresOnTimestamp: Date.now() + 3_600_000 }) }),
    } as unknown as Context,
    signal,
  );

test("the doctor asks where preflight asks, and where the sweep lists", async () => {
  const [all, each] = [telling(), telling()];
  await doctor(all.arm);
  for (const object of policy.objects) await preflight(object, each.arm);
  expect([...all.asked].toSorted()).toEqual([...new Set([...each.asked, vaults.main.resourceId])].toSorted());
});

describe.each(policy.objects.map((object) => [object.id, object] as const))("%s", (_id, object) => {
  const places = placesOf(policy.vaults, object, registries).filter((place) => isPlaced(place) && isAsked(place));
  const demands = places.flatMap(({ scope, role, asked }) =>
    [...asked.actions, ...asked.dataActions].map((action) => [role.key, action, scope] as const),
  );

  test("without any one action both say so", async () => {
    for (const [role, action, scope] of demands) {
      const { arm } = telling({ scope, action });
      const [refusal] = await Promise.allSettled([preflight(object, arm)]);
      const missed = (await doctor(arm)).filter(({ level, says }) => level === "fault" && says === `lacks ${action}`);
      expect([role, action, scope, refusal, missed.length]).toEqual([
        role,
        action,
        scope,
        { status: "rejected", reason: expect.objectContaining({ class: "propagation" }) as unknown },
        1,
      ]);
      expect(String((refusal as PromiseRejectedResult).reason)).toContain(`lacks ${action} at ${scope}`);
    }
  });

  test("with all of it neither says anything", async () => {
    const { arm } = telling();
    expect((await preflight(object, arm)).filter(({ ok }) => !ok)).toEqual([]);
    expect((await doctor(arm)).filter(({ level }) => level !== "ok")).toEqual([]);
  });
});
