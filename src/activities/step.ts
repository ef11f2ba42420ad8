import { PinionError, toFault } from "../errors.ts";
import type { Notes, Proof, Step } from "../rotator.ts";
import { deadlineSeconds } from "../store/leases.ts";
import type { Stored } from "../store/records.ts";
import type { Command, ObjectState, Phase } from "../store/types.ts";
import type { Reply, StepInput, StepName, Steps } from "../workflow/steps.ts";
import { accountOf, type Deps, findSubject, type Subject } from "./deps.ts";
import { noted } from "./notes.ts";
import { openSlots } from "./slots.ts";

/** What a step works with: the object, its state and commands as read under the lease, and a signal that ends in time. */
export interface Scene {
  readonly deps: Deps;
  readonly subject: Subject;
  readonly state: ObjectState;
  readonly commands: readonly Command[];
  readonly signal: AbortSignal;
  readonly step: Step<unknown>;
  /** Changes the object's state in the midst of the step; `LEASE_LOST` when the object has moved on to where this step may not run. */
  patch(change: Change): Promise<ObjectState>;
}

/** A change of an object's state; `undefined` clears a field. */
export type StatePatch = { readonly [K in keyof ObjectState]?: ObjectState[K] | undefined };

/** A change, or how it follows from the state that is found when it is written. */
export type Change = StatePatch | ((now: ObjectState) => StatePatch);

export interface Done<S extends StepName> {
  readonly result: Steps[S]["result"];
  readonly proofs?: readonly Proof[];
  /** What changes in the object's state; written after the work, on top of whatever was recorded meanwhile. */
  readonly state?: Change;
  /** Published as `Pinion.Rotation.<event>`. */
  readonly event?: { readonly name: string; readonly data?: Readonly<Record<string, unknown>> };
}

export interface StepDefinition<S extends StepName> {
  readonly name: S;
  /** Holds the lease on the rotator's account while it runs. */
  readonly leased?: true;
  /** In which phases it may run: a late copy from a phase that is over finds itself refused. */
  readonly phases: readonly Phase[];
  /** The step that takes the object for its rotation: it checks for itself whose the object is. */
  readonly first?: true;
  /** Whether a rollback command stops it; never for what only listens or tells. Default: always. */
  interruptible?(input: StepInput<S>, state: ObjectState): boolean;
  run(scene: Scene, input: StepInput<S>): Promise<Done<S>>;
}

/** A proof that did not hold, or a gate that is shut: the fault, with all the proofs so far. */
export class Unproven extends PinionError {
  readonly proofs: readonly Proof[];
  constructor(fault: PinionError, proofs: readonly Proof[]) {
    super(fault.code, fault.message, { class: fault.class, retryAfterSeconds: fault.retryAfterSeconds });
    this.proofs = proofs;
  }
}

/** An activity: never throws, never returns a secret, and does nothing for a rotation that is not the object's. */
export type Activity<S extends StepName> = (input: StepInput<S>) => Promise<Reply<S>>;

/**
 * Wraps a step's work in what all steps share (design 3.2, 3.3): the deadline, the lease on what it changes, the commands, the
 * check that this rotation is the object's and in the right phase, the state after it and the event about it.
 */
export function createStep<S extends StepName>(deps: Deps, definition: StepDefinition<S>): Activity<S> {
  const { name, leased, phases, first } = definition;

  const work = async (subject: Subject, input: StepInput<S>, signal: AbortSignal): Promise<Reply<S>> => {
    const page = await deps.records.read(subject.key, input.rotationId);
    let stored = page.state;
    const patch = async (change: Change): Promise<ObjectState> => {
      stored = await patchState(deps, subject.key, change, stored, first ? taking : mine);
      return stored.value;
    };
    const { value: state } = stored;
    // What goes forward comes too late once the rotation is being undone.
    const mine = (now: ObjectState): boolean =>
      now.rotationId === input.rotationId &&
      phases.includes(now.phase) &&
      (now.phase !== "rolling-back" || input.turningBack);
    // The object is still as it was read, or was taken by another copy of this very step, which is as good.
    const taking = (now: ObjectState): boolean =>
      (now.rotationId === state.rotationId && now.phase === state.phase && now.step === state.step) ||
      (now.rotationId === input.rotationId && now.phase === "running" && (now.step ?? name) === name);
    if (first === undefined && !mine(state)) throw tooLate(name);
    const asked = page.commands.some(({ verb }) => verb === "rollback");
    const stoppable = definition.interruptible?.(input, state) ?? true;
    if (asked && stoppable && !input.turningBack) return { ok: false, interrupted: "rollback" };
    if (input.turningBack && state.phase !== "rolling-back")
      await patch({ phase: "rolling-back", idleSince: undefined });
    const { target } = subject.object.rotator;
    const round = "round" in input ? input.round : 1;
    const notes: Notes = {
      read: (note) => stored.value.notes?.[note],
      write: async (note, text) => void (await patch((now) => ({ notes: noted(now.notes, note, text) }))),
    };
    const { rotationId } = input;
    const slots = openSlots({
      subject,
      rotationId,
      notes,
      sourceVersion: state.sourceVersion ?? "",
      signal,
      ports: subject.zone.ports,
    });
    const step = { target, rotationId, round, ports: subject.zone.ports, notes, ...slots, signal };
    const scene = { deps, subject, state: stored.value, commands: page.commands, signal, step, patch };
    const done = await definition.run(scene, input);
    signal.throwIfAborted();
    const { state: next } = done;
    if (next !== undefined) await patch((now) => ({ step: name, ...changed(next, now) }));
    if (done.event !== undefined) await announce(deps, subject, input.rotationId, name, done.event, signal);
    return { ok: true, result: done.result, proofs: done.proofs ?? [] };
  };

  const begin = async (input: StepInput<S>, deadline: AbortSignal): Promise<Reply<S>> => {
    const subject = await findSubject(deps, input.objectId);
    if (subject === undefined) throw first && !(await isKnown(deps, input.objectId)) ? forged() : gone(input.objectId);
    if (!leased) return await work(subject, input, deadline);
    return await deps.withLease(accountOf(subject), () => work(subject, input, deadline));
  };

  return async (input) => {
    const deadline = AbortSignal.timeout(deadlineSeconds * 1000);
    try {
      // Calls to Pinion's own storage are not aborted: a late write of a record finds that its ETag is gone.
      return await Promise.race([begin(input, deadline), end(deadline)]);
    } catch (error) {
      const fault = toFault(error);
      const { objectId: object, rotationId } = input;
      const { code, message } = fault;
      deps.log("warning", `${name} of ${object}: ${code}. ${message}`, {
        counter: "step.failed",
        object,
        rotationId,
        step: name,
        code,
      });
      if (fault.code === "INTERNAL" && error instanceof Error) deps.log("error", placeOf(error));
      return { ok: false, fault, proofs: error instanceof Unproven ? error.proofs : [] };
    }
  };
}

/** Rejects when the deadline is over, so that a call that is never answered holds no rotation up. */
function end(deadline: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    deadline.addEventListener("abort", () => reject(deadline.reason as Error), { once: true });
  });
}

const changed = (change: Change, now: ObjectState): StatePatch => (typeof change === "function" ? change(now) : change);

/** Writes part of an object's state on top of what is there, which `known` is the last word of, as long as `due` holds of what is found instead. */
async function patchState(
  deps: Deps,
  key: string,
  change: Change,
  known: Stored<ObjectState>,
  due: (now: ObjectState) => boolean,
): Promise<Stored<ObjectState>> {
  for (let at = known; ; at = (await deps.records.read(key)).state) {
    if (at !== known && !due(at.value)) throw tooLate("a write of its state");
    const value = { ...at.value, ...changed(change, at.value) } as ObjectState;
    const etag = await deps.records.write(key, value, at.etag);
    if (etag !== undefined) return { value, etag };
  }
}

/** Tells the topic. The record of what happened is the state and the evidence, so an unreachable topic stops nothing. */
export async function announce(
  deps: Deps,
  subject: Subject,
  rotationId: string,
  step: string,
  event: NonNullable<Done<StepName>["event"]>,
  signal: AbortSignal,
): Promise<void> {
  const { object, vaultName } = subject;
  try {
    await deps.publish(
      {
        type: `Pinion.Rotation.${event.name}`,
        id: `${rotationId}/${step}/${event.name}`,
        subject: `${vaultName}/${object.kind}s/${object.name}`,
        time: new Date(deps.now()).toISOString(),
        data: {
          rotationId,
          objectId: object.id,
          vault: vaultName,
          kind: object.kind,
          name: object.name,
          step,
          ...event.data,
        },
      },
      signal,
    );
  } catch {
    deps.log("warning", `the event ${event.name} of ${object.id} could not be published`, { rotationId });
  }
}

function tooLate(name: string): PinionError {
  return new PinionError(
    "LEASE_LOST",
    `${name} came too late: the object has moved on to another phase or rotation, and nothing was changed.`,
  );
}

function gone(objectId: string): PinionError {
  return new PinionError(
    "OBJECT_UNKNOWN",
    `${objectId} is not in the policy, or has faults there: correct the policy; the rotation goes on then.`,
    {
      class: "transient",
    },
  );
}

/** Whether the policy knows an object, be it with faults; while it cannot be read, it may know any. */
async function isKnown(deps: Deps, objectId: string): Promise<boolean> {
  const { policy, faults } = await deps.policy();
  return (
    policy === undefined ||
    [...policy.objects.map(({ id }) => id), ...faults.map(({ object }) => object)].includes(objectId)
  );
}

/** Nobody's record can name an object that does not exist; waiting for it would keep a real one from being rotated. */
function forged(): PinionError {
  return new PinionError("COMMAND_MISSING", "This start names no object of the policy: nothing was changed.");
}

/** Where in the code an unexpected error arose, without its message, which may quote a value. */
function placeOf(error: Error): string {
  return (error.stack ?? "")
    .split("\n")
    .filter((line) => line.trimStart().startsWith("at "))
    .slice(0, 6)
    .join(" ");
}
