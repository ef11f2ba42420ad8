import type { OrchestrationContext } from "durable-functions";
import { rotate } from "../../src/workflow/rotate.ts";
import type { Outcome } from "../../src/store/types.ts";
import type { Fault } from "../../src/errors.ts";
import type { StepName } from "../../src/workflow/steps.ts";
import { type Fate, newFate } from "./process.ts";
import { Died } from "./process.ts";
import type { LifeObject, World } from "./world.ts";

// Drives the orchestration as durable does: what an activity returned is kept, and one whose process died is run again by the next.

type Wish =
  | { readonly kind: "activity"; readonly name: StepName; readonly input: unknown }
  | { readonly kind: "timer"; readonly until: Date; cancelled: boolean }
  | { readonly kind: "event"; completed: boolean }
  | { readonly kind: "any"; readonly of: readonly Wish[] };

export interface LifeOptions {
  readonly rotationId?: string;
  /** Where a process dies, once. */
  readonly fate?: Fate;
  /** The task hub dies with the process: another orchestration takes the rotation up. */
  readonly losesHub?: true;
  /** Called at each wait with the step that is shown; what it returns true for is a wake-up. */
  readonly meanwhile?: (status: { readonly step: string; readonly fault?: Fault }) => Promise<boolean>;
  /** Activities at most, so that a test ends. */
  readonly most?: number;
}

export interface Lived {
  readonly outcome: Outcome;
  readonly rotationId: string;
  /** Activities in the order in which they ended well, or for good. */
  readonly steps: readonly string[];
  readonly fault?: Fault;
  /** What failed on the way, in words; most of it was tried again. */
  readonly failures: readonly string[];
  readonly lives: number;
}

/** One rotation of the object's current version, from preflight to record. */
export async function live(
  world: World,
  object: LifeObject,
  version: string,
  options: LifeOptions = {},
): Promise<Lived> {
  const { fate = newFate(), meanwhile, most = 400, losesHub = false } = options;
  const rotationId = options.rotationId ?? `r-${world.clock.now().toString(36).padStart(9, "0")}-00000000`;
  object.command({ verb: "start", rotationId, version });
  let status: { step: string; fault?: Fault; outcome?: Outcome } = { step: "preflight" };
  let lost = false;
  const context = {
    df: {
      instanceId: object.key,
      getInput: () => ({ objectId: object.id, rotationId, ...(lost && object.state().reached && { takeUp: true }) }),
      get currentUtcDateTime() {
        return new Date(world.clock.now());
      },
      setCustomStatus(next: typeof status) {
        status = next;
        object.leave("status", next);
      },
      callActivity: (name: StepName, input: unknown): Wish => ({
        kind: "activity",
        name,
        input: JSON.parse(JSON.stringify(input)),
      }),
      createTimer(until: Date): Wish & { cancel(): void } {
        const timer = { kind: "timer" as const, until, cancelled: false };
        return Object.assign(timer, { cancel: () => void (timer.cancelled = true) });
      },
      waitForExternalEvent: (): Wish => ({ kind: "event", completed: false }),
      Task: { any: (of: readonly Wish[]): Wish => ({ kind: "any", of }) },
    },
  } as unknown as OrchestrationContext;

  let process = fate.begin();
  let { activities } = object.app();
  let lives = 1;
  const steps: string[] = [];
  const failures: string[] = [];
  const run = async (name: StepName, input: unknown): Promise<unknown> => {
    for (;;) {
      try {
        const activity = activities[name] as (given: unknown) => Promise<unknown>;
        object.leave(`input of ${name}`, input);
        const reply = await process.live(async () => await activity(input));
        object.leave(`result of ${name}`, reply);
        return JSON.parse(JSON.stringify(reply)) as unknown;
      } catch (error) {
        object.leave(`thrown by ${name}`, error instanceof Error ? `${error.stack}` : String(error));
        if (!(error instanceof Died)) throw error;
        // The next process comes up, after the leases of the dead one.
        world.clock.advance(61_000);
        process = fate.begin();
        ({ activities } = object.app());
        lives += 1;
        if (losesHub) throw error;
      }
    }
  };
  const wait = async (until: Date): Promise<boolean> => {
    if ((await meanwhile?.(status)) === true) return true;
    world.clock.advance(Math.max(0, until.getTime() - world.clock.now()));
    return false;
  };

  let flow = rotate(context);
  let turn = flow.next();
  let ran = 0;
  while (turn.done !== true) {
    const wish = turn.value as unknown as Wish;
    if (wish.kind === "activity") {
      ran += 1;
      if (ran > most) throw new Error(`More than ${most} steps; the last are ${steps.slice(-8).join(", ")}.`);
      const reply = await run(wish.name, wish.input).catch((error: unknown) => {
        if (!(error instanceof Died)) throw error;
      });
      if (reply === undefined) {
        const { phase, rotationId: last, outcome } = object.state();
        // By its record it is over: nobody takes it up.
        if (phase === "idle" && last === rotationId && outcome !== undefined)
          return { outcome, rotationId, steps, lives, failures };
        lost = true;
        flow = rotate(context);
        turn = flow.next();
        continue;
      }
      const { ok, fault, proofs } = reply as {
        ok: boolean;
        fault?: Fault;
        proofs?: { ok: boolean; name: string; detail?: string }[];
      };
      steps.push(ok ? wish.name : `${wish.name}!${fault?.code ?? "interrupted"}`);
      if (!ok && fault)
        failures.push(
          `${wish.name}: ${fault.code} ${fault.message} ${JSON.stringify(proofs?.filter((proof) => !proof.ok))}`,
        );
      turn = flow.next(reply);
    } else if (wish.kind === "timer") {
      await wait(wish.until);
      turn = flow.next();
    } else {
      if (wish.kind !== "any") throw new Error("an event is only waited for beside a timer");
      const [timer, event] = wish.of;
      if (timer?.kind !== "timer" || event?.kind !== "event") throw new Error("expected a timer and an event");
      const woken = await wait(timer.until);
      event.completed = woken;
      Object.assign(event, { isCompleted: woken });
      turn = flow.next(woken ? event : timer);
    }
  }
  const { outcome } = turn.value;
  return { outcome, rotationId, steps, lives, failures, ...(status.fault && { fault: status.fault }) };
}
