import { PinionError } from "../../errors.ts";
import { readEvidence } from "../../evidence/record.ts";
import { rotationIdText } from "./body.ts";
import { json } from "./problem.ts";
import type { ApiHandler } from "./route.ts";

/** `GET /api/evidence/{rotationId}`: the record as it was written. */
export const evidence: ApiHandler = async ({ request, deps }) => {
  const rotationId = rotationIdText.safeParse(request.params["rotationId"]);
  const found = rotationId.success ? await readEvidence(deps.evidence, rotationId.data) : undefined;
  if (found === undefined)
    throw new PinionError(
      "NOT_FOUND",
      "There is no evidence for that rotation id: a rotation's record is written when it ends.",
    );
  return json(200, found);
};
