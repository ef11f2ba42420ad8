import { TableClient } from "@azure/data-tables";
import { BlobServiceClient } from "@azure/storage-blob";
import { type Call, type Phase, phases } from "./edge/index.ts";
import { checkRotated, look } from "./promise.ts";
import { drive, startRotation } from "./rotation.ts";
import { loseHub, sweepNow } from "./lost-hub.ts";
import { openWorld, type Subject, type World, type WorldOptions } from "./world.ts";

/** A moment of a rotation: the n-th call of a name, and on which side of it the process dies. */
export interface Point {
  readonly name: string;
  readonly nth: number;
  readonly phase: Phase;
  /** Only a process that has just started, with nothing in its storage, makes this call. */
  readonly cold: boolean;
  /** How often the rotation did not come by. */
  readonly tried: number;
  /** The task hub is lost with the process; the sweep comes after the restart. */
  readonly losesHub?: true;
}

/** What a kill at a point led to. `unreached`: this time the rotation made no such call. */
export type Verdict = { readonly point: Point } & (
  | { readonly kind: "held" | "unreached" }
  | { readonly kind: "broken"; readonly faults: readonly string[] }
);

export interface CleanRun {
  readonly calls: readonly Call[];
  readonly activities: readonly string[];
  readonly seconds: number;
}

/** One rotation without any fault. */
export async function runClean(world: World, subject: Subject): Promise<CleanRun> {
  const before = await look(world, subject);
  world.edge.reset();
  const began = performance.now();
  const ended = await drive(world, subject, await startRotation(world, subject, before.version));
  const seconds = (performance.now() - began) / 1000;
  const calls = [...world.edge.calls];
  const { faults } = await checkRotated(world, subject, before, ended);
  if (faults.length > 0) throw new Error(`An undisturbed rotation did not hold:\n${faults.join("\n")}`);
  const history = (await world.instance(subject, true))?.historyEvents ?? [];
  const activities = history.flatMap((row) => (row.EventType === "TaskCompleted" ? [row.FunctionName ?? ""] : []));
  return { calls, activities, seconds };
}

/** Every point of the calls of a first rotation of a process and of a later one. */
export function pointsOf(cold: readonly Call[], warm: readonly Call[]): Point[] {
  const known = new Set(warm.map(({ name, nth }) => `${name} ${nth}`));
  const all = [...warm, ...cold.filter(({ name, nth }) => !known.has(`${name} ${nth}`))];
  return all.flatMap(({ name, nth }) =>
    phases.map((phase) => ({ name, nth, phase, cold: !known.has(`${name} ${nth}`), tried: 0 })),
  );
}

/** What is run and judged; `counted` is called when the calls that matter begin. Returns what does not hold. */
export type Trial = (world: World, subject: Subject, counted: () => void) => Promise<readonly string[]>;

/** A rotation from start to end. */
export const rotation: Trial = async (world, subject, counted) => {
  const before = await look(world, subject);
  counted();
  const ended = await drive(world, subject, await startRotation(world, subject, before.version));
  return (await checkRotated(world, subject, before, ended)).faults;
};

/** Runs a trial, kills the process at the point, brings it back and judges the end. */
export async function killAt(world: World, subject: Subject, point: Point, trial: Trial = rotation): Promise<Verdict> {
  const { edge } = world;
  if (point.cold) {
    await world.kill();
    await forget(world);
    await world.revive();
  }
  let revived: Promise<void> | undefined;
  const counted = () => {
    edge.reset();
    edge.on(({ name, nth }) => {
      if (name !== point.name || nth !== point.nth) return undefined;
      // Once: what comes after the restart is let through.
      edge.on(undefined);
      const kill = async () => {
        await world.kill();
        if (point.losesHub) await loseHub(world);
        revived = world.revive().then(async () => {
          if (point.losesHub) await sweepNow(world);
        });
      };
      return { kill, when: point.phase };
    });
  };
  try {
    const faults = await trial(world, subject, counted);
    edge.on(undefined);
    await revived;
    if (faults.length > 0) return { point, kind: "broken", faults };
    return { point, kind: revived === undefined ? "unreached" : "held" };
  } catch (error) {
    return { point, kind: "broken", faults: [String(error)] };
  }
}

/** A point whose call is not made this time (the roles take turns, a wait was shorter) is tried so often. */
const tries = 6;

/** Takes away what only a first rotation makes: the containers of leases and evidence, and the table with every record. */
async function forget({ cloud }: World): Promise<void> {
  const { connectionString } = cloud.azurite;
  const blobs = BlobServiceClient.fromConnectionString(connectionString);
  for (const name of ["pinion-leases", "pinion-evidence"]) await blobs.getContainerClient(name).deleteIfExists();
  const records = TableClient.fromConnectionString(connectionString, "PinionRecords", {
    allowInsecureConnection: true,
  });
  await records.deleteTable();
}

/** Worlds side by side: a rotation mostly waits. */
const lanes = 4;
/** Points between two lines of progress. */
const progressEvery = 50;

/** Kills at every point of a list, and says how far it is. */
export async function killAll(
  subject: Subject,
  points: readonly Point[],
  trial: Trial = rotation,
  options: WorldOptions = {},
): Promise<readonly Verdict[]> {
  const left = [...points];
  const verdicts: Verdict[] = [];
  const tell = (verdict: Verdict) => {
    verdicts.push(verdict);
    if (verdict.kind === "broken") console.log(`did not hold: ${describeBroken(verdict)}`);
    if (verdicts.length % progressEvery === 0)
      console.log(`${subject.strategy}: ${verdicts.length} of ${points.length} points`);
  };
  await Promise.all(Array.from({ length: lanes }, () => killLane(subject, left, tell, trial, options)));
  return verdicts;
}

export const describeBroken = (verdict: Verdict): string =>
  verdict.kind === "broken" ? `${describePoint(verdict.point)}: ${verdict.faults.join("; ")}` : "";

/** Takes points off a list until it is empty, in a world of its own; a broken world is left behind for a new one. */
async function killLane(
  subject: Subject,
  points: Point[],
  tell: (verdict: Verdict) => void,
  trial: Trial,
  options: WorldOptions,
): Promise<void> {
  let world = await openWorld(options);
  for (let point = points.shift(); point !== undefined; point = points.shift()) {
    const verdict = await killAt(world, subject, point, trial);
    const again = verdict.kind === "unreached" && point.tried < tries;
    if (again) points.push({ ...point, tried: point.tried + 1 });
    else tell(verdict);
    if (verdict.kind !== "broken") continue;
    await world.close().catch(() => undefined);
    world = await openWorld(options);
  }
  await world.close();
}

/** `before vault PUT /secrets/orders-db #1` */
export function describePoint({ name, nth, phase }: Point): string {
  return `${phase} ${name} #${nth}`;
}
