import { expect, test } from "vitest";
import { type Recorded, withRecord } from "./record.ts";
import { ask, rotationOf, type RotationOptions } from "./rotation.ts";

// What only a rotation that is taken up can do wrong.

const full = { code: "FLEET_FULL", class: "throttled", message: "full" } as const;
const down = { code: "VAULT_UNAVAILABLE", class: "transient", message: "down" } as const;

const played = async (options: RotationOptions<Recorded>) =>
  await rotationOf<Recorded>((now) => withRecord({}, now), options);
const lostAfterCutover: RotationOptions<Recorded>["loses"] = ({ name, nth }) => name === "cutover" && nth === 1;

test("called off while it waits for its place, it is turned back, not merely written off", async () => {
  const { world, outcome, names } = await played({
    loses: lostAfterCutover,
    mishap: ({ name, nth }) =>
      name === "preflight" && nth > 1 && nth < 8 ? { when: "before", fault: full } : undefined,
    agenda: [{ at: 300, act: ask("rollback") }],
  });
  expect(outcome).toBe("rolled-back");
  expect(names).toContain("retreat");
  expect(new Set(world.world.users())).toEqual(new Set(["former"]));
  expect(world.world.broken).toEqual([]);
});

test("where it cannot be taken up nothing is written down: whoever comes next goes on", async () => {
  const { names, outcome } = await played({
    loses: lostAfterCutover,
    mishap: ({ name, nth }) => (name === "preflight" && nth > 1 ? { when: "before", fault: down } : undefined),
  });
  expect(outcome).toBe("failed");
  expect(names).not.toContain("record");
});

test("one that was given up on is only written down: nothing is revoked that somebody still uses", async () => {
  const { world, outcome, names } = await rotationOf<Recorded>((now) => withRecord({ maxHold: 3600 }, now), {
    before: (_call, { world: { state } }) => void (state.usedUntil = Number.POSITIVE_INFINITY),
    loses: ({ name, nth }) => name === "record" && nth === 1,
  });
  expect(outcome).toBe("kept");
  expect(names.slice(-2)).toEqual(["preflight", "record"]);
  expect([world.world.opensFormer(), world.world.opensCandidate()]).toEqual([true, true]);
});

test("one that ended turned back is written down as that, while it may only go back", async () => {
  const { world, outcome, calls } = await played({
    loses: ({ name, nth }) => name === "record" && nth === 1,
    agenda: [{ at: 3600, act: ask("rollback") }],
  });
  expect(outcome).toBe("rolled-back");
  expect(calls.slice(-2).map(({ name, input }) => [name, input.turningBack])).toEqual([
    ["preflight", false],
    ["record", true],
  ]);
  expect([world.world.opensFormer(), world.world.opensCandidate()]).toEqual([true, false]);
});

const moved = { code: "LEASE_LOST", class: "permanent", message: "moved on" } as const;

test.each(["preflight", "set", "publish", "verify"] as const)(
  "whoever finds at its %s that another orchestration runs the rotation leaves it alone",
  async (step) => {
    const { names, outcome, world } = await played({
      mishap: ({ name }) => (name === step ? { when: "before", fault: moved } : undefined),
    });
    expect([outcome, names.at(-1)]).toEqual(["failed", step]);
    expect(world.world.broken).toEqual([]);
  },
);

test("a person's candidate is waited for as long as the policy says, however often the rotation is taken up", async () => {
  const pending = { code: "ISSUANCE_PENDING", class: "transient", message: "pending" } as const;
  const told = { issueSeconds: 2 * 86_400 };
  let losses = 0;
  const { calls, names, world } = await rotationOf<Recorded>((now) => withRecord({ told }, now), {
    mishap: ({ name }) => (name === "stage" ? { when: "before", fault: pending } : undefined),
    loses: ({ name, at }) => name === "stage" && at > 1.6 * 86_400_000 && ++losses === 1,
  });
  expect(losses).toBeGreaterThan(0);
  expect(names.slice(-2)).toEqual(["abandon", "record"]);
  const days = calls.findLast(({ name }) => name === "stage")!.at / 86_400_000;
  expect(days).toBeGreaterThan(1.9);
  expect(days).toBeLessThan(2.1);
  expect(world.world.broken).toEqual([]);
});
