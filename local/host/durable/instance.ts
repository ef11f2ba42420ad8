import { event, EventType } from "./history.ts";
import type { HistoryEvent, Parent, Started } from "./history.ts";

export const runtimeStatuses = [
  "Running",
  "Completed",
  "ContinuedAsNew",
  "Failed",
  "Canceled",
  "Terminated",
  "Pending",
  "Suspended",
] as const;

export type RuntimeStatus = (typeof runtimeStatuses)[number];

/** What is known of an instance beside its history. Times are milliseconds since 1970; the three values are JSON text. */
export interface Instance {
  readonly id: string;
  readonly name: string;
  readonly version: string | null;
  readonly executionId: string;
  /** Counts the executions of this id: history and messages of an earlier one are void. */
  readonly generation: number;
  /** How many rows of history this execution has; the next checkpoint's number. */
  readonly checkpoints: number;
  /** The key of the message that began this run: messages with a lower one are void. */
  readonly since: string;
  readonly status: RuntimeStatus;
  readonly input: string | null;
  readonly output: string | null;
  readonly customStatus: string | null;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly parent: Parent | null;
  /** Timers that the code has cancelled: they do not fire. */
  readonly cancelled: readonly number[];
}

/** Something that has happened to an instance and that its history does not know yet. */
export interface Message {
  /** Where it is stored, in order of arrival; null when it can be found again without (see `openWork`). */
  readonly key: string | null;
  /** The execution it is for; null is for whichever runs. */
  readonly executionId: string | null;
  readonly event: HistoryEvent;
}

export function isTerminal(status: RuntimeStatus): boolean {
  return status === "Completed" || status === "Failed" || status === "Terminated" || status === "Canceled";
}

/** An instance of this id is under way. */
export class AlreadyExists extends Error {}

/** What a new orchestration needs; `input` is JSON text. */
export interface StartOptions {
  readonly id?: string;
  readonly name: string;
  readonly version?: string | null;
  readonly input: string | null;
  readonly parent?: Parent;
}

/** What a new instance needs. */
export interface Creation {
  readonly id: string;
  readonly name: string;
  readonly version: string | null;
  readonly executionId: string;
  /** JSON text. */
  readonly input: string | null;
  readonly parent: Parent | null;
  readonly generation: number;
  /** The key that its first message gets. */
  readonly key: string;
  readonly now: number;
}

/** A new instance, pending, with the message that starts it. */
export function create(what: Creation): {
  readonly instance: Instance;
  readonly start: Message & { readonly key: string };
} {
  const { key, now, ...rest } = what;
  const instance: Instance = {
    ...rest,
    since: key,
    checkpoints: 0,
    status: "Pending",
    output: null,
    customStatus: null,
    createdAt: now,
    updatedAt: now,
    cancelled: [],
  };
  return { instance, start: { key, executionId: what.executionId, event: started(instance, now) } };
}

/** The event that begins an execution. */
export function started(instance: Instance, now: number): Started {
  const { parent } = instance;
  return event(
    {
      EventType: EventType.ExecutionStarted,
      Name: instance.name,
      Version: instance.version,
      Input: instance.input,
      OrchestrationInstance: { InstanceId: instance.id, ExecutionId: instance.executionId },
      ParentInstance: parent && {
        Name: parent.name,
        TaskScheduleId: parent.taskId,
        OrchestrationInstance: { InstanceId: parent.instanceId, ExecutionId: parent.executionId },
      },
      Tags: null,
    },
    now,
  ) as Started;
}

/**
 * What a finished sub-orchestration tells its parent; undefined while it runs, or when nobody waits. It can be told again
 * at any time: the parent takes it once.
 */
export function completion(instance: Instance, now: number): Message | undefined {
  const { parent, status, output } = instance;
  if (!parent || !isTerminal(status)) return undefined;
  const TaskScheduledId = parent.taskId;
  const ended = event(
    status === "Completed"
      ? { EventType: EventType.SubOrchestrationInstanceCompleted, TaskScheduledId, Result: output }
      : {
          EventType: EventType.SubOrchestrationInstanceFailed,
          TaskScheduledId,
          Reason: String(output === null ? status : JSON.parse(output)),
          Details: "",
        },
    now,
  );
  return { key: null, executionId: parent.executionId, event: ended };
}
