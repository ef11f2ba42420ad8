import { randomUUID } from "node:crypto";
import type { Deps, Subject } from "../activities/deps.ts";
import { PinionError } from "../errors.ts";
import type { Actor, Command, ObjectState, Verb } from "../store/types.ts";
import type { Engine } from "./engine.ts";
import { takeUpIfLost } from "./take-up.ts";

/** A command for a rotation that is under way. */
export interface Order {
  readonly verb: Exclude<Verb, "start" | "withdraw">;
  readonly rotationId: string;
  readonly actor: Actor;
  readonly reason?: string | undefined;
  readonly change?: string | undefined;
}

/**
 * Records a command, then wakes the orchestration, or starts another one where it was lost. The record and the state are written in one transaction, so either the command is
 * read before the point of no return or this throws: `NOT_FOUND` for another rotation than the object's, `CONFLICT` where nothing is
 * left to command, `POINT_OF_NO_RETURN` for a rollback that comes too late.
 */
export async function giveCommand(deps: Deps, engine: Engine, subject: Subject, order: Order): Promise<void> {
  const { verb, rotationId, actor, reason, change } = order;
  const record: Omit<Command, "version"> = {
    id: `${verb}-${randomUUID()}`,
    verb,
    rotationId,
    actor,
    at: new Date(deps.now()).toISOString(),
    ...(reason !== undefined && { reason }),
    ...(change !== undefined && { change }),
  };
  let state: ObjectState;
  for (;;) {
    const page = await deps.records.read(subject.key);
    state = page.state.value;
    if (given(subject, state, order)) break;
    const { sourceVersion: version = "" } = state;
    if (await deps.records.command(subject.key, { ...record, version }, page.state)) break;
  }
  // An app that only observes starts nothing, not even again.
  if (deps.observe || (await takeUpIfLost(engine, subject, state)) !== "taken-up") await engine.wake(subject.key);
}

/** Whether the rotation does already what is asked; throws where it never will. */
function given({ object }: Subject, state: ObjectState, { verb, rotationId }: Order): boolean {
  const { rotationId: current, phase, pointOfNoReturn, outcome = "unknown" } = state;
  if (current !== rotationId)
    throw new PinionError("NOT_FOUND", `${object.id} has no rotation ${rotationId} that could be commanded.`);
  if (phase === "idle") {
    const what = { finish: "finish", rollback: "roll back", merge: "merge" }[verb];
    throw new PinionError("CONFLICT", `Rotation ${rotationId} has ended (${outcome}): nothing is left to ${what}.`);
  }
  if (verb === "rollback" && pointOfNoReturn) {
    throw new PinionError(
      "POINT_OF_NO_RETURN",
      "The former credential is being revoked, or was given up on: it is too late to roll back. Start a new rotation instead.",
    );
  }
  if (phase !== "rolling-back") return false;
  if (verb === "rollback") return true;
  throw new PinionError("CONFLICT", `Rotation ${rotationId} is being rolled back.`);
}
