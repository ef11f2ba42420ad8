// Sub-orchestrations. A parent's history says which it waits for, a child's record says how it ended: nothing else has to
// be stored for the one to learn of the other, whenever the process dies.
import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "../../clock.ts";
import { event, EventType } from "./history.ts";
import type { Parent, Scheduled } from "./history.ts";
import { AlreadyExists, completion } from "./instance.ts";
import type { Instance, Message, StartOptions } from "./instance.ts";

/** What the family needs of the engine. */
export interface Household {
  readonly clock: Clock;
  find(id: string): Instance | undefined;
  /** Whether this parent still waits for that task. */
  waits(parent: Parent): boolean;
  create(options: StartOptions): Promise<string>;
  /** Hands a message over; `durable`: stores it first. */
  deliver(id: string, message: Message, durable?: boolean): Promise<void>;
  stopped(): boolean;
  warn(message: string): void;
}

export interface Family {
  /** Starts what a parent has scheduled; again after a crash, when it may be there already, or even have ended. */
  start(parent: Instance, row: SubOrchestration): Promise<void>;
  /** Tells an ended instance's parent, if it has one. */
  tell(instance: Instance): Promise<void>;
  /** Before an ended instance goes away: what it has told its parent must not live in memory only. */
  settle(instance: Instance | undefined): Promise<void>;
}

type SubOrchestration = Extract<Scheduled, { EventType: (typeof EventType)["SubOrchestrationInstanceCreated"] }>;

const retryAfter = 500;

/** Makes the family of an engine. */
export function createFamily(household: Household): Family {
  const { clock, deliver } = household;

  const tell = async (instance: Instance) => {
    const message = completion(instance, clock.now());
    if (message && instance.parent) await deliver(instance.parent.instanceId, message);
  };

  return {
    tell,
    async settle(instance) {
      const message = instance && completion(instance, clock.now());
      if (message && instance.parent && household.waits(instance.parent)) {
        await deliver(instance.parent.instanceId, message, true);
      }
    },
    async start({ name: parentName, id: instanceId, executionId }, row) {
      const { InstanceId: id, Name: name, Version: version, Input: input, EventId: taskId } = row;
      const there = household.find(id);
      if (there?.parent?.executionId === executionId && there.parent.taskId === taskId) return tell(there);
      const parent: Parent = { name: parentName, instanceId, executionId, taskId };
      while (!household.stopped()) {
        try {
          await household.create({ id, name, version, input, parent });
          return undefined;
        } catch (error) {
          if (error instanceof AlreadyExists) {
            const why = { TaskScheduledId: taskId, Reason: error.message, Details: "" };
            const failed = event({ EventType: EventType.SubOrchestrationInstanceFailed, ...why }, clock.now());
            return deliver(instanceId, { key: null, executionId, event: failed });
          }
          household.warn(`The sub-orchestration '${id}' was not stored; it is tried again. ${String(error)}`);
          await delay(retryAfter);
        }
      }
      return undefined;
    },
  };
}
