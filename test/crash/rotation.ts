import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { keyOf, type Instance, type Subject, type World } from "./world.ts";

/** A rotation that ended. */
export interface Ended {
  readonly rotationId: string;
  readonly outcome: string;
  readonly instance: Instance;
}

/** What a rotation may be disturbed with while it is driven. */
export interface DriveOptions {
  /** Called at each look; may do something and wait. */
  readonly onLook?: (instance: Instance) => Promise<void>;
  /** Where the task hub may be lost: the record alone may tell of the end. */
  readonly byRecord?: true;
  /** Real milliseconds after which it is given up; much, since a busy machine is no bug. */
  readonly patience?: number;
}

/** Asks for a rotation as a careful user would: the same key again until there is an answer. */
export async function startRotation(world: World, { id }: Subject, version: string): Promise<string> {
  const headers = { "idempotency-key": randomUUID() };
  const { status, body } = await world.api("POST", `rotations/${id}/start`, { version, reason: "test" }, headers);
  if (status !== 200 && status !== 202) throw new Error(`The start was answered ${status}: ${JSON.stringify(body)}`);
  return String(body["rotationId"]);
}

/**
 * Drives a started rotation to its end: moves the clock to whatever instant it waits for, and brings the process back whenever it was
 * killed. Polls durable's status, which makes no outside call.
 */
export async function drive(
  world: World,
  subject: Subject,
  rotationId: string,
  options: DriveOptions = {},
): Promise<Ended> {
  const until = performance.now() + (options.patience ?? 180_000);
  for (;;) {
    const instance = await world.instance(subject);
    const status = instance?.customStatus;
    if (instance !== undefined) await options.onLook?.(instance);
    if (instance !== undefined && status?.rotationId === rotationId) {
      if (status.outcome !== undefined && instance.runtimeStatus === "Completed")
        return { rotationId, outcome: status.outcome, instance };
      if (["Failed", "Terminated"].includes(instance.runtimeStatus))
        throw new Error(`The orchestration of ${rotationId} ended ${instance.runtimeStatus}.`);
      const wait = status.until === undefined ? 0 : Date.parse(status.until) - world.cloud.clock.now();
      if (wait > 0) world.cloud.clock.advance(wait);
    }
    if (instance === undefined && options.byRecord) {
      const { body } = await world.api("GET", `rotations/${subject.id}`);
      const { outcome } = body;
      if (body["rotationId"] === rotationId && body["phase"] === "idle" && typeof outcome === "string")
        return { rotationId, outcome, instance: { runtimeStatus: "Completed", customStatus: null } };
    }
    if (performance.now() > until) {
      const at = `${status?.step ?? "nowhere"} ${status?.fault?.code ?? ""} ${status?.fault?.message ?? ""}`;
      throw new Error(`${keyOf(subject)} did not end: rotation ${rotationId} stands at ${at}.`);
    }
    await delay(60);
  }
}
