// The extension does not ask the SDK what is new: it runs the list of everything the code has asked for so far against
// the history, waiting for each entry in turn (OutOfProcOrchestrationShim over durabletask's TaskOrchestrationContext),
// and gives out sequence ids as it goes. The SDK counts for itself. Both must come to the same ids, else a completion
// meets the wrong task; this file plays both and compares.
//
// The protocol's hole: the list shows what was yielded, not what was waited for. Where retries run in the background of
// a Task.any or a failed Task.all, the two counts part. The real extension then hangs, fails, or answers the wrong task
// without a word; here the instance fails and the message says why.
import { ActionType } from "./actions.ts";
import type { Action, RetryOptions } from "./actions.ts";
import { answers, EventType, isScheduled } from "./history.ts";
import type { HistoryEvent, Scheduled } from "./history.ts";
import { all, any, end, newTask, whenEnded } from "./tasks.ts";
import type { Task } from "./tasks.ts";

/** What a list of actions comes to, given a history. */
export interface Simulation {
  /** Every listed action has ended. */
  readonly finished: boolean;
  /** Asked for and not ended; a cancelled timer is not among them. An orchestration ends only when this is empty. */
  readonly open: ReadonlySet<number>;
  /** Asked for and not in the history yet, by sequence id. */
  readonly fresh: readonly Scheduled[];
  /** Timers that the code has cancelled. */
  readonly cancelled: readonly number[];
  /** JSON text of the next execution's input. */
  readonly continueAsNew?: string;
  /** Events raised after continue-as-new was called: they go to the next execution. */
  readonly carried: readonly HistoryEvent[];
}

/** Why an orchestration cannot go on. The message is for its author. */
export class Refusal extends Error {}

/** What the simulation needs to know of its surroundings. */
export interface Surroundings {
  readonly instanceId: string;
  readonly executionId: string;
  readonly parentInstanceId: string | null;
  readonly defaultVersion: string | null;
  hasActivity(name: string): boolean;
  hasOrchestrator(name: string): boolean;
}

/** Runs `actions` against `history`, oldest first. Throws `Refusal` when they do not fit each other. */
export function simulate(
  actions: readonly Action[],
  history: readonly HistoryEvent[],
  around: Surroundings,
): Simulation {
  const extension = run(actions, history, around, "extension");
  const sdk = run(actions, history, around, "sdk");
  for (const [id, asked] of extension.asked) {
    const other = sdk.asked.get(id);
    if (other !== undefined && other !== asked) {
      throw new Refusal(
        `The Durable extension and the JS SDK disagree on id ${id}: ${asked} to the one, ${other} to the other. ` +
          "A task with retries was still running after a Task.all had failed; let every task end before going on.",
      );
    }
  }
  return extension.result;
}

/** Six days: the extension's default for `maxRetryInterval`. */
const longestRetry = 6 * 24 * 3600_000;

function run(
  actions: readonly Action[],
  history: readonly HistoryEvent[],
  around: Surroundings,
  as: "extension" | "sdk",
) {
  const asked = new Map<number, string>();
  const fresh = new Map<number, Scheduled>();
  const open = new Map<number, Task>();
  const cancelled: number[] = [];
  const waiting = new Map<string, Task[]>();
  const buffered = new Map<string, number>();
  const carried: HistoryEvent[] = [];
  let now = 0;
  let nextId = 0;
  let continueAsNew: string | undefined;
  let finished = false;
  let index = 0;

  const schedule = (
    make: (common: { EventId: number; Timestamp: string }) => Scheduled,
    what: string,
  ): [number, Task] => {
    const id = nextId++;
    asked.set(id, what);
    fresh.set(id, make({ EventId: id, Timestamp: "" }));
    const task = newTask();
    open.set(id, task);
    return [id, task];
  };

  const timer = (fireAt: number, isCanceled = false): Task => {
    const FireAt = new Date(fireAt).toISOString();
    const [id, task] = schedule((common) => ({ EventType: EventType.TimerCreated, FireAt, ...common }), "a timer");
    if (isCanceled) {
      cancelled.push(id);
      // To the extension a cancelled timer ends at once, to the SDK never.
      if (as === "extension") {
        open.delete(id);
        end(task, true);
      }
    }
    return task;
  };

  const activity = (action: Action): Task => {
    const Name = action.functionName ?? "";
    if (!around.hasActivity(Name)) {
      throw new Refusal(`The function '${Name}' doesn't exist, is disabled, or is not an activity function.`);
    }
    const Input = JSON.stringify([action.input ?? null]);
    return schedule(
      (common) => ({ EventType: EventType.TaskScheduled, Name, Version: null, Input, ...common }),
      `activity '${Name.toLowerCase()}'`,
    )[1];
  };

  const child = (action: Action): Task => {
    const Name = action.functionName ?? "";
    if (!around.hasOrchestrator(Name)) {
      throw new Refusal(`The function '${Name}' doesn't exist, is disabled, or is not an orchestrator function.`);
    }
    const given = action.instanceId?.trim() ? action.instanceId : undefined;
    if (given?.startsWith("@")) throw new Refusal("Orchestration instance ids must not start with @");
    if (given && [around.instanceId, around.parentInstanceId].some((id) => id?.toLowerCase() === given.toLowerCase())) {
      throw new Refusal(
        "The instance ID of a sub-orchestration must be different than the instance ID of a parent orchestration.",
      );
    }
    const InstanceId = given ?? `${around.executionId}:${nextId}`;
    const Version = action.version ?? around.defaultVersion;
    const Input = JSON.stringify(action.input ?? null);
    return schedule(
      (common) => ({
        EventType: EventType.SubOrchestrationInstanceCreated,
        Name,
        Version,
        InstanceId,
        Input,
        ...common,
      }),
      `sub-orchestration '${Name.toLowerCase()}'`,
    )[1];
  };

  /** durabletask's RetryInterceptor: one id for each attempt, and one for a timer after each failure, the last one too. */
  const retried = (attempt: () => Task, options: RetryOptions): Task => {
    const whole = newTask();
    const since = now;
    const tryOnce = (failures: number) => {
      const task = attempt();
      whenEnded(task, () => {
        if (!task.failed) return end(whole);
        if (failures + 1 >= options.maxNumberOfAttempts) return whenEnded(timer(now), () => end(whole, true));
        const timeout = options.retryTimeoutInMilliseconds ?? Infinity;
        const delay = options.firstRetryIntervalInMilliseconds * (options.backoffCoefficient ?? 1) ** failures;
        const wait = Math.min(delay, options.maxRetryIntervalInMilliseconds ?? longestRetry);
        if (now >= since + timeout || !(wait > 0)) {
          throw new Refusal(
            "A retryTimeout has passed. The extension gives up without the timer that the JS SDK waits for, " +
              "so the orchestration would hang; bound the attempts by maxNumberOfAttempts instead.",
          );
        }
        return whenEnded(timer(now + wait), () => tryOnce(failures + 1));
      });
    };
    tryOnce(0);
    return whole;
  };

  // The extension matches names without regard to case, the SDK with.
  const key = (name: string) => (as === "extension" ? name.toLowerCase() : name);
  const waitFor = (name: string): Task => {
    const task = newTask();
    const early = buffered.get(key(name)) ?? 0;
    if (early > 0) {
      buffered.set(key(name), early - 1);
      end(task);
    } else {
      waiting.set(key(name), [...(waiting.get(key(name)) ?? []), task]);
    }
    return task;
  };
  const raise = (name: string) => {
    // Of several waiters the newest is served.
    const task = waiting.get(key(name))?.pop();
    if (task) end(task);
    else buffered.set(key(name), (buffered.get(key(name)) ?? 0) + 1);
  };

  const begin = (action: Action): Task => {
    switch (action.actionType) {
      case ActionType.CallActivity:
        return activity(action);
      case ActionType.CallActivityWithRetry:
        return retried(() => activity(action), action.retryOptions!);
      case ActionType.CallSubOrchestrator:
        return child(action);
      case ActionType.CallSubOrchestratorWithRetry:
        return retried(() => child(action), action.retryOptions!);
      case ActionType.CreateTimer: {
        const fireAt = Date.parse(action.fireAt ?? "");
        if (Number.isNaN(fireAt)) throw new Refusal("A timer was created with an invalid date.");
        return timer(fireAt, action.isCanceled === true);
      }
      case ActionType.WaitForExternalEvent:
        return waitFor(action.externalEventName ?? "");
      case ActionType.WhenAll:
        // The SDK goes on at the first failure, the extension waits for all.
        return all((action.compoundActions ?? []).map(begin), as === "sdk");
      case ActionType.WhenAny:
        return any((action.compoundActions ?? []).map(begin));
      case ActionType.ContinueAsNew: {
        continueAsNew = JSON.stringify(action.input ?? null);
        const task = newTask();
        end(task);
        return task;
      }
      case ActionType.CallHttp:
        throw new Refusal("callHttp is not supported here: make the call in an activity.");
      default:
        throw new Refusal(`Entities are not supported here (action type ${action.actionType}).`);
    }
  };
  const advance = () => {
    while (index < actions.length) {
      const task = begin(actions[index++]!);
      if (!task.ended) return task.waiters.push(advance);
    }
    finished = true;
    return undefined;
  };

  for (const row of history) {
    if (row.EventType === EventType.OrchestratorStarted) now = Date.parse(row.Timestamp);
    else if (row.EventType === EventType.ExecutionStarted) advance();
    else if (row.EventType === EventType.EventRaised) {
      if (continueAsNew === undefined) raise(row.Name);
      else carried.push(row);
    } else if (isScheduled(row)) {
      const id = row.EventId;
      if (as === "extension" && asked.get(id) !== name(row)) throw mismatch(id, name(row), asked.get(id));
      fresh.delete(id);
    } else {
      const id = answers(row);
      const task = id === undefined ? undefined : open.get(id);
      if (task) {
        open.delete(id!);
        end(task, row.EventType === EventType.TaskFailed || row.EventType === EventType.SubOrchestrationInstanceFailed);
      }
    }
  }
  const result: Simulation = {
    finished,
    open: new Set(open.keys()),
    fresh: [...fresh.values()].sort((a, b) => a.EventId - b.EventId),
    cancelled,
    carried,
    ...(continueAsNew !== undefined && { continueAsNew }),
  };
  return { asked, result };
}

function name(row: Scheduled): string {
  if (row.EventType === EventType.TimerCreated) return "a timer";
  const kind = row.EventType === EventType.TaskScheduled ? "activity" : "sub-orchestration";
  return `${kind} '${row.Name.toLowerCase()}'`;
}

function mismatch(id: number, recorded: string, asked: string | undefined): Refusal {
  return new Refusal(
    `Non-Deterministic workflow detected: at id ${id} the history has ${recorded}, but the code now asks for ` +
      `${asked ?? "nothing (yet)"}. Was the orchestrator changed after this instance had started, does it read the time, ` +
      "randomness or the environment, or did it leave a task with retries running behind a Task.any?",
  );
}
