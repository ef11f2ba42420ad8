import { z } from "zod";
import { giveCommand } from "../give-command.ts";
import { readBody, reasonText, rotationIdText } from "./body.ts";
import { json } from "./problem.ts";
import { type ApiHandler, subjectOf } from "./route.ts";

const body = z.strictObject({
  rotationId: rotationIdText,
  reason: reasonText.optional(),
  change: reasonText.optional(),
});

/** `POST /api/rotations/{id}/rollback` and `.../finish`: 202 once the command is recorded, 409 where it comes too late. */
export const command =
  (verb: "rollback" | "finish"): ApiHandler =>
  async (call) => {
    const subject = await subjectOf(call);
    const { rotationId, reason, change } = await readBody(call.request, body);
    await giveCommand(call.deps, call.engine, subject, { verb, rotationId, actor: call.actor, reason, change });
    return json(202, { id: subject.object.id, rotationId, command: verb });
  };
