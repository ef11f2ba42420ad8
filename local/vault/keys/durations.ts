const day = 86_400_000;
const units = [365 * day, 30 * day, 7 * day, day, 3_600_000, 60_000, 1000];
const pattern = /^P(?=\w)(\d{1,6}Y)?(\d{1,6}M)?(\d{1,6}W)?(\d{1,6}D)?(?:T(?=\d)(\d{1,6}H)?(\d{1,6}M)?(\d{1,6}S)?)?$/;

/**
 * Milliseconds of an ISO 8601 duration (P90D, P3M, P1Y10D, PT48H), or undefined when the text is none. A year counts 365
 * days and a month 30, so that a duration has one length, whenever it begins.
 */
export function durationMs(text: string): number | undefined {
  const parts = pattern.exec(text)?.slice(1);
  return parts?.reduce((sum, part, index) => sum + Number.parseInt(part || "0", 10) * units[index]!, 0);
}
