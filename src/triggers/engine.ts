import type { DurableClient } from "durable-functions";
import { commandEvent, orchestration, type Start, type Status } from "../workflow/steps.ts";

/** What triggers need of the durable engine. Its management URLs never leave it. */
export interface Engine {
  /** Starts an object's orchestration; false when one is running already. */
  start(instance: string, input: Start): Promise<boolean>;
  /** Wakes a waiting orchestration; it reads the command records for itself. */
  wake(instance: string): Promise<void>;
  /** The running rotation's status; undefined when none is running. */
  running(instance: string): Promise<Status | undefined>;
}

const alive = ["Running", "Pending", "Suspended", "ContinuedAsNew"];

export function engineOf(client: DurableClient): Engine {
  const status = async (instance: string) => {
    const found = await client.getStatus(instance, { showInput: false }).catch(() => undefined);
    return found !== undefined && alive.includes(found.runtimeStatus) ? found : undefined;
  };
  return {
    async start(instance, input) {
      try {
        await client.startNew(orchestration, { instanceId: instance, input });
        return true;
      } catch (error) {
        // The rejection says only that it was not started; whether one runs is asked.
        if ((await status(instance)) !== undefined) return false;
        throw error;
      }
    },
    async wake(instance) {
      if ((await status(instance)) !== undefined) await client.raiseEvent(instance, commandEvent, {});
    },
    async running(instance) {
      const found = await status(instance);
      if (found === undefined) return undefined;
      return (
        (found.customStatus as Status | null | undefined) ?? {
          rotationId: "",
          step: "preflight",
          since: found.createdTime.toISOString(),
          timeline: [],
        }
      );
    },
  };
}
