import { PinionError } from "../errors.ts";
import type { ObjectState } from "../store/types.ts";

/** Characters of all notes together, as JSON: a table's property holds 32,000 with everything else. */
const room = 16_000;

/** An object's notes with one of them changed, or forgotten. */
export function noted(
  before: ObjectState["notes"],
  name: string,
  text: string | undefined,
): NonNullable<ObjectState["notes"]> {
  const { [name]: _former, ...others } = before ?? {};
  const notes = text === undefined ? others : { ...others, [name]: text };
  if (JSON.stringify(notes).length <= room) return notes;
  throw new PinionError("TARGET_MISCONFIGURED", `A rotator wants to remember more than ${room} characters (${name}).`);
}
