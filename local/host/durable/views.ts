// Instances and histories as the management API shows them.
import { EventType, isScheduled } from "./history.ts";
import type { HistoryEvent } from "./history.ts";
import type { Instance } from "./instance.ts";

const parse = (json: string | null): unknown => (json === null ? null : JSON.parse(json));
/** The extension formats with "s": no fractions of a second. */
const time = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}Z`;

/** The body of a status query. */
export function statusView(instance: Instance, showInput: boolean) {
  return {
    name: instance.name,
    version: instance.version,
    instanceId: instance.id,
    runtimeStatus: instance.status,
    input: showInput ? parse(instance.input) : null,
    customStatus: parse(instance.customStatus),
    output: parse(instance.output),
    createdTime: time(instance.createdAt),
    lastUpdatedTime: time(instance.updatedAt),
  };
}

const names = new Map<number, string>(Object.entries(EventType).map(([name, number]) => [number, name]));

/** `historyEvents` of a status query: what was scheduled is folded into its completion, bookkeeping is left out. */
export function historyView(
  history: readonly HistoryEvent[],
  show: { readonly output: boolean; readonly input: boolean },
) {
  const scheduled = new Map(history.filter(isScheduled).map((row) => [row.EventId, row]));
  const folded = new Set<HistoryEvent>();
  const views = new Map<HistoryEvent, Record<string, unknown>>();
  for (const row of history) {
    if (row.EventType === EventType.OrchestratorStarted || row.EventType === EventType.OrchestratorCompleted) continue;
    const { EventId: _, ...view }: Record<string, unknown> = { ...row, EventType: names.get(row.EventType) };
    views.set(row, view);
    switch (row.EventType) {
      case EventType.ExecutionStarted:
        view["FunctionName"] = row.Name;
        for (const name of ["Name", "OrchestrationInstance", "ParentInstance", "Version", "Tags"]) delete view[name];
        break;
      case EventType.TaskScheduled:
      case EventType.SubOrchestrationInstanceCreated:
        delete view["Version"];
        break;
      case EventType.TaskCompleted:
      case EventType.TaskFailed:
      case EventType.SubOrchestrationInstanceCompleted:
      case EventType.SubOrchestrationInstanceFailed: {
        const from = scheduled.get(row.TaskScheduledId);
        delete view["TaskScheduledId"];
        if (!from || from.EventType === EventType.TimerCreated) break;
        folded.add(from);
        view["ScheduledTime"] = from.Timestamp;
        view["FunctionName"] = from.Name;
        view["Input"] = from.Input;
        break;
      }
      case EventType.TimerFired:
        delete view["TimerId"];
        break;
      default:
    }
    if ("Result" in row) {
      if (show.output) view["Result"] = resultOf(row.Result);
      else delete view["Result"];
    }
    if (!show.input) delete view["Input"];
  }
  return history.filter((row) => views.has(row) && !folded.has(row)).map((row) => views.get(row));
}

/** Results are JSON text, but a failed execution's is plain. */
function resultOf(text: string | null): unknown {
  if (text === null) return null;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
