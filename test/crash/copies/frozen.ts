import { setTimeout as delay } from "node:timers/promises";
import type { Call } from "../edge/index.ts";
import { checkRotated, clean, look, versionsOf } from "../promise.ts";
import { drive, startRotation } from "../rotation.ts";
import { openWorld, type Subject, type World } from "../world.ts";
import { openSecond, type Second } from "./second.ts";
import { openTurnstile, type Turnstile } from "./turnstile.ts";

/** A call at which a first copy freezes: the n-th of its name in the activity. */
interface Spot {
  readonly name: string;
  readonly nth: number;
}

interface Frozen {
  readonly what: string;
  release(): void;
}

/** When the frozen copies go on: when this step is over, or in the midst of the next rotation. */
export type Release = string;
export const nextRotation: Release = "the next rotation";

/** A lease, and a bit more. */
const leaseIsOver = 61_000;
/** A released copy that makes no call for so many real milliseconds has ended, or waits for another one. */
const silence = 150;

const changing =
  /^(vault (PUT|PATCH)|arm (PUT|POST .*refresh)|table (PUT|POST|MERGE)|blob PUT|topic POST)|ALTER ROLE|^postgres query BEGIN ISO/;
/** The roles take turns. */
const roleless = (name: string): string => name.replace(/_[ab]\b/g, "_?");

/** The steps of a rotation, each with the calls that a copy of it freezes at: its first one, and every one that changes something. */
export async function learnSpots(world: World, turnstile: Turnstile, subject: Subject): Promise<Map<string, Spot[]>> {
  const spots = new Map<string, Spot[]>();
  let from = 0;
  world.edge.reset();
  turnstile.before(() => void (from = world.edge.calls.length));
  turnstile.after(({ name }) => {
    const counted = new Map<string, number>();
    const found: Spot[] = [];
    for (const [at, call] of world.edge.calls.slice(from).entries()) {
      const plain = roleless(call.name);
      const nth = (counted.get(plain) ?? 0) + 1;
      counted.set(plain, nth);
      if (at === 0 || changing.test(call.name)) found.push({ name: plain, nth });
    }
    spots.set(name, found);
  });
  const { version } = await look(world, subject);
  await drive(world, subject, await startRotation(world, subject, version));
  turnstile.before(() => undefined);
  turnstile.after(() => undefined);
  return spots;
}

/**
 * One rotation in which a first copy of every step up to `release` froze before one of its calls, once for each of its spots, and
 * outlived its lease; all of them go on at `release`. Then a second rotation. Returns what did not hold in either.
 */
export async function releaseFrozen(
  subject: Subject,
  releases: readonly Release[],
  app?: string,
): Promise<readonly string[]> {
  const turnstile = await openTurnstile(app);
  const world = await openWorld({ app: turnstile.app, env: turnstile.env });
  const second = await openSecond(world, app);
  const broken: string[] = [];
  try {
    const spots = await learnSpots(world, turnstile, subject);
    for (const release of releases) {
      const faults = await releaseAt({ world, turnstile, second, subject, spots, release });
      broken.push(...faults.map((fault) => `released after ${release}: ${fault}`));
      // What is broken stays broken.
      if (faults.length > 0) break;
    }
  } finally {
    turnstile.before(() => undefined);
    await second.close();
    await world.close();
    await turnstile.close();
  }
  return broken;
}

interface Scene {
  readonly world: World;
  readonly turnstile: Turnstile;
  readonly second: Second;
  readonly subject: Subject;
  readonly spots: ReadonlyMap<string, readonly Spot[]>;
  readonly release: Release;
}

async function releaseAt(scene: Scene): Promise<string[]> {
  const { world, turnstile, second, subject, spots, release } = scene;
  const steps = [...spots.keys()];
  const last = release === nextRotation ? steps.length - 1 : steps.indexOf(release);
  const frozen: Frozen[] = [];
  const calls: Call[] = [];
  const seen = new Set<string>();
  const late: string[] = [];
  const letGo = async () => {
    second.edge.on(undefined);
    for (const { what, release } of frozen.splice(0)) {
      const before = await standing(world, subject);
      release();
      await quiet(second);
      const after = await standing(world, subject);
      if (after !== before) late.push(`${what} came late and changed ${before} to ${after}`);
    }
  };
  const collect = () => {
    calls.push(...second.edge.calls);
    second.edge.reset();
  };

  turnstile.before(async ({ name, input }) => {
    if (seen.has(name)) return;
    seen.add(name);
    const at = steps.indexOf(name);
    if (at > last && release !== nextRotation) await letGo();
    else
      for (const spot of spots.get(name) ?? []) {
        collect();
        const copy = await freezeAt(second, name, input, spot);
        if (copy !== undefined) frozen.push(copy);
        world.cloud.clock.advance(leaseIsOver);
      }
  });
  const first = await rotateOnce(world, subject, calls, collect, async () => {
    if (release === steps.at(-1)) await letGo();
  });
  const nextSeen = new Set<string>();
  turnstile.before(async ({ name }) => {
    if (name === "publish" && !nextSeen.has(name)) await letGo();
    nextSeen.add(name);
  });
  const next = await rotateOnce(world, subject, calls, collect);
  turnstile.before(() => undefined);
  return [...late, ...first, ...next.map((fault) => `the next rotation: ${fault}`)];
}

async function rotateOnce(
  world: World,
  subject: Subject,
  calls: Call[],
  collect: () => void,
  atEnd: () => Promise<void> = async () => {},
): Promise<readonly string[]> {
  const before = await look(world, subject);
  world.edge.reset();
  collect();
  const earlier = new Set(calls.filter(({ sent }) => sent));
  try {
    const ended = await drive(world, subject, await startRotation(world, subject, before.version));
    await atEnd();
    collect();
    const others = calls.filter((call) => !earlier.has(call));
    return (await checkRotated(world, subject, before, ended, clean, others)).faults;
  } catch (error) {
    return [String(error)];
  }
}

/** Where an object stands, as far as no late copy may change it. */
async function standing(world: World, subject: Subject): Promise<string> {
  const { phase, rotationId, outcome, publishedVersion, pointOfNoReturn } = (
    await world.api("GET", `rotations/${subject.id}`)
  ).body;
  const versions = await versionsOf(world, subject.id);
  const enabled = versions.filter((version) => version.enabled).length;
  return JSON.stringify({
    phase,
    rotationId,
    outcome,
    publishedVersion,
    pointOfNoReturn,
    versions: versions.length,
    enabled,
  });
}

async function quiet({ edge }: Second): Promise<void> {
  for (let seen = -1; seen !== edge.calls.length;) {
    seen = edge.calls.length;
    await delay(silence);
  }
}

/** Starts a copy and waits until it is frozen; undefined when it ended without making that call. */
async function freezeAt(second: Second, name: string, input: unknown, spot: Spot): Promise<Frozen | undefined> {
  const gate = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<boolean>();
  let struck = false;
  let passed = 0;
  second.edge.on((call) => {
    if (struck || roleless(call.name) !== spot.name || ++passed !== spot.nth) return undefined;
    struck = true;
    reached.resolve(true);
    return { freeze: gate.promise };
  });
  const reply = second.invoke(name, input).catch(() => undefined);
  void reply.then(() => reached.resolve(false));
  const isFrozen = await reached.promise;
  second.edge.on(undefined);
  return isFrozen ? { what: `${name} at ${spot.name} #${spot.nth}`, release: () => gate.resolve() } : undefined;
}
