import type { OrchestrationContext, Task } from "durable-functions";
import type { Fault } from "../errors.ts";
import { byClass, cleanup, nextDelay, place, type RetryPolicy, settling } from "./retry.ts";
import {
  type Begin,
  commandEvent,
  type Reply,
  type Start,
  type Status,
  type StepName,
  type Steps,
  type TimelineEntry,
} from "./steps.ts";

/** A part of the orchestration: yields durable tasks, returns its result. */
export type Flow<T> = Generator<Task, T, unknown>;

/** A step that failed for good, after its retries. */
export class StepFailed extends Error {
  override readonly name = "StepFailed";
  readonly step: StepName;
  readonly fault: Fault;
  constructor(step: StepName, fault: Fault) {
    super(`${step}: ${fault.code}`);
    this.step = step;
    this.fault = fault;
  }
}

/** Somebody with the right to it asked for the rotation to be turned back. */
export class RollbackAsked extends Error {
  override readonly name = "RollbackAsked";
}

/** One rotation's orchestration: its durable context, what started it, and the timeline that becomes evidence. */
export interface Run {
  readonly context: OrchestrationContext;
  readonly start: Start;
  /** The rotation's own orchestration was lost; this one goes on with it. */
  readonly takesUp: boolean;
  readonly timeline: TimelineEntry[];
  startedAt: string;
  /** True once the rotation is being undone: from then on a rollback command has nothing left to ask for. */
  turningBack: boolean;
  /** False once no command can change anything any more: a wake-up then cuts no wait short. */
  listens: boolean;
  /** A finish was heard, perhaps before there was a grace to end. */
  finishAsked: boolean;
  /** Every wait for an event that has not come: the SDK gives the next event to the newest of them, even if its wait is long over. */
  waiters: readonly Task[];
}

export function beginRun(context: OrchestrationContext): Run {
  // Whoever holds a system key chooses the input; what else it has must not stand in for a step's own.
  const { objectId, rotationId, takeUp } = (context.df.getInput<Begin | null>() ?? {}) as Begin;
  const start = { objectId, rotationId };
  return {
    context,
    start,
    takesUp: takeUp === true,
    timeline: [],
    startedAt: nowIso(context),
    turningBack: false,
    // Until it knows what to turn back, it cannot be turned back: its preflight reads the commands.
    listens: takeUp !== true,
    finishAsked: false,
    waiters: [],
  };
}

/** Seconds since 1970 by the history: the same on every replay. */
export function now(run: Run): number {
  return run.context.df.currentUtcDateTime.getTime() / 1000;
}

function nowIso(context: OrchestrationContext): string {
  return context.df.currentUtcDateTime.toISOString();
}

/** Characters of JSON for the past steps. The extension takes a status of 8192 at most, and fails the orchestration above that. */
const timelineRoom = 5_000;
/** Characters of a fault's message in the status; the evidence has all of it. */
const messageRoom = 250;

/** Shows where the rotation stands. Past steps are given in short, and of a long hold only the latest. */
export function say(run: Run, status: Omit<Status, "rotationId" | "since" | "timeline">): void {
  const timeline: Status["timeline"][number][] = [];
  let room = timelineRoom;
  for (const { step: name, startedAt, endedAt, proofs, fault } of run.timeline.toReversed()) {
    const entry = { step: name, startedAt, endedAt, proofs: proofs.length, ...inShort(fault) };
    room -= JSON.stringify(entry).length;
    if (room < 0) break;
    timeline.unshift(entry);
  }
  run.context.df.setCustomStatus({
    rotationId: run.start.rotationId,
    since: nowIso(run.context),
    ...status,
    ...inShort(status.fault),
    timeline,
  } satisfies Status);
}

function inShort(fault: Fault | undefined): { fault?: Fault } {
  return withFault(fault && { ...fault, message: fault.message.slice(0, messageRoom) });
}

/**
 * Runs a step until it succeeds or its retry policy is used up; the class of the error chooses the policy unless one is given.
 * Throws {@link StepFailed}, or {@link RollbackAsked} when the activity read such a command.
 */
export function* step<S extends StepName>(
  run: Run,
  name: S,
  input: Steps[S]["input"],
  policy?: RetryPolicy,
): Flow<Steps[S]["result"]> {
  const startedAt = nowIso(run.context);
  let since = 0;
  let failures = 0;
  for (let attempt = 1; ; attempt++) {
    say(run, { step: name });
    const full = { ...input, ...run.start, turningBack: run.turningBack, instanceId: run.context.df.instanceId };
    const reply = (yield run.context.df.callActivity(name, full)) as Reply<S>;
    if (reply.ok) {
      run.timeline.push({
        step: name,
        startedAt,
        endedAt: nowIso(run.context),
        attempts: attempt,
        proofs: reply.proofs,
      });
      return reply.result;
    }
    if ("interrupted" in reply) throw new RollbackAsked(`${name}: a rollback was asked for`);
    // The time until a window opens is not time in which the step fails.
    const shut = reply.fault.code === "WINDOW_CLOSED" && policy?.waits !== false;
    failures = shut ? 0 : failures + 1;
    if (failures === 1) since = now(run);
    const delay = nextTry(reply.fault, policy, failures, now(run) - since);
    if (delay === undefined) {
      const entry = { step: name, startedAt, endedAt: nowIso(run.context), attempts: attempt, proofs: reply.proofs };
      run.timeline.push({ ...entry, fault: reply.fault });
      throw new StepFailed(name, reply.fault);
    }
    // A short wait just ends; during a long one (a shut window) a person may think again.
    if (delay <= listenFrom || name === "hear") {
      const until = at(run, delay);
      say(run, { step: "retry", fault: reply.fault, until: until.toISOString() });
      yield run.context.df.createTimer(until);
    } else
      yield* waitUnlessTurned(
        run,
        delay,
        { step: "retry", fault: reply.fault },
        name === "stage" ? "merge" : undefined,
      );
  }
}

const listenFrom = 30;

/** Seconds until the next try, or undefined for never. A window opens when it opens, however long that takes. */
function nextTry(fault: Fault, policy: RetryPolicy | undefined, attempt: number, elapsed: number): number | undefined {
  if (fault.code === "WINDOW_CLOSED" && policy?.waits !== false) return Math.max(fault.retryAfterSeconds ?? 0, 1);
  if (fault.code === "FLEET_FULL") return nextDelay(place, attempt, elapsed, fault);
  if (fault.code === "NOT_SETTLED") return nextDelay(settling, attempt, elapsed, fault);
  const chosen = fault.class === "permanent" ? undefined : (policy ?? byClass[fault.class]);
  return chosen && nextDelay(chosen, attempt, elapsed, fault);
}

/**
 * Waits, and listens: an event only wakes; what was really asked is read from the command records. Forged events change nothing. Throws
 * {@link RollbackAsked} when that is commanded, unless the rotation is being undone already. Only a wait that may be `cut` ends at a
 * finish or a merge: somebody may rely on the others, and a command of long ago is heard again at every waking. Where nobody can ask for anything
 * any more it only waits.
 */
export function* waitUnlessTurned(
  run: Run,
  seconds: number,
  status: Pick<Status, "step" | "fault">,
  cut?: "finish" | "merge",
): Flow<void> {
  if (seconds <= 0) return;
  const until = at(run, seconds);
  while (run.context.df.currentUtcDateTime.getTime() < until.getTime()) {
    say(run, { ...status, until: until.toISOString() });
    if (!run.listens) {
      yield run.context.df.createTimer(until);
      return;
    }
    if (!wokenMeanwhile(run)) {
      const over = run.context.df.createTimer(until);
      const woken = run.context.df.waitForExternalEvent(commandEvent);
      run.waiters = [...run.waiters, woken];
      const winner = (yield run.context.df.Task.any([over, woken])) as Task;
      if (winner === over) return;
      over.cancel();
    }
    run.waiters = run.waiters.filter(({ isCompleted }) => !isCompleted);
    const { heard, finish } = yield* hear(run, cut);
    if (finish === true || heard === "finish") run.finishAsked = true;
    if (heard === "rollback") throw new RollbackAsked(`asked for during ${status.step}`);
    if (heard !== undefined && heard === cut) return;
  }
}

/** Whether an event came while no wait was on, and went to one that had ended. */
function wokenMeanwhile(run: Run): boolean {
  return run.waiters.some(({ isCompleted }) => isCompleted);
}

/** Reads the commands; patiently, since a wake-up comes once. Records that cannot be read turn nothing back: every step reads them again. */
function* hear(run: Run, cut: "finish" | "merge" | undefined): Flow<Steps["hear"]["result"]> {
  try {
    return yield* step(run, "hear", cut === undefined ? {} : { cut }, cleanup);
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error;
    return {};
  } finally {
    run.timeline.pop();
  }
}

/** Seconds by which the extension's timers may end early: a wait is longer by as much, so that none ends before its time. */
const early = 1;

function at(run: Run, seconds: number): Date {
  // oxlint-disable-next-line no-restricted-globals -- a given instant, not the wall clock: the same on every replay
  return new Date((now(run) + seconds + early) * 1000);
}

/** A fault as an optional member. */
export function withFault(fault: Fault | undefined): { fault?: Fault } {
  return fault === undefined ? {} : { fault };
}
