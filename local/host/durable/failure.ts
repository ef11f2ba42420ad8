import { event, EventType } from "./history.ts";
import type { FailureDetails, HistoryEvent } from "./history.ts";

/**
 * What a thrown error of an activity becomes in history. As on the real host, `Reason` names the function and `Details`
 * is a serialized exception with its stack: an orchestrator's `error.message` holds both, so apps must not pass it on raw.
 */
export function activityFailed(name: string, taskId: number, error: unknown, now: number): HistoryEvent {
  const message = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  const details = failureDetails(message);
  return event(
    {
      EventType: EventType.TaskFailed,
      TaskScheduledId: taskId,
      Reason: `Activity function '${name}' failed: ${details?.ErrorMessage ?? message}`,
      Details: JSON.stringify({
        $type: "System.Exception, System.Private.CoreLib",
        ClassName: "System.Exception",
        Message: details?.ErrorMessage ?? message,
        StackTraceString: stack,
      }),
      ...(details && { FailureDetails: details }),
    },
    now,
  );
}

/** An app with an exception properties provider puts the failure's details into the message, as JSON. */
function failureDetails(message: string): FailureDetails | undefined {
  if (!message.startsWith("{")) return undefined;
  try {
    const told = JSON.parse(message) as Record<string, unknown>;
    if (typeof told["errorType"] !== "string" || typeof told["errorMessage"] !== "string") return undefined;
    return {
      ErrorType: told["errorType"],
      ErrorMessage: told["errorMessage"],
      StackTrace: typeof told["stackTrace"] === "string" ? told["stackTrace"] : null,
      IsNonRetriable: told["isNonRetriable"] === true,
      ...(told["properties"] !== undefined && { Properties: told["properties"] }),
    };
  } catch {
    return undefined;
  }
}
