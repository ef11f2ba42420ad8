import { activityFailed } from "./failure.ts";
import { event, EventType } from "./history.ts";
import type { HistoryEvent, Scheduled } from "./history.ts";
import type { DurableOptions } from "./index.ts";
import type { Instance } from "./instance.ts";
import { createLimit } from "./pace.ts";
import { registered } from "./names.ts";

type TaskScheduled = Extract<Scheduled, { EventType: (typeof EventType)["TaskScheduled"] }>;

/** Activities under way. */
export interface Activities {
  /** Runs what a history has scheduled, unless it runs already. */
  run(instance: Instance, row: TaskScheduled): void;
  /** Begins nothing more and waits for what runs. */
  drain(): Promise<void>;
}

/** What becomes of a result, and whether it is still asked for. */
export interface Receiver {
  wants(instance: Instance): boolean;
  take(instance: Instance, done: HistoryEvent): Promise<void>;
}

/** The argument as JSON text; null for none. The SDK has made JSON text of strings already. A bare boolean arrives as .NET's text. */
function argumentText(argument: unknown): string | null {
  if (argument === null || typeof argument === "string") return argument;
  if (typeof argument === "boolean") return argument ? '"True"' : '"False"';
  return JSON.stringify(argument);
}

/** Makes the runner of activities: `most` at once, the others wait. */
export function createActivities(options: DurableOptions, most: number, receiver: Receiver): Activities {
  const limit = createLimit(most);
  const underWay = new Map<string, Promise<void>>();
  let draining = false;

  const resultOf = async (
    instanceId: string,
    { Name, EventId: taskId, Input }: TaskScheduled,
  ): Promise<HistoryEvent> => {
    const [argument] = JSON.parse(Input) as [unknown];
    const input = argumentText(argument);
    try {
      const name = registered(options.activities(), Name);
      if (!name) throw new Error(`The function '${Name}' doesn't exist, is disabled, or is not an activity function.`);
      const value = await options.invokeActivity(name, input, { instanceId, taskId });
      // `undefined` has no JSON, and the SDK cannot read a missing result.
      const Result = value === undefined ? null : JSON.stringify(value);
      return event({ EventType: EventType.TaskCompleted, TaskScheduledId: taskId, Result }, options.clock.now());
    } catch (error) {
      return activityFailed(Name, taskId, error, options.clock.now());
    }
  };

  return {
    run(instance, row) {
      const tag = `${instance.executionId}/${row.EventId}`;
      if (underWay.has(tag)) return;
      const work = limit(async () => {
        // What has not begun is in the history, for the next start.
        if (draining || !receiver.wants(instance)) return;
        const done = await resultOf(instance.id, row);
        underWay.delete(tag);
        await receiver.take(instance, done);
      }).finally(() => underWay.delete(tag));
      underWay.set(tag, work);
    },
    async drain() {
      draining = true;
      await Promise.all(underWay.values());
    },
  };
}
