// The core of the stand-in: history and inbox in, a checkpoint out. It does no IO and has no clock; what runs the code,
// stores the checkpoint and does the work is engine.ts.
import type { Outcome, State } from "./actions.ts";
import { answers, event, EventType, openWork } from "./history.ts";
import type { HistoryEvent, Scheduled } from "./history.ts";
import { isTerminal, started } from "./instance.ts";
import type { Instance, Message } from "./instance.ts";
import { Refusal, simulate } from "./simulate.ts";
import type { Simulation, Surroundings } from "./simulate.ts";

/** An instance with all that has happened to it. */
export interface Case {
  readonly instance: Instance;
  readonly history: readonly HistoryEvent[];
  /** In order of arrival. */
  readonly inbox: readonly Message[];
}

/** One step of an instance, before its code has run. */
export interface Episode extends Case {
  readonly now: number;
  /** What the history will get ahead of what the code schedules. */
  readonly events: readonly HistoryEvent[];
  /** Messages that this step uses up, those that no longer matter among them. */
  readonly consumed: readonly Message[];
  /** The trigger's JSON text for the SDK; undefined when no code has to run. */
  readonly payload: string | undefined;
  readonly suspended: boolean;
  /** The reason, when this step ends the instance by command; null when none was given. */
  readonly terminated: string | null | undefined;
}

/** What is to be stored, all of it or nothing. */
export interface Checkpoint {
  readonly instance: Instance;
  readonly append: readonly HistoryEvent[];
  readonly consumed: readonly Message[];
  /** For continue-as-new: what the next execution begins with. Its history starts empty. */
  readonly restart: readonly Message[];
  /** What to do once it is stored. */
  readonly work: readonly Scheduled[];
  /** For whoever wrote the orchestrator. */
  readonly warning: string | undefined;
}

/** As many messages as one checkpoint can use up: a table's transaction holds 100 operations. */
const most = 64;

/** Takes what can be done now; undefined when nothing can. */
export function begin({ instance, history, inbox }: Case, now: number): Episode | undefined {
  const base = { instance, history, inbox, now, payload: undefined, suspended: false, terminated: undefined };
  if (inbox.length === 0) return undefined;
  if (isTerminal(instance.status)) return { ...base, events: [], consumed: inbox.slice(0, most) };

  const { run, dropped } = takeable(instance, history, inbox);
  const consumed = [...run, ...dropped.slice(0, most - run.length)];
  if (consumed.length === 0) return undefined;
  const suspended = run.reduce(
    (so, { event: row }) =>
      row.EventType === EventType.ExecutionSuspended || (so && row.EventType !== EventType.ExecutionResumed),
    instance.status === "Suspended",
  );
  if (run.length === 0) return { ...base, suspended, events: [], consumed };

  const events = [event({ EventType: EventType.OrchestratorStarted }, now), ...run.map((message) => message.event)];
  const end = events.find((row) => row.EventType === EventType.ExecutionTerminated);
  const terminated = end?.Input;
  const needsCode = terminated === undefined && run.some(({ event: row }) => !isControl(row));
  const payload = needsCode ? trigger(instance, history, events) : undefined;
  return { ...base, events, consumed, payload, suspended, terminated };
}

function isControl(row: HistoryEvent): boolean {
  return row.EventType === EventType.ExecutionSuspended || row.EventType === EventType.ExecutionResumed;
}

/**
 * Sorts out which messages count now, in order, and which never will: completions of another execution, or of what has
 * ended or was never asked for. The rest waits, because the instance is suspended or the step is full.
 */
function takeable(instance: Instance, history: readonly HistoryEvent[], inbox: readonly Message[]) {
  const open = openWork(history);
  const run: Message[] = [];
  const held: Message[] = [];
  const dropped: Message[] = [];
  let begun = history.length > 0;
  let suspended = instance.status === "Suspended";
  for (const message of startFirst(inbox)) {
    const { event: row, executionId } = message;
    const id = answers(row);
    if (executionId !== null && executionId !== instance.executionId) dropped.push(message);
    // Deleting from `open` as it goes, so that of two answers in one inbox the first counts.
    else if (id !== undefined && !open.delete(id)) dropped.push(message);
    else if (row.EventType === EventType.ExecutionTerminated) {
      run.push(message);
      break;
    } else if (row.EventType === EventType.ExecutionStarted) {
      (begun ? dropped : run).push(message);
      begun = true;
    } else if (row.EventType === EventType.ExecutionSuspended) {
      (suspended ? dropped : run).push(message);
      suspended = true;
    } else if (row.EventType === EventType.ExecutionResumed) {
      if (suspended) run.push(message, ...held.splice(0));
      else dropped.push(message);
      suspended = false;
    } else (suspended ? held : run).push(message);
  }
  const terminate = run.findLast((message) => message.event.EventType === EventType.ExecutionTerminated);
  if (terminate) return { run: [terminate], dropped: inbox.filter((message) => message !== terminate) };
  // Nothing can happen to an execution before its start has arrived.
  return begun ? { run: run.slice(0, most), dropped } : { run: [], dropped };
}

function startFirst(inbox: readonly Message[]): readonly Message[] {
  const starts = inbox.filter((message) => message.event.EventType === EventType.ExecutionStarted);
  return starts.length === 0 ? inbox : [...starts, ...inbox.filter((message) => !starts.includes(message))];
}

/** Far enough that the SDK never splits a timer into legs: the stand-in's timers have no longest time. */
const everLong = "3650.00:00:00";

/** The JSON text that the orchestration trigger gets. */
function trigger(instance: Instance, history: readonly HistoryEvent[], events: readonly HistoryEvent[]): string {
  return JSON.stringify({
    history: [
      ...history.map((row) => ({ ...row, IsPlayed: true })),
      ...events.map((row) => ({ ...row, IsPlayed: false })),
    ],
    input: instance.input === null ? null : (JSON.parse(instance.input) as unknown),
    instanceId: instance.id,
    isReplaying: false,
    parentInstanceId: instance.parent?.instanceId ?? null,
    upperSchemaVersion: 1,
    upperSchemaVersionNew: 3,
    longRunningTimerIntervalDuration: everLong,
    maximumShortTimerDuration: everLong,
    defaultHttpAsyncRequestSleepTimeMillseconds: 30_000,
  });
}

/** What `finish` needs to know of the host. */
export interface Host extends Omit<Surroundings, "instanceId" | "executionId" | "parentInstanceId"> {
  /** An id that no execution has had. */
  readonly nextExecutionId: string;
  /** Keys for the messages of a next execution, in order. */
  nextKey(): string;
}

/** Makes the checkpoint of an episode. `outcome` is what the code gave; undefined when it had not to run. */
export function finish(episode: Episode, outcome: Outcome | undefined, host: Host): Checkpoint {
  const { instance } = episode;
  if (episode.events.length === 0) return unchanged(episode);
  if (episode.terminated !== undefined) return ended(episode, "Terminated", JSON.stringify(episode.terminated));
  if (!outcome) return running(episode, undefined, instance.customStatus, undefined);
  if ("crash" in outcome) return failed(episode, `Orchestrator function '${instance.name}' failed: ${outcome.crash}`);

  const { state } = outcome;
  const size = sizeOf(state.customStatus);
  if (size > mostStatus) {
    return failed(
      episode,
      `Orchestrator function '${instance.name}' failed: The UTF-16 size of the JSON-serialized payload must not exceed ${mostStatus} KB. ` +
        `The current payload size is ${size} KB.`,
    );
  }
  let simulation: Simulation;
  try {
    simulation = simulate(state.actions.flat(), [...episode.history, ...episode.events], {
      ...host,
      instanceId: instance.id,
      executionId: instance.executionId,
      parentInstanceId: instance.parent?.instanceId ?? null,
      hasActivity: (name) => host.hasActivity(name),
      hasOrchestrator: (name) => host.hasOrchestrator(name),
    });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return failed(episode, error.message);
  }
  const customStatus = nextCustomStatus(episode, state);
  const returned = state.isDone || Boolean(state.error);
  if (!returned || !simulation.finished || simulation.open.size > 0) {
    return running(episode, simulation, customStatus, hangs(state, simulation));
  }
  if (state.error) {
    return failed(episode, `Orchestrator function '${instance.name}' failed: ${state.error}`, simulation, customStatus);
  }
  if (simulation.continueAsNew !== undefined) return again(episode, simulation, customStatus, host);
  return ended(episode, "Completed", JSON.stringify(state.output ?? null), simulation, customStatus);
}

/** KB that a custom status can have. */
const mostStatus = 16;

/** KB in UTF-16, rounded down. */
function sizeOf(customStatus: unknown): number {
  return Math.floor(((JSON.stringify(customStatus) ?? "").length * 2) / 1024);
}

/** The SDK sends a custom status only when it is truthy; a new execution keeps its forerunner's until it has run once. */
function nextCustomStatus({ instance, history }: Episode, state: State): string | null {
  if (state.customStatus !== undefined && state.customStatus !== null) return JSON.stringify(state.customStatus);
  return history.length === 0 ? instance.customStatus : null;
}

function hangs(state: State, simulation: Simulation): string | undefined {
  if (simulation.open.size > 0 || simulation.fresh.length > 0) return undefined;
  if (state.isDone || state.error) {
    return "The orchestrator has ended, but a Task.all that it left still waits for an event: it stays Running, as on the real host.";
  }
  // Waiting for events only is fine; having waited out everything and not being done is not.
  return simulation.finished
    ? "The orchestrator threw something without a message: it stays Running for ever, as with extension 3.14; 3.19 fails it."
    : undefined;
}

function unchanged({ instance, consumed }: Episode): Checkpoint {
  return { instance, append: [], consumed, restart: [], work: [], warning: undefined };
}

function stamp(rows: readonly Scheduled[], now: number): Scheduled[] {
  return rows.map((row) => ({ ...row, Timestamp: new Date(now).toISOString() }));
}

function rowsOf(episode: Episode, simulation: Simulation | undefined, last: readonly HistoryEvent[] = []) {
  const scheduled = stamp(simulation?.fresh ?? [], episode.now);
  const done = event({ EventType: EventType.OrchestratorCompleted }, episode.now);
  return { append: [...episode.events, ...scheduled, ...last, done], scheduled };
}

function next(episode: Episode, change: Partial<Instance>): Instance {
  const { instance, now } = episode;
  return { ...instance, checkpoints: instance.checkpoints + 1, updatedAt: now, ...change };
}

function running(
  episode: Episode,
  simulation: Simulation | undefined,
  customStatus: string | null,
  warning: string | undefined,
): Checkpoint {
  const { append, scheduled } = rowsOf(episode, simulation);
  const cancelled = simulation?.cancelled ?? episode.instance.cancelled;
  const status = episode.suspended ? "Suspended" : "Running";
  const instance = next(episode, { status, customStatus, cancelled });
  const work = scheduled.filter((row) => !cancelled.includes(row.EventId));
  return { instance, append, consumed: episode.consumed, restart: [], work, warning };
}

/** `output` is JSON text. */
function ended(
  episode: Episode,
  status: "Completed" | "Failed" | "Terminated",
  output: string,
  simulation?: Simulation,
  customStatus: string | null = episode.instance.customStatus,
): Checkpoint {
  const Result = status === "Completed" ? output : (JSON.parse(output) as string | null);
  const last = event({ EventType: EventType.ExecutionCompleted, OrchestrationStatus: status, Result }, episode.now);
  const { append } = rowsOf(episode, simulation, [last]);
  const instance = next(episode, { status, output, customStatus });
  return { instance, append, consumed: episode.consumed, restart: [], work: [], warning: undefined };
}

function failed(episode: Episode, reason: string, simulation?: Simulation, customStatus?: string | null): Checkpoint {
  return ended(episode, "Failed", JSON.stringify(reason), simulation, customStatus);
}

/** Fails an instance before its code has run at all. */
export function refuse(episode: Episode, reason: string): Checkpoint {
  return failed(episode, reason);
}

/** Continue-as-new: the execution is given up with its history, and the next one begins with what came too late for it. */
function again(episode: Episode, simulation: Simulation, customStatus: string | null, host: Host): Checkpoint {
  const { now } = episode;
  const instance = next(episode, {
    executionId: host.nextExecutionId,
    generation: episode.instance.generation + 1,
    checkpoints: 0,
    status: "Running",
    input: simulation.continueAsNew ?? null,
    customStatus,
    createdAt: now,
    cancelled: [],
  });
  const message = (row: HistoryEvent, executionId: string | null): Message => ({
    key: host.nextKey(),
    executionId,
    event: row,
  });
  const restart = [
    message(started(instance, now), instance.executionId),
    ...simulation.carried.map((row) => message(row, null)),
  ];
  return { instance, append: [], consumed: episode.consumed, restart, work: [], warning: undefined };
}
