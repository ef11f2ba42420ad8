import { z } from "zod";

/** A length of time in milliseconds. */
export type Milliseconds = number;

const units = { W: 604_800_000, D: 86_400_000, H: 3_600_000, M: 60_000, S: 1_000 } as const;

/** The longest duration accepted: 36,500 days. Dates stay far inside what JavaScript and Key Vault can hold. */
const longest = 36_500 * units.D;

const pattern = /^P(?:(\d{1,9})W)?(?:(\d{1,9})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})S)?)?$/;
const expected =
  "an ISO 8601 duration of weeks, days, hours, minutes and seconds in whole numbers, such as P90D, PT48H or P1DT2H";

/** Why a text is not a duration we take, or undefined when it is one. */
function refusal(text: string): string | undefined {
  if (/^P\d+[YM]|^P\d+Y\d+M/.test(text)) {
    return "a duration in days or weeks (P90D, P13W): years and months have no fixed length, so they are not accepted";
  }
  // `P`, `PT` and `P1DT` match the pattern with nothing behind a letter that promises something.
  if (!pattern.test(text) || /[PT]$/.test(text)) return expected;
  return sum(text) > longest ? "a duration of at most P36500D" : undefined;
}

function sum(text: string): Milliseconds {
  const [, weeks = 0, days = 0, hours = 0, minutes = 0, seconds = 0] = pattern.exec(text) ?? [];
  return (
    Number(weeks) * units.W +
    Number(days) * units.D +
    Number(hours) * units.H +
    Number(minutes) * units.M +
    Number(seconds) * units.S
  );
}

/**
 * Reads an ISO 8601 duration restricted to weeks, days, hours, minutes and seconds: a day is always 24 hours.
 * Years and months are refused, since their length depends on the date. Throws a RangeError that says what was expected.
 */
export function parseDuration(text: string): Milliseconds {
  const why = refusal(text);
  if (why !== undefined) throw new RangeError(`Expected ${why}.`);
  return sum(text);
}

/** The shortest ISO 8601 text of a duration, in days and smaller: P90D, P1DT2H, PT0S. Parts of a second are dropped. */
export function formatDuration(duration: Milliseconds): string {
  let rest = Math.max(0, duration);
  const take = (unit: "D" | "H" | "M" | "S"): string => {
    const count = Math.floor(rest / units[unit]);
    rest -= count * units[unit];
    return count === 0 ? "" : `${count}${unit}`;
  };
  const days = take("D");
  const time = take("H") + take("M") + take("S");
  return days === "" && time === "" ? "PT0S" : `P${days}${time === "" ? "" : `T${time}`}`;
}

/** The schema of a duration in a file: ISO 8601 text in, milliseconds out. Its fault texts say what was expected. */
export const durationSchema = z
  .string({ error: expected })
  .meta({ pattern: pattern.source, examples: ["P90D", "PT48H", "P1DT2H"] })
  .transform((text, context): Milliseconds => {
    const why = refusal(text);
    if (why === undefined) return sum(text);
    context.issues.push({ code: "custom", message: why, input: text });
    return z.NEVER;
  });

/** As {@link durationSchema}, and longer than nothing. */
export const positiveDurationSchema = durationSchema.refine((duration) => duration > 0, {
  error: "a duration longer than PT0S",
});
