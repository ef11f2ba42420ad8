import { describe, expect, it } from "vitest";
import type { StepName } from "../../src/workflow/steps.ts";
import { ask, rotation } from "./rotation.ts";
import { fault } from "./world.ts";

const strategies = ["alternating", "in-place"] as const;
const day = 86_400;

type Ended = Awaited<ReturnType<typeof rotation>>;

function expectAsBefore({ world, outcome }: Ended): void {
  expect(outcome).toBe("rolled-back");
  expect(world.broken).toEqual([]);
  expect(world.newest().secret.password).toBe("former");
  expect(world.users()).toEqual(world.users().map(() => "former"));
  expect([world.opensFormer(), world.opensCandidate()]).toEqual([true, false]);
}

describe("a rollback that is asked for", () => {
  const points: readonly StepName[] = ["stage", "set", "validate", "publish", "cutover", "verify", "suspend", "revoke"];

  it.each(strategies.flatMap((strategy) => points.map((point) => [strategy, point] as const)))(
    "%s, before, during or right after %s",
    async (strategy, point) => {
      if (strategy === "in-place" && point === "suspend") return;
      for (const moment of ["before", "after"] as const) {
        // What was revoked stays revoked: the API refuses the command then.
        if (point === "revoke" && moment === "after") continue;
        const ended = await rotation({
          world: { strategy },
          [moment]: ({ name, nth }: { name: string; nth: number }, ...on: Parameters<ReturnType<typeof ask>>) => {
            if (name === point && nth === 1) ask("rollback")(...on);
          },
        });
        expectAsBefore(ended);
        expect(ended.custom).not.toHaveProperty("fault");
      }
    },
  );

  it.each([
    ["between two validations", 40, { validations: 3 }],
    ["in the grace", day / 2, {}],
    ["while the old credential must be seen idle", day + 500, {}],
    ["in the watch", day + 1500, {}],
    ["for readers of latest", day / 2, { reads: ["latest", "pinned"] as const }],
  ])("%s", async (_, at, world) => {
    const ended = await rotation({ world, agenda: [{ at, act: ask("rollback") }] });
    expectAsBefore(ended);
    expect(ended.seconds).toBeLessThan(at + 8000);
  });

  it("is heard when it comes while a rotation that kept the old credential is being recorded", async () => {
    const ended = await rotation({
      agenda: [{ at: 60, act: ({ state }) => (state.usedUntil = Infinity) }],
      before({ name, input, nth }, world) {
        if (name === "hold" && nth === 2 && "escalate" in input) world.command("rollback");
      },
      after({ name }, { state }) {
        if (name === "restore") state.usedUntil = 0;
      },
    });
    expect(ended.outcome).toBe("rolled-back");
    expectAsBefore(ended);
  });

  it("lifts the suspension first", async () => {
    const { names } = await rotation({ agenda: [{ at: day + 1500, act: ask("rollback") }] });
    const back = names.slice(names.indexOf("hear") + 1);
    expect(back.filter((name, n) => name !== back[n - 1])).toEqual([
      "resume",
      "restore",
      "retreat",
      "republish",
      "verify",
      "suspend",
      "watch",
      "revoke",
      "record",
    ]);
  });

  it("lifts the suspension first, even one whose reply never came", async () => {
    const ended = await rotation({
      mishap: ({ name, nth, input }) =>
        name === "suspend" && nth >= 2 && !input.turningBack
          ? { when: "after", fault: fault("TARGET_REFUSED") }
          : undefined,
      agenda: [{ at: day + 2 * 3600, act: ask("rollback") }],
    });
    expectAsBefore(ended);
    expect(ended.names).toContain("resume");
  });

  it("is heard in a hold", async () => {
    const ended = await rotation({
      agenda: [
        { at: 60, act: (world) => (world.state.usedUntil = Infinity) },
        { at: 3 * day, act: (world) => (world.state.usedUntil = 0) },
        { at: 3 * day + 1, act: ask("rollback") },
      ],
    });
    expectAsBefore(ended);
    expect(ended.seconds).toBeLessThan(3 * day + 8000);
  });

  it.each([
    ["preflight", 0],
    ["publish", 3],
    ["cutover", 5],
  ] as const)("is heard while %s waits for its window", async (step, from) => {
    const ended = await rotation({
      agenda: [
        { at: from, act: (world) => (world.state.shutUntil = Date.parse("2027-01-20")) },
        { at: 2 * day, act: ask("rollback") },
        // The way back needs no window to begin, only for the end of a credential that was published.
        { at: 3 * day, act: (world) => (world.state.shutUntil = 0) },
      ],
    });
    expect(ended.names).toContain(step);
    expect(ended.seconds).toBeLessThan(22 * day);
    expectAsBefore(ended);
  });

  it("is heard though its wake-up came while a step ran and an earlier wait had ended", async () => {
    // The wait between the validations leaves a waiter behind, and the event comes after verify has read the commands.
    const ended = await rotation({
      world: { validations: 2, grace: 30 * day, pickup: 0 },
      after: ({ name, nth }, world, stage) => {
        if (name === "verify" && nth === 1) ask("rollback")(world, stage);
      },
    });
    expectAsBefore(ended);
    expect(ended.seconds).toBeLessThan(day);
  });
});

describe("rollback and finish", () => {
  it.each([
    ["rollback, then finish", ["rollback", "finish"]],
    ["finish, then rollback", ["finish", "rollback"]],
  ] as const)("%s: rollback wins", async (_, verbs) => {
    const ended = await rotation({
      agenda: [{ at: day / 2, act: (world, stage) => verbs.forEach((verb) => ask(verb)(world, stage)) }],
    });
    expectAsBefore(ended);
    expect(ended.names).toContain("restore");
  });

  it("rollback wins until the recorded point of no return, and is refused after it", async () => {
    for (const moment of ["before", "after"] as const) {
      let taken: boolean | undefined;
      const ended = await rotation({
        agenda: [{ at: day / 2, act: ask("finish") }],
        [moment]: ({ name }: { name: string }, ...on: Parameters<ReturnType<typeof ask>>) => {
          if (name !== "revoke" || taken !== undefined) return;
          taken = on[0].command("rollback");
          on[1].raise();
        },
      });
      expect(taken).toBe(moment === "before");
      expect(ended.outcome).toBe(taken ? "rolled-back" : "rotated");
      expect(ended.world.broken).toEqual([]);
    }
  });

  it("a finish ends the grace, but never the consumers' lag, the watch, or the time to be seen idle", async () => {
    const { world, outcome, calls } = await rotation({
      world: { grace: 30 * day, pickup: 1 },
      agenda: [20, 200, 700, 900, 1100, 1300].map((at) => ({ at, act: ask("finish") })),
    });
    expect(outcome).toBe("rotated");
    expect(world.broken).toEqual([]);
    const at = (name: string) => calls.filter((call) => call.name === name).map((call) => call.at / 1000);
    expect(at("suspend")[0]! - at("cutover")[0]!).toBeGreaterThanOrEqual(world.options.lag);
    expect(at("revoke")[0]! - at("suspend").at(-1)!).toBeGreaterThanOrEqual(world.options.watch);
  });

  it("a finish that comes before the grace ends it all the same", async () => {
    const { seconds, outcome } = await rotation({
      world: { grace: 30 * day, validations: 3 },
      agenda: [{ at: 40, act: ask("finish") }],
    });
    expect(outcome).toBe("rotated");
    expect(seconds).toBeLessThan(day);
  });
});

describe("the way back", () => {
  it("is not cut short or begun again by further commands and wake-ups", async () => {
    const at = day / 2;
    const quiet = await rotation({ agenda: [{ at, act: ask("rollback") }] });
    const loud = await rotation({
      agenda: [at, ...Array.from({ length: 60 }, (_, n) => at + 20 * n)].map((one) => ({
        at: one,
        act: ask("rollback"),
      })),
    });
    expectAsBefore(loud);
    expect(loud.names).toEqual(quiet.names);
    expect(loud.seconds).toBe(quiet.seconds);
  });

  it("fetches twice for readers of latest, once before and once after the former value is the newest again", async () => {
    const asked = { agenda: [{ at: day / 2, act: ask("rollback") }] };
    const count = async (reads: readonly ("pinned" | "latest")[]) =>
      (await rotation({ world: { reads }, ...asked })).names.filter((name) => /retreat|republish/.test(name));
    expect(await count(["pinned"])).toEqual(["retreat", "republish"]);
    expect(await count(["pinned", "latest"])).toEqual(["retreat", "republish", "retreat"]);
  });

  const back = ["resume", "restore", "retreat", "republish", "verify", "suspend", "revoke"] as const;
  it.each(back)("%s fails for good: nobody is locked out, and a person is told", async (step) => {
    for (const when of ["before", "after"] as const) {
      const { world, outcome, custom, names } = await rotation({
        agenda: [{ at: day + 1500, act: ask("rollback") }],
        mishap: ({ name, input }) =>
          name === step && input.turningBack ? { when, fault: fault("TARGET_REFUSED") } : undefined,
      });
      expect(world.broken).toEqual([]);
      expect(outcome).toBe(step === "suspend" || step === "revoke" ? "rolled-back" : "failed");
      expect(custom).toMatchObject({ outcome, fault: { code: "TARGET_REFUSED" } });
      expect(names.at(-1)).toBe("record");
    }
  });

  it("discard fails for good: the credential in use is untouched", async () => {
    const { world, outcome, custom } = await rotation({
      mishap: ({ name }) =>
        name === "validate" || name === "discard" ? { when: "before", fault: fault("TARGET_REFUSED") } : undefined,
    });
    expect([outcome, world.opensFormer(), world.newest().id]).toEqual(["failed", true, "v1"]);
    expect(custom).toMatchObject({ fault: { code: "TARGET_REFUSED" } });
  });

  it("leaves a version that somebody wrote by hand alone, and both credentials alive", async () => {
    const { world, outcome, custom } = await rotation({
      agenda: [
        { at: day / 2, act: (world) => void world.writeByHand() },
        { at: day / 2 + 1, act: ask("rollback") },
      ],
    });
    expect(outcome).toBe("failed");
    expect(custom).toMatchObject({ fault: { code: "OUT_OF_BAND_CHANGE" } });
    expect(world.broken).toEqual([]);
    expect([world.opensFormer(), world.opensCandidate()]).toEqual([true, true]);
  });
});
