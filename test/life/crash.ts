import { live, type LifeOptions, type Lived } from "./live.ts";
import { newFate, phases, type Call, type Point } from "./process.ts";
import type { Arm } from "../../src/azure/arm.ts";
import { openObject, type LifeObject, type ObjectOptions, type World } from "./world.ts";

/** What dies: one object with its first version, and what must hold at the end. */
export interface Dying {
  readonly object: ObjectOptions["object"] | ((world: World, name: string) => ObjectOptions["object"]);
  /** Makes the first version, and whatever else is outside; its id. */
  first(world: World, name: string): Promise<string>;
  /** Everything that does not hold, in words. */
  faults(world: World, object: LifeObject, lived: Lived, source: string): Promise<readonly string[]>;
  readonly arm?: (world: World, name: string) => Arm;
  readonly options?: (world: World, object: LifeObject, source: string) => LifeOptions;
  /** Calls at which nothing dies, since dying at the next one is the same. */
  readonly spares?: (call: Call) => boolean;
  /** Ends what it opened outside. */
  close?(): Promise<void>;
}

export interface Verdict {
  readonly point: Point;
  readonly reached: boolean;
  readonly faults: readonly string[];
}

let made = 0;
const newName = (): string => `dying-${(made += 1)}`;

/** The calls of a rotation that nothing disturbs; throws where even that does not hold. */
export async function callsOf(world: World, dying: Dying): Promise<readonly Call[]> {
  const fate = newFate();
  const faults = await once(world, dying, fate);
  if (faults.length > 0) throw new Error(`An undisturbed rotation did not hold: ${faults.join("; ")}`);
  return fate.calls;
}

/** What dies: the process, on each side of a call; or, once it has begun, the task hub with it. */
export type Loss = "process" | "hub";

/** Dies at every outside call, one rotation each. `calls` from {@link callsOf}. */
export async function dieEverywhere(
  world: World,
  dying: Dying,
  calls: readonly Call[],
  loss: Loss = "process",
): Promise<readonly Verdict[]> {
  const verdicts: Verdict[] = [];
  for (const { name, nth } of calls.filter((call) => dying.spares?.(call) !== true)) {
    for (const phase of loss === "hub" ? (["work"] as const) : phases) {
      const fate = newFate({ name, nth, phase });
      const faults = await once(world, dying, fate, loss).catch((error: unknown) => [String(error)]);
      verdicts.push({ point: { name, nth, phase }, reached: fate.struck(), faults });
    }
  }
  return verdicts;
}

async function once(
  world: World,
  dying: Dying,
  fate: ReturnType<typeof newFate>,
  loss: Loss = "process",
): Promise<readonly string[]> {
  const name = newName();
  const source = await dying.first(world, name);
  const declared = typeof dying.object === "function" ? dying.object(world, name) : dying.object;
  const arm = dying.arm?.(world, name);
  const object = openObject(world, { name, object: declared, ...(arm && { arm }) });
  const options = {
    ...dying.options?.(world, object, source),
    fate,
    ...(loss === "hub" && { losesHub: true as const }),
  };
  const lived = await live(world, object, source, options);
  return await dying.faults(world, object, lived, source);
}

export const describeVerdict = ({ point, faults }: Verdict): string =>
  `${point.phase} ${point.name} #${point.nth}: ${faults.join("; ")}`;

/** `GET certificates/{object}/pending`: without hosts, versions and names, so that two rotations are counted alike. */
export function nameOf(method: string, { pathname }: URL): string {
  const path = pathname
    .replace(/\/+$/, "")
    .replaceAll(/\/dying-\d+/g, "/{object}")
    .replaceAll(/\/pinion-stage-[0-9a-f]+/g, "/{staging}")
    .replaceAll(/\/[0-9a-f]{32}/g, "/{version}")
    // Resources of a CA.
    .replace(/^\/(orders?|authz|challenge|finalize|cert|account|ari)\/[\w.-]+$/, "/$1/{id}");
  return `${method} ${path}`;
}
