import type { OrchestrationHandler } from "durable-functions";
import * as fc from "fast-check";
import type { Fault } from "../../src/errors.ts";
import type { Options } from "./play.ts";
import { ask, type Mishap, type Model, rotation, type RotationOptions, type Rotated } from "./rotation.ts";
import { fault, type World, type WorldOptions } from "./world.ts";

// Random lives of a rotation: what goes wrong and what people do, as data, so that a failing one can be made small and run again.

const hour = 3600;
const day = 24 * hour;

/** What happens at the n-th activity of a life; the life goes by call, so that a small schedule stays meaningful. */
export interface Incident {
  readonly at: number;
  readonly what:
    | { readonly kind: "fault"; readonly when: "before" | "after"; readonly fault: Fault }
    | { readonly kind: "twice" }
    | {
        readonly kind: "command";
        readonly verb: "rollback" | "finish";
        readonly when: "before" | "after";
        readonly wakes: boolean;
      }
    | { readonly kind: "slow"; readonly seconds: number }
    | { readonly kind: "forged" };
}

/** What happens at a time, in seconds after the start. */
export interface Event {
  readonly at: number;
  readonly what: "rollback" | "finish" | "forged" | "in use" | "idle" | "shut" | "open";
}

/** What the events of a schedule change in a model, in milliseconds since 1970. */
export interface Disturbed extends Model {
  readonly state: { usedUntil: number; shutUntil: number };
}

export interface Schedule {
  readonly world: Partial<WorldOptions>;
  readonly incidents: readonly Incident[];
  readonly events: readonly Event[];
}

const faults = fc.constantFrom(
  fault("TARGET_REFUSED"),
  fault("VAULT_UNAVAILABLE", "transient"),
  fault("DEADLINE_EXCEEDED", "transient"),
  fault("VAULT_THROTTLED", "throttled", 90),
  fault("TARGET_FORBIDDEN", "propagation"),
);
const moment = fc.constantFrom("before", "after");
const verb = fc.constantFrom("rollback", "finish");

export const incident: fc.Arbitrary<Incident> = fc.record({
  at: fc.nat(40),
  what: fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("fault"), when: moment, fault: faults }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("twice") }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("command"), verb, when: moment, wakes: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("slow"), seconds: fc.nat(2 * hour) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("forged") }) },
  ),
});

export const event: fc.Arbitrary<Event> = fc.record({
  at: fc.oneof(fc.nat(2 * hour), fc.nat(4 * day)),
  what: fc.constantFrom("rollback", "finish", "forged", "in use", "idle", "shut", "open"),
});

export const schedules: fc.Arbitrary<Schedule> = fc.record({
  world: fc.record({
    strategy: fc.constantFrom("alternating", "in-place"),
    reads: fc.array(fc.constantFrom("pinned", "latest"), { minLength: 1, maxLength: 3 }),
    lag: fc.constantFrom(0, 60, 3 * hour),
    grace: fc.constantFrom(0, hour, day),
    watch: fc.constantFrom(0, 20 * 60),
    idleFor: fc.constantFrom(0, 300),
    maxHold: fc.constantFrom(hour, 2 * day),
    validations: fc.integer({ min: 1, max: 3 }),
    pickup: fc.constantFrom(0, 45),
  }),
  incidents: fc.array(incident, { maxLength: 8 }),
  events: fc.array(event, { maxLength: 4 }),
});

/** Lives one schedule. */
export async function live(
  schedule: Schedule,
  handler?: OrchestrationHandler,
  watch?: Partial<Options>,
): Promise<Rotated> {
  const { lag = 0, pickup = 0 } = schedule.world;
  return rotation({
    world: { ...schedule.world, pickup: Math.min(lag, pickup) },
    mostCalls: 400,
    ...(handler && { rotate: handler }),
    ...(watch?.onCheckpoint && { onCheckpoint: watch.onCheckpoint }),
    ...disturb<World>(schedule),
  });
}

/** What the incidents and events of a schedule do to a rotation. */
export function disturb<W extends Disturbed>({
  incidents,
  events,
}: Pick<Schedule, "incidents" | "events">): Pick<RotationOptions<W>, "before" | "after" | "mishap" | "agenda"> {
  let n = -1;
  const here = () => incidents.filter(({ at }) => at === n).map(({ what }) => what);
  return {
    before(_, world, stage) {
      n++;
      for (const what of here()) {
        if (what.kind === "slow") stage.pass(what.seconds * 1000);
        if (what.kind === "forged") stage.raise();
        if (what.kind === "command" && what.when === "before") command(what, world, stage);
      }
    },
    after(_, world, stage) {
      for (const what of here()) if (what.kind === "command" && what.when === "after") command(what, world, stage);
    },
    mishap(): Mishap | undefined {
      const wrong = here().find(({ kind }) => kind === "fault" || kind === "twice");
      if (wrong?.kind === "fault") return { when: wrong.when, fault: wrong.fault };
      return wrong && { when: "twice" };
    },
    agenda: events.map(({ at, what }) => ({
      at,
      act(world, stage) {
        if (what === "rollback" || what === "finish") ask(what)(world, stage);
        else if (what === "forged") stage.raise();
        else if (what === "in use" || what === "idle")
          world.state.usedUntil = what === "in use" ? stage.now() + day * 1000 : 0;
        else world.state.shutUntil = what === "shut" ? stage.now() + day * 1000 : 0;
      },
    })),
  };
}

function command(
  { verb, wakes }: Extract<Incident["what"], { kind: "command" }>,
  world: Model,
  stage: { raise(): void },
): void {
  world.command(verb);
  if (wakes) stage.raise();
}

/** What must hold of every life; empty when it does. */
export function faultsOf(
  { incidents }: Schedule,
  { world, outcome, status, statusBytes, custom, calls }: Rotated,
): string[] {
  const found = [...world.broken];
  const must = (what: string, holds: boolean) => void (holds || found.push(what));
  const [former, candidate] = [world.opensFormer(), world.opensCandidate()];
  const current = world.newest().secret.password;
  const blocked = (custom as { fault?: Fault } | null)?.fault !== undefined;
  // A record that cannot be written fails the instance, visibly.
  const recorded = status === "Completed";
  const calm = incidents.every(({ what }) => what.kind !== "fault");
  must("it ends, unless its record cannot be written", recorded || /failed: record:/.test(String(outcome)));
  must("where nothing goes wrong nothing fails", !calm || outcome !== "failed");
  must("the outcome agrees with the evidence", !recorded || world.state.ended === outcome);
  must("the newest version is enabled", world.newest().enabled);
  must("a status under 16 KB", statusBytes < 16_384);
  must("few activities", calls.length < 300);
  must(
    "a rollback that was taken is never a completed rotation",
    !(world.state.rollbackTaken && (outcome === "rotated" || outcome === "kept")),
  );
  must(
    "a rotation that was not asked back and had no fault completes",
    blocked || world.state.rollbackTaken || outcome === "rotated" || !recorded,
  );
  if (outcome === "rotated") {
    must("rotated: only the candidate is alive", !former && candidate);
    must(
      "rotated: the newest version and every consumer have it",
      current === "candidate" && world.users().every((one) => one === current),
    );
  }
  if (outcome === "rolled-back") {
    must("rolled back: the former one is alive", former);
    must(
      "rolled back: the newest version and every consumer have it",
      current === "former" && world.users().every((one) => one === current),
    );
    must("rolled back without a fault: the candidate is dead", blocked || !candidate);
  }
  if (outcome === "kept") must("kept: the candidate is current", candidate && current === "candidate");
  if (outcome === "failed" && world.options.strategy === "alternating")
    must("failed: somebody can log in with the newest version", current === "former" ? former : candidate);
  if (outcome === "refused")
    must("refused: nothing was changed", former && world.versions.length === 1 && !world.state.staged);
  return found;
}
