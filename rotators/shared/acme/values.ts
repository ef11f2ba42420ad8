import { deflateRawSync, inflateRawSync } from "node:zlib";
import { z } from "zod";
import type { Notes } from "../../../src/rotator.ts";
import { isForGood } from "./errors.ts";
import { notYet } from "../certificates/rotator.ts";
import { fewAtOnce } from "../few-at-once.ts";
import type { Publisher } from "../challenge.ts";
import type { ChallengeRecord } from "../dns/provider.ts";
import type { Pace } from "./pace.ts";

// Values are noted before they are published, so that whatever happens they can be withdrawn. All of them stand in one note; a hundred
// long names are more than notes may hold, but they are much alike, so they are deflated.

const noteName = "acme-values";
const texts = z.array(z.tuple([z.string(), z.string(), z.string().optional()]));

/** Every value that may be published now, in the order they were noted. */
export function notedValues(notes: Notes): ChallengeRecord[] {
  const text = notes.read(noteName);
  if (text === undefined) return [];
  const json = inflateRawSync(Buffer.from(text, "base64url")).toString("utf8");
  return texts
    .parse(JSON.parse(json))
    .map(([name, value, place]) => ({ name, value, ...(place !== undefined && { place }) }));
}

/** Notes values that are not noted yet, after those that are. */
export async function noteValues(notes: Notes, records: readonly ChallengeRecord[]): Promise<void> {
  const noted = notedValues(notes);
  const all = [...noted];
  for (const record of records) if (!all.some((one) => same(one, record))) all.push(record);
  if (all.length > noted.length) await write(notes, all);
}

/** The same with the place of each, so that it is withdrawn where it was written, even if its CNAME leads elsewhere by then. */
export async function notePlaces(
  notes: Notes,
  records: readonly ChallengeRecord[],
  publisher: Publisher,
): Promise<void> {
  const noted = notedValues(notes);
  const fresh = records.filter((record) => !noted.some((one) => same(one, record)));
  const placed = await fewAtOnce(fresh, 4, async (record) => {
    const place = await publisher.place?.(record.name);
    return { ...record, ...(place !== undefined && { place }) };
  });
  await noteValues(notes, placed);
}

/**
 * Withdraws every noted value and forgets it. One that cannot be withdrawn stays noted and stops no other; then what may pass is thrown
 * before what stays. `ISSUANCE_PENDING` when this call's time is over before all are tried, and the next one may get further.
 */
export async function withdrawValues(notes: Notes, publisher: Publisher, pace: Pace): Promise<void> {
  const noted = notedValues(notes);
  const failures: unknown[] = [];
  const failed: ChallengeRecord[] = [];
  let tried = 0;
  while (tried < noted.length && !pace.over()) {
    const record = noted[tried++]!;
    await publisher.withdraw(record).catch((error: unknown) => {
      failures.push(error);
      failed.push(record);
    });
  }
  const untried = noted.slice(tried);
  // The next call begins with what this one had no time for.
  const left = [...untried, ...failed];
  if (left.length < noted.length) await write(notes, left);
  const passing = failures.find((error) => !isForGood(error));
  if (passing !== undefined) throw passing;
  const further = failures.length === 0 || left.length < noted.length;
  if (untried.length > 0 && further) throw notYet(`${untried.length} challenge values are still to be withdrawn.`);
  if (failures.length > 0) throw failures[0];
}

/** Of values that nobody can withdraw any more only so many are remembered: notes are small. */
const mostStuck = 20;

/** Like {@link withdrawValues}, but what cannot be withdrawn for good holds nothing up: it stays noted, for the next call or rotation. */
export async function withdrawWhatCan(notes: Notes, publisher: Publisher, pace: Pace): Promise<void> {
  try {
    await withdrawValues(notes, publisher, pace);
  } catch (error) {
    if (!isForGood(error)) throw error;
    const stuck = notedValues(notes);
    if (stuck.length > mostStuck) await write(notes, stuck.slice(-mostStuck));
  }
}

async function write(notes: Notes, records: readonly ChallengeRecord[]): Promise<void> {
  const json = JSON.stringify(
    records.map(({ name, value, place }) => (place === undefined ? [name, value] : [name, value, place])),
  );
  await notes.write(noteName, records.length === 0 ? undefined : deflateRawSync(json).toString("base64url"));
}

export const same = (a: ChallengeRecord, b: ChallengeRecord) => a.name === b.name && a.value === b.value;
