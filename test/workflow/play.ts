import type { OrchestrationHandler } from "durable-functions";
import { createRequire } from "node:module";
import { returned, threw } from "../../local/host/durable/actions.ts";
import { begin, finish } from "../../local/host/durable/core.ts";
import type { Case, Checkpoint, Host } from "../../local/host/durable/core.ts";
import { answers, event, EventType, openWork } from "../../local/host/durable/history.ts";
import type { HistoryEvent, Scheduled } from "../../local/host/durable/history.ts";
import { create, isTerminal } from "../../local/host/durable/instance.ts";
import { commandEvent, type Reply, type StepInput, type StepName } from "../../src/workflow/steps.ts";

// Plays one orchestration on the SDK's own executor and the stand-in's pure core, with a clock that jumps from one due thing to the next.

type Listener = (trigger: unknown, context: object) => Promise<unknown>;
const { Orchestrator } = createRequire(import.meta.url)("durable-functions/lib/src/orchestrations/Orchestrator.js") as {
  Orchestrator: new (handler: OrchestrationHandler) => { listen(): Listener };
};

/** One run of an activity. */
export interface Call {
  readonly name: StepName;
  readonly input: StepInput<StepName>;
  /** Counts the runs of this activity, from 1. */
  readonly nth: number;
  /** Milliseconds since the start. */
  readonly at: number;
  /** Counts the runs of all activities, from 1. */
  readonly total: number;
}

/** What is under way: for whoever acts from outside. */
export interface Stage {
  /** Milliseconds since 1970. */
  now(): number;
  /** Raises an event that wakes the orchestration, as anybody with a key can. */
  raise(name?: string): void;
  /** Lets time pass: late timers and slow activities. */
  pass(milliseconds: number): void;
}

export interface Options {
  readonly rotate: OrchestrationHandler;
  readonly input: unknown;
  perform(call: Call, stage: Stage): Reply<StepName>;
  /** Acts from outside, at a number of seconds after the start. */
  readonly agenda?: readonly { readonly at: number; act(stage: Stage): void }[];
  /** Looks at every checkpoint. */
  readonly onCheckpoint?: (checkpoint: Checkpoint) => void;
  /** Runs every episode twice and delivers every completion twice, as after a crash. */
  readonly doubled?: boolean;
  /** Whether everything that durable knows is gone after this activity; another orchestration then takes the rotation up. */
  readonly loses?: (call: Call) => boolean;
  /** More activity runs than this are an endless rotation. */
  readonly mostCalls?: number;
}

export interface Played {
  readonly calls: readonly Call[];
  readonly history: readonly HistoryEvent[];
  readonly status: string;
  /** The orchestrator's result; the reason when it failed. */
  readonly output: unknown;
  /** The custom status at the end. */
  readonly custom: unknown;
  readonly seconds: number;
  /** The most that the custom status took, in bytes of UTF-16. */
  readonly statusBytes: number;
}

export const startOfTime = Date.parse("2027-01-01T00:00:00.000Z");

let keys = 0;
const nextKey = () => String(keys++).padStart(12, "0");
const host: Host = {
  defaultVersion: "1.0",
  nextExecutionId: "next",
  nextKey,
  hasActivity: () => true,
  hasOrchestrator: () => true,
};

/** A new instance that nothing has happened to. */
export function fresh(input: unknown, instanceId = "object"): Case {
  const { instance, start } = create({
    id: instanceId,
    name: "rotate",
    version: "1.0",
    executionId: "execution",
    input: JSON.stringify(input),
    parent: null,
    generation: 1,
    key: nextKey(),
    now: startOfTime,
  });
  return { instance, history: [], inbox: [start] };
}

/** One episode on the SDK's executor. Undefined when nothing is to be done. */
export async function episode(rotate: OrchestrationHandler, now: Case, at: number): Promise<Checkpoint | undefined> {
  const begun = begin(now, at);
  if (begun?.payload === undefined) return begun && finish(begun, undefined, host);
  const outcome = await new Orchestrator(rotate).listen()(JSON.parse(begun.payload), {}).then(returned, threw);
  return finish(begun, outcome, host);
}

/** Plays an instance to its end. Throws when it waits for nothing, or runs too many activities. */
export async function play(options: Options): Promise<Played> {
  const { rotate, perform, doubled = false, mostCalls = 2000 } = options;
  const agenda = [...(options.agenda ?? [])].sort((a, b) => a.at - b.at);
  const calls: Call[] = [];
  const counts = new Map<string, number>();
  let now = startOfTime;
  let state = fresh(options.input);
  let statusBytes = 0;

  const push = (row: HistoryEvent) => {
    const message = { key: nextKey(), executionId: row.EventType === EventType.EventRaised ? null : "execution" };
    state = { ...state, inbox: [...state.inbox, { ...message, event: row }] };
  };
  const stage: Stage = {
    now: () => now,
    raise: (name = commandEvent) => push(event({ EventType: EventType.EventRaised, Name: name, Input: "{}" }, now)),
    pass: (milliseconds) => (now += milliseconds),
  };

  const pump = async () => {
    for (;;) {
      const checkpoint = await episode(rotate, state, now);
      if (checkpoint === undefined) return;
      if (doubled) assertSame(checkpoint, await episode(rotate, state, now));
      options.onCheckpoint?.(checkpoint);
      const inbox = state.inbox.filter((message) => !checkpoint.consumed.includes(message));
      state = { instance: checkpoint.instance, history: [...state.history, ...checkpoint.append], inbox };
      statusBytes = Math.max(statusBytes, (checkpoint.instance.customStatus?.length ?? 0) * 2);
    }
  };

  const end = (done: HistoryEvent) => {
    push(done);
    if (doubled) push(done);
  };
  const run = (row: Extract<Scheduled, { Input: string; InstanceId?: never }>) => {
    const [input] = JSON.parse(row.Input) as [StepInput<StepName>];
    const name = row.Name as StepName;
    const nth = (counts.get(name) ?? 0) + 1;
    counts.set(name, nth);
    const call = { name, input, nth, at: now - startOfTime, total: calls.length + 1 };
    calls.push(call);
    if (calls.length > mostCalls) throw new Error(`endless: ${calls.length} activities, the last was ${name}`);
    now += 1000;
    const reply = perform(call, stage);
    if (options.loses?.(call) === true) {
      state = fresh({ ...(options.input as object), takeUp: true });
      return;
    }
    end(
      event({ EventType: EventType.TaskCompleted, TaskScheduledId: row.EventId, Result: JSON.stringify(reply) }, now),
    );
  };

  for (;;) {
    await pump();
    const { instance, history } = state;
    if (isTerminal(instance.status)) break;
    const open = [...openWork(history).values()].filter(({ EventId }) => !instance.cancelled.includes(EventId));
    const next = open.toSorted((a, b) => dueOf(a) - dueOf(b))[0];
    const acting = agenda[0];
    if (next === undefined && acting === undefined) throw new Error("it waits for nothing");
    if (acting && (next === undefined || startOfTime + acting.at * 1000 <= Math.max(now, dueOf(next)))) {
      agenda.shift();
      now = Math.max(now, startOfTime + acting.at * 1000);
      acting.act(stage);
    } else if (next!.EventType === EventType.TimerCreated) {
      now = Math.max(now, dueOf(next!));
      end(event({ EventType: EventType.TimerFired, TimerId: next!.EventId, FireAt: next!.FireAt }, now));
    } else run(next as Parameters<typeof run>[0]);
  }

  const { instance, history } = state;
  return {
    calls,
    history,
    status: instance.status,
    output: JSON.parse(instance.output ?? "null") as unknown,
    custom: JSON.parse(instance.customStatus ?? "null") as unknown,
    seconds: (now - startOfTime) / 1000,
    statusBytes,
  };
}

/** An activity is due at once. */
function dueOf(row: Scheduled): number {
  return row.EventType === EventType.TimerCreated ? Date.parse(row.FireAt) : 0;
}

function assertSame(one: Checkpoint, other: Checkpoint | undefined): void {
  if (JSON.stringify(one) !== JSON.stringify(other)) throw new Error("the same history gave two results");
}

/**
 * Runs every episode of a recorded history again. Gives what each asks for, as recorded and as the code asks now; kinds, names and
 * sequence ids only, since that is what the extension compares.
 */
export async function replay(rotate: OrchestrationHandler, history: readonly HistoryEvent[], input: unknown) {
  const recorded: string[][] = [];
  const asked: string[][] = [];
  let state = fresh(input);
  let last: Checkpoint | undefined;
  for (let from = 0; from < history.length;) {
    const until = history.findIndex((row, n) => n >= from && row.EventType === EventType.OrchestratorCompleted) + 1;
    const rows = history.slice(from, until);
    const news = rows.filter((row) => answers(row) !== undefined || happened.has(row.EventType));
    const inbox = news.map((row) => ({ key: nextKey(), executionId: null, event: row }));
    last = await episode(rotate, { ...state, inbox }, Date.parse(rows[0]!.Timestamp));
    recorded.push(rows.filter(isWork).map(nameOf));
    asked.push((last?.append ?? []).filter(isWork).map(nameOf));
    state = { instance: last?.instance ?? state.instance, history: history.slice(0, until), inbox: [] };
    from = until;
  }
  return { recorded, asked, status: state.instance.status, output: state.instance.output };
}

const happened = new Set<number>([EventType.ExecutionStarted, EventType.EventRaised]);
const isWork = (row: HistoryEvent): row is Scheduled => row.EventId >= 0;
const nameOf = (row: Scheduled) => `${row.EventId} ${row.EventType === EventType.TimerCreated ? "timer" : row.Name}`;
