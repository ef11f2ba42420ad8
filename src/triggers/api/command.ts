import { randomUUID } from "node:crypto";
import { z } from "zod";
import { PinionError } from "../../errors.ts";
import type { Command, Verb } from "../../store/types.ts";
import { readBody, reasonText, rotationIdText } from "./body.ts";
import { requireOperator } from "./caller.ts";
import { json } from "./problem.ts";
import { type ApiHandler, subjectOf } from "./route.ts";

const body = z.strictObject({
  rotationId: rotationIdText,
  reason: reasonText.optional(),
  change: reasonText.optional(),
});

/**
 * `POST /api/rotations/{id}/rollback` and `.../finish`: records the command, then wakes the orchestration. The record and the state are
 * written in one transaction, so either the command is read before the point of no return or the caller gets 409.
 */
export const command =
  (verb: Exclude<Verb, "start">): ApiHandler =>
  async (call) => {
    requireOperator(call.actor, call.config);
    const subject = await subjectOf(call);
    const { rotationId, reason, change } = await readBody(call.request, body);
    const record: Command = {
      id: `${verb}-${randomUUID()}`,
      verb,
      rotationId,
      actor: call.actor,
      at: new Date(call.deps.now()).toISOString(),
      version: "",
      ...(reason !== undefined && { reason }),
      ...(change !== undefined && { change }),
    };
    for (;;) {
      const { state } = await call.deps.records.read(subject.key);
      const { rotationId: current, phase, pointOfNoReturn, sourceVersion = "" } = state.value;
      if (current !== rotationId)
        throw new PinionError(
          "NOT_FOUND",
          `${subject.object.id} has no rotation ${rotationId} that could be commanded.`,
        );
      if (phase === "idle")
        throw new PinionError(
          "CONFLICT",
          `Rotation ${rotationId} has ended (${state.value.outcome ?? "unknown"}): nothing is left to ${verb === "finish" ? "finish" : "roll back"}.`,
        );
      if (verb === "rollback" && pointOfNoReturn) {
        throw new PinionError(
          "POINT_OF_NO_RETURN",
          "The former credential is being revoked: it is too late to roll back. Start a new rotation instead.",
        );
      }
      if (phase === "rolling-back") {
        if (verb === "rollback") break;
        throw new PinionError("CONFLICT", `Rotation ${rotationId} is being rolled back.`);
      }
      if (await call.deps.records.command(subject.key, { ...record, version: sourceVersion }, state)) break;
    }
    await call.engine.wake(subject.key);
    return json(202, { id: subject.object.id, rotationId, command: verb });
  };
