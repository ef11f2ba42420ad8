/** Kinds of history events, with the numbers the JS SDK reads (durabletask's `EventType`). */
export const EventType = {
  ExecutionStarted: 0,
  ExecutionCompleted: 1,
  ExecutionTerminated: 3,
  TaskScheduled: 4,
  TaskCompleted: 5,
  TaskFailed: 6,
  SubOrchestrationInstanceCreated: 7,
  SubOrchestrationInstanceCompleted: 8,
  SubOrchestrationInstanceFailed: 9,
  TimerCreated: 10,
  TimerFired: 11,
  OrchestratorStarted: 12,
  OrchestratorCompleted: 13,
  EventRaised: 15,
  ExecutionSuspended: 19,
  ExecutionResumed: 20,
} as const;

type Kind = typeof EventType;

/** How a failure travels as data: durabletask's `FailureDetails`. */
export interface FailureDetails {
  readonly ErrorType: string;
  readonly ErrorMessage: string;
  readonly StackTrace?: string | null;
  readonly IsNonRetriable?: boolean;
  readonly Properties?: unknown;
  readonly InnerFailure?: unknown;
}

/** Who waits for a sub-orchestration. */
export interface Parent {
  readonly name: string;
  readonly instanceId: string;
  readonly executionId: string;
  readonly taskId: number;
}

interface Failure {
  readonly TaskScheduledId: number;
  /** Both are strings always: the SDK breaks on anything else. */
  readonly Reason: string;
  readonly Details: string;
  readonly FailureDetails?: FailureDetails;
}

/** What the parts of an event are, by kind. `Input` and `Result` are JSON text. */
type Body =
  | {
      readonly EventType: Kind["ExecutionStarted"];
      readonly Name: string;
      readonly Version: string | null;
      readonly Input: string | null;
      readonly OrchestrationInstance: { readonly InstanceId: string; readonly ExecutionId: string };
      readonly ParentInstance: {
        readonly Name: string;
        readonly TaskScheduleId: number;
        readonly OrchestrationInstance: { readonly InstanceId: string; readonly ExecutionId: string };
      } | null;
      readonly Tags: null;
    }
  | {
      readonly EventType: Kind["ExecutionCompleted"];
      readonly OrchestrationStatus: "Completed" | "Failed" | "Terminated";
      readonly Result: string | null;
    }
  | { readonly EventType: Kind["ExecutionTerminated"]; readonly Input: string | null }
  | {
      readonly EventType: Kind["TaskScheduled"];
      readonly Name: string;
      readonly Version: string | null;
      readonly Input: string;
    }
  | { readonly EventType: Kind["TaskCompleted"]; readonly TaskScheduledId: number; readonly Result: string | null }
  | ({ readonly EventType: Kind["TaskFailed"] } & Failure)
  | {
      readonly EventType: Kind["SubOrchestrationInstanceCreated"];
      readonly Name: string;
      readonly Version: string | null;
      readonly InstanceId: string;
      readonly Input: string;
    }
  | {
      readonly EventType: Kind["SubOrchestrationInstanceCompleted"];
      readonly TaskScheduledId: number;
      readonly Result: string | null;
    }
  | ({ readonly EventType: Kind["SubOrchestrationInstanceFailed"] } & Failure)
  | { readonly EventType: Kind["TimerCreated"]; readonly FireAt: string }
  | { readonly EventType: Kind["TimerFired"]; readonly TimerId: number; readonly FireAt: string }
  | { readonly EventType: Kind["OrchestratorStarted"] }
  | { readonly EventType: Kind["OrchestratorCompleted"] }
  | { readonly EventType: Kind["EventRaised"]; readonly Name: string; readonly Input: string }
  | { readonly EventType: Kind["ExecutionSuspended"] | Kind["ExecutionResumed"]; readonly Reason: string };

/** One row of history. `Timestamp` is ISO 8601 in UTC; `EventId` is the sequence id for what is scheduled, else -1. */
export type HistoryEvent = Body & { readonly EventId: number; readonly Timestamp: string };

/** The rows that schedule something; their `EventId` is the sequence id that completions name. */
export type Scheduled = Extract<
  HistoryEvent,
  { EventType: Kind["TaskScheduled"] | Kind["TimerCreated"] | Kind["SubOrchestrationInstanceCreated"] }
>;

export type Started = Extract<HistoryEvent, { EventType: Kind["ExecutionStarted"] }>;

/** Makes an event that schedules nothing. */
export function event(body: Body, now: number): HistoryEvent {
  return { ...body, EventId: -1, Timestamp: new Date(now).toISOString() };
}

/** The sequence id that a completion (of an activity, a timer, a sub-orchestration) answers; undefined for other events. */
export function answers(of: HistoryEvent): number | undefined {
  switch (of.EventType) {
    case EventType.TaskCompleted:
    case EventType.TaskFailed:
    case EventType.SubOrchestrationInstanceCompleted:
    case EventType.SubOrchestrationInstanceFailed:
      return of.TaskScheduledId;
    case EventType.TimerFired:
      return of.TimerId;
    default:
      return undefined;
  }
}

/**
 * What a history has scheduled and not yet seen the end of, by sequence id. It is all that has to be known to take up
 * an instance's work after a crash: nothing else is stored.
 */
export function openWork(history: readonly HistoryEvent[]): Map<number, Scheduled> {
  const open = new Map<number, Scheduled>();
  for (const row of history) {
    if (isScheduled(row)) open.set(row.EventId, row);
    const id = answers(row);
    if (id !== undefined) open.delete(id);
  }
  return open;
}

export function isScheduled(row: HistoryEvent): row is Scheduled {
  return (
    row.EventType === EventType.TaskScheduled ||
    row.EventType === EventType.TimerCreated ||
    row.EventType === EventType.SubOrchestrationInstanceCreated
  );
}
