import { deflateRawSync, inflateRawSync } from "node:zlib";
import { z } from "zod";
import type { Notes } from "../../../src/rotator.ts";
import { notYet } from "../certificates/rotator.ts";
import type { Publisher } from "../challenge.ts";
import type { ChallengeRecord } from "../dns/provider.ts";
import type { Pace } from "./pace.ts";

// Values are noted before they are published, so that whatever happens they can be withdrawn. All of them stand in one note; a hundred
// long names are more than notes may hold, but they are much alike, so they are deflated.

const noteName = "acme-values";
const pairs = z.array(z.tuple([z.string(), z.string()]));

/** Every value that may be published now, in the order they were noted. */
export function notedValues(notes: Notes): ChallengeRecord[] {
  const text = notes.read(noteName);
  if (text === undefined) return [];
  const json = inflateRawSync(Buffer.from(text, "base64url")).toString("utf8");
  return pairs.parse(JSON.parse(json)).map(([name, value]) => ({ name, value }));
}

/** Notes values that are not noted yet, after those that are. */
export async function noteValues(notes: Notes, records: readonly ChallengeRecord[]): Promise<void> {
  const noted = notedValues(notes);
  const all = [...noted];
  for (const record of records) if (!all.some((one) => same(one, record))) all.push(record);
  if (all.length > noted.length) await write(notes, all);
}

/**
 * Withdraws every noted value and forgets it. One that cannot be withdrawn stays noted and stops no other; the first such failure is
 * thrown in the end. `ISSUANCE_PENDING` when this call's time is over before all are gone.
 */
export async function withdrawValues(notes: Notes, publisher: Publisher, pace: Pace): Promise<void> {
  const noted = notedValues(notes);
  if (noted.length === 0) return;
  const failures: unknown[] = [];
  const left: ChallengeRecord[] = [];
  for (const record of noted) {
    if (pace.over()) {
      left.push(record);
      continue;
    }
    await publisher.withdraw(record).catch((error: unknown) => {
      failures.push(error);
      left.push(record);
    });
  }
  if (left.length < noted.length) await write(notes, left);
  if (failures.length > 0) throw failures[0];
  if (left.length > 0) throw notYet(`${left.length} challenge values are still to be withdrawn.`);
}

async function write(notes: Notes, records: readonly ChallengeRecord[]): Promise<void> {
  const json = JSON.stringify(records.map(({ name, value }) => [name, value]));
  await notes.write(noteName, records.length === 0 ? undefined : deflateRawSync(json).toString("base64url"));
}

const same = (a: ChallengeRecord, b: ChallengeRecord) => a.name === b.name && a.value === b.value;
