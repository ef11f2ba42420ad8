import type { OrchestrationHandler } from "durable-functions";
import type { Fault } from "../../src/errors.ts";
import { rotate } from "../../src/workflow/rotate.ts";
import type { StepName } from "../../src/workflow/steps.ts";
import { type Call, type Options, play, type Played, type Stage } from "./play.ts";
import { createWorld, failed, start, usual, type World, type WorldOptions } from "./world.ts";

/** How a run of an activity goes wrong: before its work, after it (the work is done, the reply says otherwise), or it runs twice. */
export type Mishap = { readonly when: "before" | "after"; readonly fault: Fault } | { readonly when: "twice" };

export interface RotationOptions {
  readonly world?: Partial<WorldOptions>;
  readonly input?: unknown;
  readonly mishap?: (call: Call) => Mishap | undefined;
  /** Acts before a step's work, or after it while its reply is on its way. */
  readonly before?: (call: Call, world: World, stage: Stage) => void;
  readonly after?: (call: Call, world: World, stage: Stage) => void;
  readonly agenda?: readonly { readonly at: number; act(world: World, stage: Stage): void }[];
  readonly rotate?: OrchestrationHandler;
  readonly doubled?: boolean;
  readonly mostCalls?: number;
  readonly onCheckpoint?: NonNullable<Options["onCheckpoint"]>;
}

export interface Rotated extends Played {
  readonly world: World;
  /** The activities that ran, in order. */
  readonly names: readonly StepName[];
  readonly outcome: unknown;
}

/** Plays a whole rotation against a model of the world. */
export async function rotation(options: RotationOptions = {}): Promise<Rotated> {
  let now = () => 0;
  const world = createWorld({ ...usual, ...options.world }, () => now());
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
  return (world: World, stage: Stage) => {
    world.command(verb);
    stage.raise();
  };
}
