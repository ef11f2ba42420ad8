import * as fc from "fast-check";
import { expect, it } from "vitest";
import type { Fault } from "../../src/errors.ts";
import type { Call } from "./play.ts";
import type { Rotated } from "./rotation.ts";
import { disturb, event, type Event, incident, type Incident } from "./schedule.ts";
import { type VaultMade, type VaultMadeOptions, vaultMadeRotation } from "./vault-made.ts";

// Random lives of a key and of a certificate that the vault makes: merges, rollbacks, faults and crashes in whatever order.

const hour = 3600;
const day = 24 * hour;
const runs = Number(process.env["PINION_SCHEDULES"] ?? 600);

interface Schedule {
  readonly world: Partial<VaultMadeOptions>;
  readonly incidents: readonly Incident[];
  readonly events: readonly Event[];
  /** Seconds after the start at which somebody merges, whatever there is to merge. */
  readonly merges: readonly number[];
}

const schedules: fc.Arbitrary<Schedule> = fc.record({
  world: fc.record({
    kind: fc.constantFrom("certificate", "key"),
    reads: fc.array(fc.constantFrom("pinned", "latest"), { minLength: 1, maxLength: 3 }),
    lag: fc.constantFrom(60, 3 * hour),
    pickup: fc.constantFrom(0, 45),
    grace: fc.constantFrom(0, hour, day),
    maxHold: fc.constantFrom(hour, 2 * day),
    mergedAfter: fc.constantFrom(0, 30, 5 * hour, Number.POSITIVE_INFINITY),
    issueSeconds: fc.constantFrom(hour, 6 * hour),
  }),
  incidents: fc.array(incident, { maxLength: 8 }),
  events: fc.array(event, { maxLength: 4 }),
  merges: fc.array(fc.nat(2 * day), { maxLength: 2 }),
});

const live = async ({ world, merges, ...rest }: Schedule): Promise<Rotated<VaultMade>> => {
  const { agenda = [], ...disturbed } = disturb<VaultMade>(rest);
  return await vaultMadeRotation({
    world,
    mostCalls: 400,
    ...disturbed,
    agenda: [
      ...agenda,
      ...merges.map((at) => ({
        at,
        act(model: VaultMade, stage: { raise(): void }) {
          if (model.merge()) stage.raise();
        },
      })),
    ],
  });
};

/** What must hold of every life; empty when it does. */
function faultsOf({ world, outcome, status, custom, calls }: Rotated<VaultMade>): string[] {
  const found = [...world.broken];
  const must = (what: string, holds: boolean) => void (holds || found.push(what));
  const { current, newest, ours, followed, users, versions, state } = world;
  const recorded = status === "Completed";
  const fault = (custom as { fault?: Fault } | null)?.fault;
  const ran = (name: Call["name"]) => calls.some((call) => call.name === name);
  const on = (reads: "pinned" | "latest", carries: string) =>
    users().every((one) => one.reads !== reads || one.carries === carries);
  must("it ends, unless its record cannot be written", recorded || /failed: record:/.test(String(outcome)));
  must("the outcome agrees with the evidence", !recorded || state.ended === outcome);
  must("the newest version is enabled", newest().enabled);
  must("a newest version that is not current says so", newest() === current() || newest().withdrawn);
  must("few activities", calls.length < 300);
  must(
    "a rollback that was taken is never a completed rotation",
    !(state.rollbackTaken && (outcome === "rotated" || outcome === "kept")),
  );
  if (outcome === "rotated" || outcome === "kept") {
    must("rotated: the candidate is current", current() === ours() && newest() === ours());
    must("rotated: nothing waits", state.pendingSince === undefined);
    must(
      "rotated: a key's former version serves, a certificate's is disabled",
      outcome === "kept" || versions[0]!.enabled === (world.options.kind === "key"),
    );
  }
  if (outcome === "rotated")
    must("rotated: every consumer has it", on("pinned", "candidate") && on("latest", "candidate"));
  if (outcome === "rolled-back") {
    must(
      "rolled back: nothing waits, and no placeholder is newest",
      state.pendingSince === undefined && !state.uncovered,
    );
    must(
      "rolled back: the pinned ones name the former version",
      world.given("pinned").every((one) => one === "v1"),
    );
    const stay = followed && ours() !== undefined && newest() === ours();
    must(
      "rolled back: the former one is current, or readers stay on the newest",
      stay || current().carries === "former",
    );
    must(
      "rolled back: who follows the newest gets it",
      world.given("latest").every((one) => one === newest().id),
    );
    must("rolled back: the former version is enabled", versions[0]!.enabled);
  }
  if (outcome === "failed" && !ran("republish") && ran("abandon") && fault?.code === "ISSUANCE_PENDING") {
    must("nobody came: nothing waits", state.pendingSince === undefined && !state.uncovered);
    must("nobody came: the former version is current", current().carries === "former" || followed);
  }
  if (outcome === "refused")
    must("refused: nothing was changed", versions.length === 1 && state.pendingSince === undefined);
  return found;
}

it(
  "whatever the order of merges, rollbacks and crashes: one version, and the current one is whose consumers are on it",
  { timeout: 300_000 },
  async () => {
    const outcomes = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(schedules, async (schedule) => {
        const ended = await live(schedule);
        expect(faultsOf(ended)).toEqual([]);
        const outcome = String(ended.outcome);
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }),
      { numRuns: runs, seed: 20_270_102 },
    );
    // The schedules reach every way to end.
    expect([...outcomes.keys()]).toEqual(
      expect.arrayContaining(["rotated", "rolled-back", "failed", "refused", "kept"]),
    );
  },
);
