import { describe, expect, it } from "vitest";
import type { StepName } from "../../src/workflow/steps.ts";
import { ask, rotation } from "./rotation.ts";
import { fault, start } from "./world.ts";

const day = 86_400;
const count = (names: readonly StepName[], ...of: StepName[]) => names.filter((name) => of.includes(name)).length;

describe("a hold", () => {
  it("lasts while the gate is shut, and the rotation ends when it opens", async () => {
    const { outcome, world, names, seconds } = await rotation({
      agenda: [
        { at: 60, act: ({ state }) => (state.usedUntil = Infinity) },
        { at: 4 * day, act: ({ state }) => (state.usedUntil = 0) },
      ],
    });
    expect(outcome).toBe("rotated");
    expect(world.broken).toEqual([]);
    expect(seconds).toBeLessThan(6 * day);
    expect(count(names, "hold")).toBe(1);
  });

  it("that outlasts the policy leaves the old credential alive: kept", async () => {
    const { outcome, world, custom, names } = await rotation({
      agenda: [{ at: 60, act: ({ state }) => (state.usedUntil = Infinity) }],
    });
    expect(outcome).toBe("kept");
    expect(custom).toMatchObject({ outcome: "kept", fault: { code: "OLD_IN_USE" } });
    expect([world.opensFormer(), world.opensCandidate()]).toEqual([true, true]);
    // Once when it began, once at its end.
    expect(count(names, "hold")).toBe(2);
  });

  it("ends by a finish, which looks again at once", async () => {
    const { outcome, seconds } = await rotation({
      agenda: [
        { at: 60, act: ({ state }) => (state.usedUntil = Infinity) },
        { at: 4.2 * day, act: ({ state }) => (state.usedUntil = 0) },
        { at: 4.2 * day + 60, act: ask("finish") },
      ],
    });
    expect(outcome).toBe("rotated");
    expect(seconds).toBeLessThan(4.3 * day);
  });

  it("never holds a credential suspended, whatever failed", async () => {
    for (const step of ["suspend", "revoke"] as const) {
      const { outcome, world } = await rotation({
        mishap: ({ name }) =>
          name === step ? { when: step === "suspend" ? "after" : "before", fault: fault("TARGET_REFUSED") } : undefined,
      });
      expect(outcome).toBe("kept");
      expect([world.opensFormer(), world.opensCandidate()]).toEqual([true, true]);
    }
  });

  it("whose suspension cannot be lifted stays a hold: it is never a rollback", async () => {
    const { outcome, names, world } = await rotation({
      mishap: ({ name }) =>
        name === "revoke" || name === "resume" ? { when: "before", fault: fault("TARGET_REFUSED") } : undefined,
    });
    expect(names).not.toContain("restore");
    expect(outcome).toBe("kept");
    expect(world.broken).toEqual([]);
  });

  it("escalates before the old credential's own expiry", async () => {
    const { calls } = await rotation({
      world: { maxHold: 60 * day },
      agenda: [{ at: 60, act: ({ state }) => (state.usedUntil = Infinity) }],
    });
    const told = calls
      .filter(({ name }) => name === "hold")
      .map(({ at, input }) => ({ at, ...(input as { escalate?: boolean }) }));
    expect(told[0]).toMatchObject({ escalate: false });
    expect(told[1]).toMatchObject({ escalate: true });
    expect(told[1]!.at / 1000).toBeGreaterThan(28 * day);
    expect(told[1]!.at / 1000).toBeLessThan(30 * day);
  });
});

describe("30 days of failure", () => {
  const cases = [
    [
      "permanent",
      fault("TARGET_REFUSED"),
      ["preflight", "set", "publish", "verify", "suspend", "revoke", "record"],
      // Of a revocation that fails, each of under 50 rounds is a suspension seen idle, its watch and its lifting.
      300,
    ],
    ["transient", fault("TARGET_UNREACHABLE", "transient"), ["set", "verify", "suspend", "record"], 700],
    ["throttled", fault("VAULT_THROTTLED", "throttled"), ["set", "suspend"], 900],
  ] as const;

  it.each(cases.flatMap(([kind, of, steps, most]) => steps.map((step) => [kind, step, of, most] as const)))(
    "%s, %s: it ends, within a bounded number of attempts",
    { timeout: 120_000 },
    async (_, step, of, most) => {
      const { calls, statusBytes, seconds } = await rotation({
        world: { maxHold: 30 * day },
        mishap: ({ name }) => (name === step ? { when: "before", fault: of } : undefined),
        mostCalls: most,
      });
      expect(calls.length).toBeLessThan(most);
      expect(seconds).toBeLessThan(60 * day);
      expect(statusBytes).toBeLessThan(16_384);
    },
  );

  it("the status stays small though every fault is long", { timeout: 120_000 }, async () => {
    const message = 'é"\n'.repeat(3000);
    const { statusBytes, outcome } = await rotation({
      world: { maxHold: 30 * day },
      mishap: ({ name }) =>
        name === "revoke" ? { when: "before", fault: { ...fault("TARGET_REFUSED"), message } } : undefined,
      mostCalls: 3000,
    });
    expect(outcome).toBe("kept");
    expect(statusBytes).toBeLessThan(16_384);
  });
});

describe("while a credential is suspended", () => {
  const gone = fault("CONSUMER_REPINNED");

  it("a window that shuts is not slept through: somebody goes on looking, and the credential is lifted when it is missed", async () => {
    const { calls, outcome, world } = await rotation({
      before({ name, input }, { state }, stage) {
        if (name === "watch" && "round" in input && input.round === 1 && state.shutUntil === 0)
          state.shutUntil = stage.now() + 6 * day * 1000;
      },
      // The third look is in the time of the shut window.
      mishap: ({ name, nth }) => (name === "watch" && nth === 3 ? { when: "before", fault: gone } : undefined),
    });
    const watched = calls.filter(({ name }) => name === "watch");
    const lifted = calls.find(({ name }) => name === "resume")!;
    expect(lifted.at - watched[0]!.at).toBeLessThan(3600 * 1000);
    expect(outcome).toBe("rotated");
    expect(world.broken).toEqual([]);
  });

  it("a window that stays shut for days is watched through, and then the revocation comes", async () => {
    const { names, outcome, world } = await rotation({
      before({ name }, { state }, stage) {
        if (name === "watch" && state.shutUntil === 0) state.shutUntil = stage.now() + 6 * day * 1000;
      },
    });
    expect(outcome).toBe("rotated");
    expect(count(names, "watch")).toBeGreaterThan(5);
    expect(count(names, "watch")).toBeLessThan(12);
    expect(count(names, "hold", "resume")).toBe(0);
    expect(world.broken).toEqual([]);
  });

  it.each(["OUT_OF_BAND_CHANGE", "WINDOW_CLOSED"] as const)(
    "a suspension whose reply was lost is lifted, though what the next try meets is %s",
    async (code) => {
      const next = code === "WINDOW_CLOSED" ? fault(code, "throttled", 3 * day) : fault(code);
      let lost = 0;
      const { calls } = await rotation({
        mishap({ name, nth, input }) {
          if (name !== "suspend" || !("round" in input) || input.round > 1 || nth < 2) return undefined;
          lost += 1;
          return lost === 1
            ? { when: "after", fault: fault("TARGET_UNREACHABLE", "transient") }
            : { when: "before", fault: next };
        },
      });
      const [, first] = calls.filter(({ name }) => name === "suspend");
      const lifted = calls.find(({ name }) => name === "resume")!;
      expect(lifted.at - first!.at).toBeLessThan(120 * 1000);
    },
  );

  it("the longest hold counts from the first thing that held, not from the watch", async () => {
    const { outcome } = await rotation({
      world: { watch: 8 * day, maxHold: 7 * day },
      mishap: ({ name, nth }) => (name === "revoke" && nth === 1 ? { when: "before", fault: gone } : undefined),
    });
    expect(outcome).toBe("rotated");
  });
});

describe("a place in the fleet", () => {
  it("that is long in coming is asked for ever more seldom", async () => {
    const { calls, outcome } = await rotation({
      mishap: ({ name, at }) =>
        name === "preflight" && at < day * 1000
          ? { when: "before", fault: fault("FLEET_FULL", "throttled") }
          : undefined,
      mostCalls: 200,
    });
    expect(outcome).toBe("rotated");
    expect(calls.filter(({ name }) => name === "preflight").length).toBeLessThan(70);
  });
});

describe("a window", () => {
  it("that is shut for days is waited for, by the steps that change what others see", async () => {
    const opens = Date.parse("2027-01-06");
    const { outcome, world, calls } = await rotation({
      agenda: [{ at: 3, act: ({ state }) => (state.shutUntil = opens) }],
    });
    expect(outcome).toBe("rotated");
    expect(world.broken).toEqual([]);
    expect(calls.filter(({ name }) => name === "publish").map(({ at }) => at > 4 * day * 1000)).toEqual([false, true]);
  });

  it("does not use up the patience for a fault after it has opened", async () => {
    const { outcome } = await rotation({
      agenda: [{ at: 3, act: ({ state }) => (state.shutUntil = Date.parse("2027-01-06")) }],
      mishap: ({ name, nth }) =>
        name === "publish" && nth > 1 && nth < 5
          ? { when: "before", fault: fault("VAULT_UNAVAILABLE", "transient") }
          : undefined,
    });
    expect(outcome).toBe("rotated");
  });
});

describe("wake-ups that nobody may send", () => {
  const hundred = (at: number) => Array.from({ length: 100 }, (_, n) => at + n);

  it.each([
    ["in the grace", day / 2],
    ["from the start", 0],
    ["in the watch", day + 1000],
  ])("a hundred %s change nothing", async (_, at) => {
    const quiet = await rotation();
    const loud = await rotation({
      agenda: hundred(at).map((one) => ({ at: one, act: (_world, stage) => stage.raise() })),
    });
    expect(loud.names.filter((name) => name !== "hear")).toEqual(quiet.names);
    expect(loud.outcome).toBe("rotated");
    expect(loud.world.broken).toEqual([]);
    expect(count(loud.names, "hear")).toBeLessThanOrEqual(100);
    expect(loud.seconds).toBeLessThan(quiet.seconds + 200);
  });

  it("one under another name, or another case, is not even read", async () => {
    const { names } = await rotation({
      agenda: ["rollback", "Command", "finish"].map((name, n) => ({
        at: day / 2 + n,
        act: (_world, stage) => stage.raise(name),
      })),
    });
    expect(names).not.toContain("hear");
  });

  it("while the records cannot be read turn nothing back", async () => {
    for (const of of [fault("STORAGE_UNAVAILABLE", "transient"), fault("LEASE_LOST")]) {
      const { outcome, names } = await rotation({
        agenda: [{ at: day / 2, act: (_world, stage) => stage.raise() }],
        mishap: ({ name, at }) =>
          name === "hear" && at < 0.7 * day * 1000 ? { when: "before", fault: of } : undefined,
      });
      expect(outcome).toBe("rotated");
      expect(names).not.toContain("restore");
    }
  });

  it("a rollback is not lost while the records cannot be read", async () => {
    const { outcome, seconds } = await rotation({
      world: { grace: 60 * day },
      agenda: [{ at: day / 2, act: ask("rollback") }],
      mishap: ({ name, at }) =>
        name === "hear" && at < day * 1000
          ? { when: "before", fault: fault("STORAGE_UNAVAILABLE", "transient") }
          : undefined,
    });
    expect(outcome).toBe("rolled-back");
    expect(seconds).toBeLessThan(2 * day);
  });

  it("a rollback that was taken while the record could not be written is heard, and the record is not lost", async () => {
    const { outcome, status } = await rotation({
      mishap: ({ name, nth }) =>
        name === "record" && nth < 12
          ? { when: "before", fault: fault("STORAGE_UNAVAILABLE", "transient") }
          : undefined,
      after: ({ name, nth }, world) => {
        if (name === "suspend" && nth === 1) world.state.usedUntil = Infinity;
      },
      before: ({ name, nth }, world, stage) => {
        if (name === "record" && nth === 5) ask("rollback")(world, stage);
      },
    });
    expect([outcome, status]).toEqual(["rolled-back", "Completed"]);
  });
});

describe("a start that nobody may make", () => {
  it.each([
    ["of another rotation", { ...start, rotationId: "forged" }],
    ["with nothing", {}],
    ["without input", ""],
    ["with null", null],
  ])("%s: preflight says so, and nothing else runs", async (_, input) => {
    const { names, outcome } = await rotation({ input });
    expect(names).toEqual(["preflight"]);
    expect(outcome).toBe("refused");
  });
});
