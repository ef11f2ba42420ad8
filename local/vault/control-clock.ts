import { z } from "zod";
import { parseDuration } from "../../src/duration.ts";
import { ok, parse } from "./control-body.ts";
import type { ControlCall, ControlRoute } from "./controls.ts";
import type { Reply } from "./model.ts";
import { badParameter, errorReply } from "./refusal.ts";

const clockSchema = z.strictObject({
  /** ISO 8601. */
  set: z.iso.datetime({ offset: true }).optional(),
  /** Seconds, or an ISO 8601 duration. */
  advance: z.union([z.number().nonnegative(), z.string()]).optional(),
  frozen: z.boolean().optional(),
});

const lastInstant = Date.UTC(9999, 11, 31);

const show = ({ control: { clock } }: Pick<ControlCall, "control">): Reply =>
  ok({ now: new Date(clock.now()).toISOString(), frozen: clock.frozen?.() ?? false });

function move({ control, raw }: ControlCall): Reply {
  const { set, advance, frozen } = parse(clockSchema, raw);
  const { clock } = control;
  const unmovable = (set !== undefined && !clock.set) || (frozen !== undefined && !clock.freeze);
  if (unmovable || (advance !== undefined && !clock.advance)) {
    return errorReply(409, "Conflict", "The clock of these vaults cannot be moved so.");
  }
  const milliseconds = advance === undefined ? undefined : length(advance);
  const target = (set === undefined ? clock.now() : Date.parse(set)) + (milliseconds ?? 0);
  if (!(target >= 0 && target <= lastInstant)) throw badParameter("The clock runs from 1970 to 9999.");
  try {
    if (set !== undefined) clock.set?.(Date.parse(set));
    if (milliseconds !== undefined) clock.advance?.(milliseconds);
    if (frozen !== undefined) clock.freeze?.(frozen);
  } catch (error) {
    if (error instanceof RangeError) throw badParameter(error.message);
    throw error;
  }
  return show({ control });
}

function length(advance: number | string): number {
  if (typeof advance === "number") return advance * 1000;
  try {
    return parseDuration(advance);
  } catch {
    throw badParameter(`advance: ${advance} is no ISO 8601 duration.`);
  }
}

/** What moves the clock, for all vaults. */
export const clockRoutes: readonly ControlRoute[] = [
  { method: "GET", path: "clock", does: "The instant that the vaults go by, and whether it stands still.", run: show },
  {
    method: "POST",
    path: "clock",
    does: "Moves it, for all vaults: {set?: ISO 8601 instant, advance?: seconds or ISO 8601 duration, frozen?: true | false}, in this order.",
    run: move,
  },
];
