import * as fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { returned, threw } from "../../../local/host/durable/actions.ts";
import { begin, finish } from "../../../local/host/durable/core.ts";
import type { Case, Checkpoint, Episode, Host } from "../../../local/host/durable/core.ts";
import { activityFailed } from "../../../local/host/durable/failure.ts";
import { answers, event, EventType, isScheduled, openWork } from "../../../local/host/durable/history.ts";
import type { HistoryEvent, Scheduled } from "../../../local/host/durable/history.ts";
import { create, isTerminal } from "../../../local/host/durable/instance.ts";
import type { Message } from "../../../local/host/durable/instance.ts";
import { programs, resultOf } from "./programs.ts";
import type { Program } from "./programs.ts";
import { conformanceApp, workerOf } from "./serve.ts";

let worker: ReturnType<typeof workerOf>;
beforeAll(async () => {
  worker = workerOf(await conformanceApp());
});

let keys = 0;
const nextKey = () => String(keys++).padStart(12, "0");
const host: Host = {
  defaultVersion: null,
  nextExecutionId: "next",
  nextKey,
  hasActivity: () => true,
  hasOrchestrator: () => true,
};

const invoke = async ({ payload, instance }: Episode) => {
  if (payload === undefined) return undefined;
  try {
    return returned(await worker.invokeOrchestrator(instance.name, payload));
  } catch (error) {
    return threw(error);
  }
};

function fresh(program: Program, now: number): Case {
  const input = JSON.stringify(program);
  const { instance, start } = create({
    id: "i",
    name: "program",
    version: null,
    executionId: "x",
    input,
    parent: null,
    generation: 1,
    key: nextKey(),
    now,
  });
  return { instance, history: [], inbox: [start] };
}

/** How one piece of open work ends: by its label and by how often it was tried before, so that every schedule agrees. */
function endOf(row: Scheduled, history: readonly HistoryEvent[], now: number): HistoryEvent {
  const id = row.EventId;
  if (row.EventType === EventType.TimerCreated)
    return event({ EventType: EventType.TimerFired, TimerId: id, FireAt: row.FireAt }, now);
  const [{ label, fails = 0 }] = JSON.parse(row.Input) as [{ label: string; fails?: number }];
  const same = (other: HistoryEvent) => other.EventType === EventType.TaskScheduled && other.Input === row.Input;
  const attempt = history.filter((other) => same(other) && other.EventId <= id).length;
  if (attempt <= fails) return activityFailed("labelled", id, new Error(`${label} attempt ${attempt}`), now);
  return event({ EventType: EventType.TaskCompleted, TaskScheduledId: id, Result: JSON.stringify(label) }, now);
}

/** What a schedule does between the steps; numbers choose among what is possible. */
interface Move {
  readonly kind: "end" | "event" | "duplicate" | "step" | "crash" | "foreign" | "suspend";
  readonly pick: number;
}

const moves = fc.array(
  fc.record({
    kind: fc.constantFrom<Move["kind"][]>(
      "end",
      "end",
      "end",
      "event",
      "duplicate",
      "step",
      "crash",
      "foreign",
      "suspend",
    ),
    pick: fc.nat(1000),
  }),
  { maxLength: 60 },
);

/** Plays an instance to its end: first by the moves, then whatever is left in order. */
async function play(program: Program, schedule: readonly Move[], tamper: (now: Case) => Case = (now) => now) {
  let now = 1_800_000_000_000;
  let state = fresh(program, now);
  const asked: number[] = [];
  const said: HistoryEvent[] = [];
  let quiet = 0;

  const push = (row: HistoryEvent, executionId: string | null = "x") => {
    const message: Message = { key: nextKey(), executionId, event: row };
    state = { ...state, inbox: [...state.inbox, message] };
  };
  const answered = () =>
    new Set(state.inbox.flatMap(({ executionId, event: row }) => (executionId === "x" ? [answers(row)] : [])));
  const open = () =>
    [...openWork(state.history).values()].filter(
      (row) => !answered().has(row.EventId) && !state.instance.cancelled.includes(row.EventId),
    );
  const stepOnce = async (): Promise<Checkpoint | undefined> => {
    state = tamper(state);
    const episode = begin(state, now);
    if (!episode) return undefined;
    return finish(episode, await invoke(episode), host);
  };
  const apply = (checkpoint: Checkpoint) => {
    asked.push(...checkpoint.append.filter(isScheduled).map((row) => row.EventId));
    const inbox = state.inbox.filter((message) => !checkpoint.consumed.includes(message));
    // Through text, as if every step were followed by a restart.
    state = JSON.parse(
      JSON.stringify({ instance: checkpoint.instance, history: [...state.history, ...checkpoint.append], inbox }),
    ) as Case;
  };
  const end = (row: Scheduled) => {
    if (row.EventType === EventType.TimerCreated) now = Math.max(now, Date.parse(row.FireAt));
    const done = endOf(row, state.history, now);
    said.push(done);
    push(done);
  };
  const raise = (name: string) =>
    push(event({ EventType: EventType.EventRaised, Name: name, Input: JSON.stringify(name) }, now), null);

  const move = async ({ kind, pick }: Move) => {
    now += pick;
    const work = open();
    if (kind === "end" && work.length > 0) end(work[pick % work.length]!);
    else if (kind === "event") raise(pick % 2 ? "e" : "f");
    else if (kind === "duplicate" && said.length > 0) push(said[pick % said.length]!);
    else if (kind === "foreign" && work.length > 0) {
      const id = work[pick % work.length]!.EventId;
      const wrong = {
        EventType: EventType.TaskCompleted,
        TaskScheduledId: id,
        Result: '"of another execution"',
      } as const;
      push(event(wrong, now), "another execution");
    } else if (kind === "suspend") {
      push(event({ EventType: EventType.ExecutionSuspended, Reason: "" }, now), null);
      push(event({ EventType: EventType.ExecutionResumed, Reason: "" }, now), null);
    } else if (kind === "crash") {
      // The step runs, is lost before it is stored, and runs again: it must come to the same.
      expect(await stepOnce()).toEqual(await stepOnce());
    } else {
      const checkpoint = await stepOnce();
      if (checkpoint) apply(checkpoint);
    }
  };
  for (const one of schedule) await move(one);
  while (!isTerminal(state.instance.status) && quiet < 200) {
    const checkpoint = await stepOnce();
    if (checkpoint) {
      apply(checkpoint);
      continue;
    }
    const [first] = open();
    if (first) end(first);
    else raise(quiet++ % 2 ? "e" : "f");
  }
  return { state, asked };
}

describe("the core, whatever the order of things", () => {
  it("comes to the same end, asks for nothing twice, and takes each answer once", async () => {
    await fc.assert(
      fc.asyncProperty(programs, moves, async (program, schedule) => {
        const { state, asked } = await play(program, schedule);
        const output = JSON.parse(state.instance.output!) as unknown;
        expect({ status: state.instance.status, output }).toEqual({ status: "Completed", output: resultOf(program) });
        expect(asked).toEqual(asked.map((_, n) => n));
        const taken = state.history.map(answers).filter((id) => id !== undefined);
        expect(new Set(taken).size).toBe(taken.length);
        // Timestamps never go back, and a timer is never early.
        const stamps = state.history.map((row) => Date.parse(row.Timestamp));
        const started = state.history.filter((row) => row.EventType === EventType.OrchestratorStarted);
        expect(started.map((row) => row.Timestamp)).toEqual(started.map((row) => row.Timestamp).toSorted());
        expect(Math.min(...stamps)).toBeGreaterThan(0);
      }),
      { numRuns: 300 },
    );
  });

  it("names code that has changed under an instance", async () => {
    let changed = 0;
    await fc.assert(
      fc.asyncProperty(programs, fc.nat(1000), async (program, pick) => {
        // As soon as two things are scheduled, the program is another: what came first is now a sub-orchestration.
        let done = false;
        const { state } = await play([{ act: "first" }, ...program], [], (now) => {
          if (done || now.history.filter(isScheduled).length < 1 + (pick % 2) || now.inbox.length === 0) return now;
          done = true;
          return { ...now, instance: { ...now.instance, input: JSON.stringify([{ sub: [] }, ...program]) } };
        });
        if (!done || state.instance.status === "Completed") return;
        changed++;
        expect(state.instance.status).toBe("Failed");
        expect(state.instance.output).toMatch(
          /Non-Deterministic workflow detected: at id 0 the history has activity 'labelled', but the code now asks for sub-orchestration 'program'/,
        );
      }),
      { numRuns: 60 },
    );
    expect(changed).toBeGreaterThan(40);
  });
});
