/** What the JS SDK lists as done so far (`actionType` numbers are the SDK's). */
export const ActionType = {
  CallActivity: 0,
  CallActivityWithRetry: 1,
  CallSubOrchestrator: 2,
  CallSubOrchestratorWithRetry: 3,
  ContinueAsNew: 4,
  CreateTimer: 5,
  WaitForExternalEvent: 6,
  CallEntity: 7,
  CallHttp: 8,
  SignalEntity: 9,
  ScheduledSignalEntity: 10,
  WhenAny: 11,
  WhenAll: 12,
  LockEntities: 13,
  ReleaseEntities: 14,
} as const;

/** One action, as JSON: which fields are there depends on `actionType`. */
export interface Action {
  readonly actionType: number;
  readonly functionName?: string;
  readonly input?: unknown;
  readonly instanceId?: string | null;
  readonly version?: string | null;
  readonly fireAt?: string | null;
  readonly isCanceled?: boolean;
  readonly externalEventName?: string;
  readonly retryOptions?: RetryOptions;
  readonly compoundActions?: readonly Action[];
}

/** Times in milliseconds. */
export interface RetryOptions {
  readonly firstRetryIntervalInMilliseconds: number;
  readonly maxNumberOfAttempts: number;
  readonly backoffCoefficient?: number;
  readonly maxRetryIntervalInMilliseconds?: number;
  readonly retryTimeoutInMilliseconds?: number;
}

/** What an episode of the SDK gives back. */
export interface State {
  readonly isDone: boolean;
  readonly actions: readonly (readonly Action[])[];
  readonly output?: unknown;
  readonly error?: string;
  readonly customStatus?: unknown;
  readonly failureDetails?: unknown;
}

/** An episode's end: the SDK's state, or the error of an orchestrator that never reached the SDK. */
export type Outcome = { readonly state: State } | { readonly crash: string };

const label = "$OutOfProcData$:";

/** Reads what the orchestrator function returned: a state object, or its JSON text. */
export function returned(value: unknown): Outcome {
  try {
    // Through JSON as on the wire: dates become text, undefined fields go.
    const state = JSON.parse(typeof value === "string" ? value : JSON.stringify(value)) as State;
    if (Array.isArray(state.actions?.[0])) return { state };
  } catch {
    // Not a state: said below.
  }
  return { crash: "The data returned by the orchestrator function is no state of the Durable SDK." };
}

/** Reads what the orchestrator function threw: the SDK hides its state in the message. */
export function threw(error: unknown): Outcome {
  const message = error instanceof Error ? error.message : String(error);
  const at = message.indexOf(label);
  if (at < 0) return { crash: message };
  const read = returned(message.slice(at + label.length));
  return "state" in read ? read : { crash: message.slice(0, at).trim() || message };
}
