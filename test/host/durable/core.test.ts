import { describe, expect, it } from "vitest";
import { ActionType } from "../../../local/host/durable/actions.ts";
import type { Action, State } from "../../../local/host/durable/actions.ts";
import { begin, finish } from "../../../local/host/durable/core.ts";
import type { Case, Checkpoint, Host } from "../../../local/host/durable/core.ts";
import { event, EventType } from "../../../local/host/durable/history.ts";
import type { HistoryEvent } from "../../../local/host/durable/history.ts";
import { create } from "../../../local/host/durable/instance.ts";
import { compareVersions, verdict } from "../../../local/host/durable/version.ts";

const noon = Date.parse("2027-01-01T12:00:00Z");
let keys = 0;
const key = () => String(keys++).padStart(6, "0");
const host: Host = {
  defaultVersion: "1.0",
  nextExecutionId: "x2",
  nextKey: key,
  hasActivity: () => true,
  hasOrchestrator: () => true,
};

function fresh(): Case {
  const what = {
    id: "i",
    name: "o",
    version: null,
    executionId: "x1",
    input: '{"a":1}',
    parent: null,
    generation: 1,
    now: noon,
  };
  const { instance, start } = create({ ...what, key: key() });
  return { instance, history: [], inbox: [start] };
}

/** Adds a message for whichever execution runs. */
const tell = (now: Case, ...rows: HistoryEvent[]): Case => ({
  ...now,
  inbox: [...now.inbox, ...rows.map((row) => ({ key: key(), executionId: null, event: row }))],
});

/** One step, with code that asks for these actions. */
function step(
  now: Case,
  actions: readonly Action[],
  state: Partial<State> = {},
  at = noon,
): { after: Case; checkpoint: Checkpoint } {
  const episode = begin(now, at)!;
  const outcome =
    episode.payload === undefined ? undefined : { state: { isDone: false, actions: [actions], ...state } };
  const checkpoint = finish(episode, outcome, host);
  const { instance, append, consumed, restart } = checkpoint;
  const inbox = [...restart, ...now.inbox.filter((message) => !consumed.includes(message))];
  const history = restart.length > 0 ? [] : [...now.history, ...append];
  return { after: { instance, history, inbox }, checkpoint };
}

const raised = (name: string, value: unknown) =>
  event({ EventType: EventType.EventRaised, Name: name, Input: JSON.stringify(value) }, noon);
const completed = (id: number) =>
  event({ EventType: EventType.TaskCompleted, TaskScheduledId: id, Result: "null" }, noon);
const failed = (id: number) =>
  event({ EventType: EventType.TaskFailed, TaskScheduledId: id, Reason: "r", Details: "d" }, noon);
const suspend = event({ EventType: EventType.ExecutionSuspended, Reason: "" }, noon);
const resume = event({ EventType: EventType.ExecutionResumed, Reason: "" }, noon);
const act = (functionName: string): Action => ({ actionType: ActionType.CallActivity, functionName });
const wait: Action = { actionType: ActionType.WaitForExternalEvent, externalEventName: "e" };
const kinds = (rows: readonly HistoryEvent[]) => rows.map((row) => row.EventType);

describe("the orchestration trigger", () => {
  it("gets exactly what the SDK reads", () => {
    const first = step(fresh(), [act("A")]).after;
    const { payload } = begin(tell(first, completed(0)), noon + 1500)!;
    const trigger = JSON.parse(payload!) as Record<string, unknown>;
    const at = "2027-01-01T12:00:00.000Z";
    const later = "2027-01-01T12:00:01.500Z";
    const started = {
      EventType: 0,
      EventId: -1,
      Name: "o",
      Version: null,
      Input: '{"a":1}',
      ParentInstance: null,
      Tags: null,
    };
    expect(trigger).toEqual({
      history: [
        { EventType: 12, EventId: -1, Timestamp: at, IsPlayed: true },
        { ...started, OrchestrationInstance: { InstanceId: "i", ExecutionId: "x1" }, Timestamp: at, IsPlayed: true },
        { EventType: 4, EventId: 0, Name: "A", Version: null, Input: "[null]", Timestamp: at, IsPlayed: true },
        { EventType: 13, EventId: -1, Timestamp: at, IsPlayed: true },
        { EventType: 12, EventId: -1, Timestamp: later, IsPlayed: false },
        { EventType: 5, EventId: -1, TaskScheduledId: 0, Result: "null", Timestamp: at, IsPlayed: false },
      ],
      input: { a: 1 },
      instanceId: "i",
      isReplaying: false,
      parentInstanceId: null,
      upperSchemaVersion: 1,
      upperSchemaVersionNew: 3,
      longRunningTimerIntervalDuration: "3650.00:00:00",
      maximumShortTimerDuration: "3650.00:00:00",
      defaultHttpAsyncRequestSleepTimeMillseconds: 30000,
    });
  });
});

describe("a suspended instance", () => {
  it("takes what came meanwhile in its order, ahead of what came after the resume", () => {
    const first = step(fresh(), [wait]).after;
    const { checkpoint } = step(tell(first, suspend, raised("e", 1), resume, raised("e", 2)), [wait, wait]);
    const values = checkpoint.append.flatMap((row) => (row.EventType === EventType.EventRaised ? [row.Input] : []));
    expect(values).toEqual(["1", "2"]);
    expect(checkpoint.instance.status).toBe("Running");
  });

  it("does nothing but wait", () => {
    const first = step(fresh(), [act("A")]).after;
    const { after, checkpoint } = step(tell(first, suspend), []);
    expect(kinds(checkpoint.append)).toEqual([
      EventType.OrchestratorStarted,
      EventType.ExecutionSuspended,
      EventType.OrchestratorCompleted,
    ]);
    expect(after.instance.status).toBe("Suspended");
    expect(begin(tell(after, completed(0), raised("e", 1)), noon)).toBeUndefined();
  });
});

describe("one step", () => {
  it("uses up no more messages than a transaction can hold, and leaves the rest for the next", () => {
    const first = step(fresh(), [wait]).after;
    let now = tell(first, ...Array.from({ length: 150 }, (_, n) => raised("e", n)));
    const sizes: number[] = [];
    while (now.inbox.length > 0) {
      const { after, checkpoint } = step(
        now,
        Array.from({ length: 200 }, () => wait),
      );
      sizes.push(checkpoint.consumed.length);
      now = after;
    }
    expect(sizes).toEqual([64, 64, 22]);
    const values = now.history.flatMap((row) => (row.EventType === EventType.EventRaised ? [Number(row.Input)] : []));
    expect(values).toEqual(Array.from({ length: 150 }, (_, n) => n));
  });

  it("terminates whatever else has come", () => {
    const first = step(fresh(), [act("A")]).after;
    const stop = event({ EventType: EventType.ExecutionTerminated, Input: "enough" }, noon);
    const { checkpoint, after } = step(tell(first, raised("e", 1), stop, completed(0)), []);
    expect(checkpoint.instance).toMatchObject({ status: "Terminated", output: '"enough"' });
    expect(after.inbox).toEqual([]);
  });

  it("fails an instance whose code never reached the SDK", () => {
    const checkpoint = finish(begin(fresh(), noon)!, { crash: "no such module" }, host);
    expect(checkpoint.instance).toMatchObject({
      status: "Failed",
      output: `"Orchestrator function 'o' failed: no such module"`,
    });
  });
});

describe("continue-as-new", () => {
  const again: Action = { actionType: ActionType.ContinueAsNew, input: { n: 2 } };

  it("keeps the events that came after the call, and drops those that nobody took before", () => {
    const first = step(fresh(), [act("A"), again], { isDone: false }).after;
    const now = tell(first, raised("e", "early"), completed(0), raised("e", "late"));
    const { after, checkpoint } = step(now, [act("A"), again], { isDone: true });
    expect(checkpoint.instance).toMatchObject({
      executionId: "x2",
      generation: 2,
      checkpoints: 0,
      input: '{"n":2}',
      status: "Running",
    });
    expect(after.inbox.map((message) => message.event)).toMatchObject([
      { EventType: EventType.ExecutionStarted, Input: '{"n":2}' },
      { EventType: EventType.EventRaised, Input: '"late"' },
    ]);
  });

  it("waits for open tasks, and keeps the custom status until the next execution has run once", () => {
    const timer: Action = { actionType: ActionType.CreateTimer, fireAt: "2027-01-01T13:00:00Z" };
    const any: Action = { actionType: ActionType.WhenAny, compoundActions: [timer, wait] };
    const first = step(fresh(), [any]).after;
    const done = { isDone: true, customStatus: "old" };
    const waiting = step(tell(first, raised("e", 1)), [any, again], done);
    expect(waiting.checkpoint.instance).toMatchObject({ generation: 1, status: "Running" });
    const fired = event({ EventType: EventType.TimerFired, TimerId: 0, FireAt: "2027-01-01T13:00:00Z" }, noon);
    const next = step(tell(waiting.after, fired), [any, again], done).after;
    expect(next.instance).toMatchObject({ generation: 2, customStatus: '"old"' });
    const begun = step(next, [wait]).after;
    expect(begun.instance.customStatus).toBe('"old"');
    expect(step(tell(begun, raised("other", 1)), [wait]).after.instance.customStatus).toBeNull();
  });
});

describe("retries", () => {
  const retrying = (options: object): Action => ({
    actionType: ActionType.CallActivityWithRetry,
    functionName: "A",
    retryOptions: { firstRetryIntervalInMilliseconds: 1000, maxNumberOfAttempts: 3, ...options },
  });

  it("end with a timer that is due at once", () => {
    const actions = [retrying({ maxNumberOfAttempts: 1 }), act("B")];
    const first = step(fresh(), actions.slice(0, 1)).after;
    const { checkpoint } = step(tell(first, failed(0)), actions.slice(0, 1), {}, noon + 5000);
    expect(checkpoint.work).toMatchObject([
      { EventType: EventType.TimerCreated, EventId: 1, FireAt: "2027-01-01T12:00:05.000Z" },
    ]);
  });

  it("that pass their timeout are refused by name, because the real host would hang", () => {
    const actions = [retrying({ retryTimeoutInMilliseconds: 2000 })];
    const first = step(fresh(), actions).after;
    const { checkpoint } = step(tell(first, failed(0)), actions, {}, noon + 3000);
    expect(checkpoint.instance).toMatchObject({ status: "Failed" });
    expect(checkpoint.instance.output).toMatch(/retryTimeout has passed/);
  });

  it("behind a Task.any whose timer was cancelled are found out", () => {
    const timer: Action = { actionType: ActionType.CreateTimer, fireAt: "2027-01-02T00:00:00Z" };
    const any = (isCanceled: boolean): Action => ({
      actionType: ActionType.WhenAny,
      compoundActions: [retrying({}), { ...timer, isCanceled }],
    });
    const first = step(fresh(), [any(false)]).after;
    const second = step(tell(first, failed(0)), [any(false)]).after;
    const fired = event({ EventType: EventType.TimerFired, TimerId: 2, FireAt: "2027-01-01T12:00:01Z" }, noon);
    const third = step(tell(second, fired), [any(false)]).after;
    const { checkpoint } = step(tell(third, completed(3)), [any(true), act("B")]);
    expect(checkpoint.instance.output).toMatch(
      /^"Non-Deterministic workflow detected: at id 2 the history has a timer, .* activity 'b'/,
    );
  });
});

describe("an orchestrator that can never end is named", () => {
  it("when it threw something without a message", () => {
    const { checkpoint } = step(fresh(), [], { isDone: false });
    expect(checkpoint.instance.status).toBe("Running");
    expect(checkpoint.warning).toMatch(/threw something without a message/);
  });

  it("when it left a Task.all that waits for an event", () => {
    const all: Action = { actionType: ActionType.WhenAll, compoundActions: [act("A"), wait] };
    const first = step(fresh(), [all]).after;
    const { checkpoint } = step(tell(first, failed(0)), [all], { isDone: true });
    expect(checkpoint.instance.status).toBe("Running");
    expect(checkpoint.warning).toMatch(/Task.all that it left still waits for an event/);
  });
});

describe("versions", () => {
  it("compare as .NET's do, none first", () => {
    const ordered = [null, "0.9", "1.0", "1.0.0", "1.0.1", "1.2", "1.10", "2.0"];
    for (const [n, low] of ordered.entries()) {
      expect(compareVersions(low, low)).toBe(0);
      for (const high of ordered.slice(n + 1)) {
        expect([low, high, compareVersions(low, high)]).toEqual([low, high, -1]);
        expect([high, low, compareVersions(high, low)]).toEqual([high, low, 1]);
      }
    }
    expect(compareVersions("Beta", "beta")).toBe(0);
    expect(compareVersions("alpha", "beta")).toBe(-1);
  });

  it("decide what a host runs", () => {
    const defaultVersion = "1.5";
    expect(verdict("9.0", {})).toBe("run");
    expect(verdict("1.5", { defaultVersion })).toBe("run");
    expect(verdict(null, { defaultVersion })).toBe("run");
    expect(verdict("1.6", { defaultVersion })).toBe("reject");
    expect(verdict("1.6", { defaultVersion, versionFailureStrategy: "Fail" })).toBe("fail");
    expect(verdict("1.4", { defaultVersion, versionMatchStrategy: "Strict" })).toBe("reject");
    expect(verdict("1.6", { defaultVersion, versionMatchStrategy: "None" })).toBe("run");
  });
});
