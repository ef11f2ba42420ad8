import { describe, expect, it } from "vitest";
import type { StepName } from "../../src/workflow/steps.ts";
import { type Mishap, rotation } from "./rotation.ts";
import { fault } from "./world.ts";

const strategies = ["alternating", "in-place"] as const;
const forward: readonly StepName[] = ["stage", "set", "validate", "publish", "cutover", "verify"];

/** Names without repeats: a step that is tried again counts once. */
function once(names: readonly StepName[]): StepName[] {
  return names.filter((name, n) => name !== names[n - 1]);
}

/** Goes wrong at the first runs of one step. */
function goingWrong(step: StepName, times: number, mishap: Mishap) {
  return {
    mishap: (call: { name: StepName; nth: number }) => (call.name === step && call.nth <= times ? mishap : undefined),
  };
}

describe("a rotation that succeeds", () => {
  it("alternating: the old credential goes through grace, suspend, watch and revoke", async () => {
    const { names, outcome, world, seconds } = await rotation({ doubled: true });
    expect(once(names)).toEqual(["preflight", ...forward, "suspend", "watch", "revoke", "record"]);
    expect(outcome).toBe("rotated");
    expect(world.broken).toEqual([]);
    expect(world.users()).toEqual(["candidate"]);
    expect([world.opensFormer(), world.opensCandidate()]).toEqual([false, true]);
    expect(seconds).toBeGreaterThan(world.options.grace + world.options.watch + world.options.idleFor);
  });

  it("looks soon after the suspension: whoever misses the old credential has it back within minutes, not at the end", async () => {
    const unwell = fault("CONSUMER_UNHEALTHY", "transient");
    const { calls, outcome, world } = await rotation({
      world: { watch: 86_400 },
      mishap: ({ name, input }) =>
        name === "watch" && "round" in input && input.round === 1 ? { when: "before", fault: unwell } : undefined,
    });
    const suspended = calls.findLast(({ name, input }) => name === "suspend" && "round" in input && input.round === 1)!;
    const lifted = calls.find(({ name }) => name === "resume")!;
    expect((lifted.at - suspended.at) / 1000).toBeLessThan(5 * 60);
    expect(outcome).toBe("rotated");
    expect(world.broken).toEqual([]);
  });

  it("is patient with a revocation only while nobody is left without a credential", async () => {
    const { calls } = await rotation({
      mishap: ({ name, nth }) =>
        name === "revoke" && nth < 20 ? { when: "before", fault: fault("CONSUMER_UNHEALTHY", "transient") } : undefined,
    });
    const [first] = calls.filter(({ name }) => name === "revoke");
    const lifted = calls.find(({ name }) => name === "resume")!;
    expect((lifted.at - first!.at) / 1000).toBeLessThan(5 * 60);
  });

  it("in place: no suspension, and no second credential", async () => {
    const { names, outcome, world } = await rotation({ world: { strategy: "in-place" }, doubled: true });
    expect(once(names)).toEqual(["preflight", ...forward, "revoke", "record"]);
    expect(outcome).toBe("rotated");
    expect([world.opensFormer(), world.opensCandidate()]).toEqual([false, true]);
  });

  it("a target that replicates: as many proofs as the policy asks for, that far apart", async () => {
    const { calls } = await rotation({ world: { validations: 4 } });
    const at = calls.filter(({ name }) => name === "validate").map((call) => call.at);
    expect(at).toHaveLength(4);
    expect(at.slice(1).map((one, n) => (one - at[n]!) / 1000)).toEqual([62, 62, 62]);
  });

  it.each(strategies)("%s: finished in its grace, and then rotated again", async (strategy) => {
    const first = await rotation({
      world: { strategy, grace: 30 * 86_400 },
      agenda: [
        {
          at: 3 * 86_400,
          act(world, stage) {
            world.command("finish");
            stage.raise();
          },
        },
      ],
    });
    expect(first.outcome).toBe("rotated");
    expect(first.world.broken).toEqual([]);
    expect(first.seconds).toBeLessThan(4 * 86_400);
    // The next one has a free slot: what was current is dead, what was the candidate is current.
    expect([first.world.opensFormer(), first.world.opensCandidate()]).toEqual([false, true]);
    expect((await rotation({ world: { strategy } })).outcome).toBe("rotated");
  });
});

describe("a step forward that fails for good", () => {
  it.each(strategies.flatMap((strategy) => forward.map((step) => [strategy, step] as const)))(
    "%s, %s: everything is as before",
    async (strategy, step) => {
      for (const when of ["before", "after"] as const) {
        const wrong = goingWrong(step, 1, { when, fault: fault("TARGET_REFUSED") });
        const { outcome, world, names, custom } = await rotation({ world: { strategy }, ...wrong });
        const mayBePublished = forward.indexOf(step) >= forward.indexOf("publish");
        expect(outcome).toBe(mayBePublished ? "rolled-back" : "failed");
        expect(custom).toMatchObject({ step: "ended", outcome, fault: { code: "TARGET_REFUSED" } });
        expect(world.broken).toEqual([]);
        expect(world.users()).toEqual(["former"]);
        expect([world.opensFormer(), world.opensCandidate()]).toEqual([true, false]);
        expect(names.at(-1)).toBe("record");
        // Never published: nobody can hold it, so it is discarded. Published: it goes through the gates of any credential.
        const published = world.versions.length > 1;
        expect(names.includes("discard")).toBe(!published && step !== "stage");
        expect(names.includes("revoke")).toBe(published);
        expect(world.newest().secret.password).toBe("former");
      }
    },
  );

  it("preflight: refused, and nothing else runs", async () => {
    const wrong = goingWrong("preflight", 1, { when: "before", fault: fault("CURRENT_LOGIN_FAILED") });
    const { names, outcome } = await rotation(wrong);
    expect(names).toEqual(["preflight", "record"]);
    expect(outcome).toBe("refused");
  });

  it("suspend and revoke: held and alerted, never turned back", async () => {
    for (const step of ["suspend", "revoke"] as const) {
      const wrong = goingWrong(step, 3, { when: "before", fault: fault("TARGET_REFUSED") });
      const { names, outcome, world } = await rotation(wrong);
      expect(names).not.toContain("restore");
      expect(names.filter((name) => name === "hold")).toHaveLength(1);
      expect(outcome).toBe("rotated");
      expect(world.broken).toEqual([]);
    }
  });
});

describe("a step that fails for a while", () => {
  const passing = [
    ["transient", fault("VAULT_UNAVAILABLE", "transient"), 4],
    ["throttled", fault("VAULT_THROTTLED", "throttled", 40), 4],
    ["propagation", fault("TARGET_FORBIDDEN", "propagation"), 4],
  ] as const;
  const steps: readonly StepName[] = ["preflight", ...forward, "suspend", "revoke", "record"];

  it.each(passing.flatMap(([kind, of, times]) => steps.map((step) => [kind, step, of, times] as const)))(
    "%s, %s: tried again until it succeeds",
    async (_, step, of, times) => {
      for (const when of ["before", "after"] as const) {
        const { calls, outcome, world } = await rotation(goingWrong(step, times, { when, fault: of }));
        expect(outcome).toBe("rotated");
        expect(world.broken).toEqual([]);
        const at = calls.filter(({ name }) => name === step).map((call) => call.at / 1000);
        const waits = at.slice(1, times + 1).map((one, n) => one - at[n]!);
        // What the service named is waited out.
        expect(Math.min(...waits)).toBeGreaterThanOrEqual(of.retryAfterSeconds ?? 2);
      }
    },
  );

  it("a Retry-After is waited out to the second, and no longer than the back-off otherwise", async () => {
    const wrong = goingWrong("set", 1, { when: "before", fault: fault("VAULT_THROTTLED", "throttled", 1234) });
    const { calls } = await rotation(wrong);
    const [first, second] = calls.filter(({ name }) => name === "set");
    // A second more, since the extension's timers end up to a second early.
    expect(second!.at - first!.at).toBe(1236_000);
  });

  it("a policy that is used up is a failure: transient half an hour, throttled two", async () => {
    for (const [of, most] of [
      [fault("VAULT_UNAVAILABLE", "transient"), 1800],
      [fault("VAULT_THROTTLED", "throttled"), 7200],
      [fault("TARGET_FORBIDDEN", "propagation"), 1800],
    ] as const) {
      const { calls, outcome, world } = await rotation(goingWrong("set", Infinity, { when: "before", fault: of }));
      const at = calls.filter(({ name }) => name === "set").map((call) => call.at / 1000);
      expect(at.at(-1)! - at[0]!).toBeLessThanOrEqual(most);
      expect(at.length).toBeLessThan(40);
      expect(outcome).toBe("failed");
      expect([world.opensFormer(), world.opensCandidate()]).toEqual([true, false]);
    }
  });

  it("a consumer that never moves: a timeout, then the way back", async () => {
    const wrong = {
      mishap: (call: { name: StepName; input: { turningBack: boolean } }) =>
        call.name === "verify" && !call.input.turningBack
          ? ({ when: "before", fault: fault("CONSUMER_NOT_MOVED", "transient") } as const)
          : undefined,
    };
    const { calls, outcome, world, custom } = await rotation(wrong);
    const at = calls.filter(({ name, input }) => name === "verify" && !input.turningBack).map((call) => call.at / 1000);
    expect(at.at(-1)! - at[0]!).toBeLessThanOrEqual(world.options.lag + 60);
    expect(outcome).toBe("rolled-back");
    expect(custom).toMatchObject({ fault: { code: "CONSUMER_NOT_MOVED" } });
    expect(world.broken).toEqual([]);
  });
});
