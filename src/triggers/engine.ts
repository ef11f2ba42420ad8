import type { DurableClient } from "durable-functions";
import { commandEvent, orchestration, type Begin, type Status } from "../workflow/steps.ts";

/** What triggers need of the durable engine. Its management URLs never leave it. */
export interface Engine {
  /** Starts an object's orchestration, unless one is running already: then that one's rotation is named. */
  start(instance: string, input: Begin): Promise<{ readonly started: boolean; readonly rotationId: string }>;
  /** Wakes a waiting orchestration; it reads the command records for itself. */
  wake(instance: string): Promise<void>;
  /** The running rotation's status; undefined when none is running. */
  running(instance: string): Promise<Status | undefined>;
}

const alive = ["Running", "Pending", "Suspended", "ContinuedAsNew"];

export function engineOf(client: DurableClient): Engine {
  const status = async (instance: string, showInput = false) => {
    const found = await client.getStatus(instance, { showInput }).catch((error: unknown) => {
      // The SDK rejects for an instance that never was; any other failure is no answer, and must not pass for one.
      if (error instanceof Error && error.message.includes("HTTP 404")) return undefined;
      throw error;
    });
    return found !== undefined && alive.includes(found.runtimeStatus) ? found : undefined;
  };
  return {
    async start(instance, input) {
      try {
        await client.startNew(orchestration, { instanceId: instance, input });
        return { started: true, rotationId: input.rotationId };
      } catch (error) {
        // The rejection says only that it was not started; whether one runs is asked.
        const running = await status(instance, true);
        if (running === undefined) throw error;
        return { started: false, rotationId: rotationOf(running.input) ?? input.rotationId };
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

/** The rotation that an orchestration was started for. Whoever holds a system key chooses the input, so it is looked at. */
function rotationOf(input: unknown): string | undefined {
  const named = typeof input === "object" && input !== null && "rotationId" in input ? input.rotationId : undefined;
  return typeof named === "string" && /^[a-z0-9-]{1,80}$/.test(named) ? named : undefined;
}
