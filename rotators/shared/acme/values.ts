import { z } from "zod";
import type { Notes } from "../../../src/rotator.ts";
import type { ChallengeRecord } from "../dns/provider.ts";
import { notYet } from "./errors.ts";
import { parseNote } from "./notes.ts";
import type { Pace } from "./pace.ts";

/** A challenger with its settings: what `issue` and `abandon` publish and withdraw values through. */
export interface Publisher {
  readonly type: "dns-01" | "http-01";
  publish(record: ChallengeRecord): Promise<void>;
  withdraw(record: ChallengeRecord): Promise<void>;
  visible(record: ChallengeRecord): Promise<{ readonly everywhere: boolean; readonly detail: string }>;
}

// Values are noted before they are published, so that whatever happens they can be withdrawn. Notes are small: as many values as fit
// stand in `acme-values-0`, the next in `acme-values-1`, and so on. They only ever grow at the end and shrink from it.

const chunk = z.array(z.tuple([z.string(), z.string()]));
const largest = 1900;
const nameOf = (index: number) => `acme-values-${index}`;

/** Every value that may be published now, in the order they were noted. */
export function notedValues(notes: Notes): ChallengeRecord[] {
  return chunks(notes).flat();
}

/** Notes values that are not noted yet, after those that are. */
export async function noteValues(notes: Notes, records: readonly ChallengeRecord[]): Promise<void> {
  const noted = notedValues(notes);
  const fresh = records.filter((record) => !noted.some((one) => same(one, record)));
  const all = chunks(notes);
  let index = Math.max(all.length - 1, 0);
  let open = all[index] ?? [];
  for (const record of fresh) {
    if (textOf([...open, record]).length > largest) {
      await notes.write(nameOf(index), textOf(open));
      index++;
      open = [];
    }
    open = [...open, record];
  }
  if (fresh.length > 0) await notes.write(nameOf(index), textOf(open));
}

/**
 * Withdraws every noted value and forgets it. One that cannot be withdrawn stays noted and stops no other; the first such failure is
 * thrown in the end. `ISSUANCE_PENDING` when this call's time is over before all are gone.
 */
export async function withdrawValues(notes: Notes, publisher: Publisher, pace: Pace): Promise<void> {
  const failures: unknown[] = [];
  let kept = 0;
  for (const [index, records] of [...chunks(notes).entries()].reverse()) {
    const left: ChallengeRecord[] = [];
    for (const record of records) {
      if (pace.over()) {
        left.push(record);
        continue;
      }
      await publisher.withdraw(record).catch((error: unknown) => {
        failures.push(error);
        left.push(record);
      });
    }
    kept += left.length;
    // A chunk in the middle is kept, though empty: the ones after it are found by counting on.
    if (left.length < records.length || records.length === 0) {
      await notes.write(nameOf(index), kept === 0 ? undefined : textOf(left));
    }
  }
  if (failures.length > 0) throw failures[0];
  if (kept > 0) throw notYet(`${kept} challenge values are still to be withdrawn.`);
}

function chunks(notes: Notes): ChallengeRecord[][] {
  const all: ChallengeRecord[][] = [];
  for (;;) {
    const pairs = parseNote(notes.read(nameOf(all.length)), chunk);
    if (!pairs) return all;
    all.push(pairs.map(([name, value]) => ({ name, value })));
  }
}

const textOf = (records: readonly ChallengeRecord[]) => JSON.stringify(records.map(({ name, value }) => [name, value]));

const same = (a: ChallengeRecord, b: ChallengeRecord) => a.name === b.name && a.value === b.value;
