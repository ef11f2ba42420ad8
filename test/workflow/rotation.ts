import type { OrchestrationHandler } from "durable-functions";
import type { Fault } from "../../src/errors.ts";
import { rotate } from "../../src/workflow/rotate.ts";
import type { Reply, StepInput, StepName } from "../../src/workflow/steps.ts";
import { type Call, type Options, play, type Played, type Stage } from "./play.ts";
import { createWorld, failed, start, usual, type World, type WorldOptions } from "./world.ts";

/** How a run of an activity goes wrong: before its work, after it (the work is done, the reply says otherwise), or it runs twice. */
export type Mishap = { readonly when: "before" | "after"; readonly fault: Fault } | { readonly when: "twice" };

/** A model that steps act on: {@link World}, or another one. */
export interface Model {
  perform<S extends StepName>(name: S, input: StepInput<S>): Reply<StepName>;
  command(verb: "rollback" | "finish"): boolean;
}

export interface RotationOptions<W extends Model = World> {
  readonly world?: Partial<WorldOptions>;
  readonly input?: unknown;
  readonly mishap?: (call: Call) => Mishap | undefined;
  /** Acts before a step's work, or after it while its reply is on its way. */
  readonly before?: (call: Call, world: W, stage: Stage) => void;
  readonly after?: (call: Call, world: W, stage: Stage) => void;
  readonly agenda?: readonly { readonly at: number; act(world: W, stage: Stage): void }[];
  readonly rotate?: OrchestrationHandler;
  readonly doubled?: boolean;
  readonly mostCalls?: number;
  readonly loses?: NonNullable<Options["loses"]>;
  readonly onCheckpoint?: NonNullable<Options["onCheckpoint"]>;
}

export interface Rotated<W extends Model = World> extends Played {
  readonly world: W;
  /** The activities that ran, in order. */
  readonly names: readonly StepName[];
  readonly outcome: unknown;
}

/** Plays a whole rotation against the model of a target with two slots. */
export const rotation = async (options: RotationOptions = {}): Promise<Rotated> =>
  await rotationOf((now) => createWorld({ ...usual, ...options.world }, now), options);

/** Plays a whole rotation against a model. */
export async function rotationOf<W extends Model>(
  model: (now: () => number) => W,
  options: RotationOptions<W>,
): Promise<Rotated<W>> {
  let now = () => 0;
  const world = model(() => now());
  const { mishap, before, after, agenda = [], input = start, rotate: handler = rotate, ...rest } = options;
  const played = await play({
    ...rest,
    rotate: handler,
    input,
    agenda: agenda.map(({ at, act }) => ({
      at,
      act: (stage) => {
        now = stage.now;
        act(world, stage);
      },
    })),
    perform(call, stage) {
      now = stage.now;
      before?.(call, world, stage);
      const wrong = mishap?.(call);
      if (wrong?.when === "before") return failed(wrong.fault);
      let reply = world.perform(call.name, call.input);
      if (wrong?.when === "twice") reply = world.perform(call.name, call.input);
      after?.(call, world, stage);
      return wrong?.when === "after" ? failed(wrong.fault) : reply;
    },
  });
  const names = played.calls.map(({ name }) => name);
  const outcome = (played.output as { outcome?: unknown } | null)?.outcome ?? played.output;
  return { ...played, world, names, outcome };
}

/** A person's command: the record first, then the wake-up. */
export function ask(verb: "rollback" | "finish") {
  return (world: Model, stage: Stage) => {
    world.command(verb);
    stage.raise();
  };
}
