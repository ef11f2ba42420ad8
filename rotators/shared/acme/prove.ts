import { PinionError } from "../../../src/errors.ts";
import { notYet } from "../certificates/rotator.ts";
import type { ChallengeRecord } from "../dns/provider.ts";
import { answerAll, failureIn, openChallenges, readAuthorizations } from "./authorization.ts";
import { fewAtOnce } from "../few-at-once.ts";
import { count } from "./limits.ts";
import { writeOrderNote } from "./notes.ts";
import type { OrderNote } from "./notes.ts";
import type { Issuance } from "./issue.ts";
import type { Order } from "./order.ts";
import { notePlaces, notedValues, same } from "./values.ts";

/** A value that is not to be seen for so long never will be: the zone is not the one that the CA asks. */
const mostPatience = 3_600_000;
const width = 4;

/**
 * Shows the CA that the names are ours, as far as this call's time allows: notes the values, publishes them all, waits until every
 * server shows them, and only then tells the CA to look; a name and its wildcard hold two values at one place, so none is looked at
 * before all are there.
 * Throws `ISSUANCE_PENDING` when it must be called again, `CHALLENGE_FAILED` with the domain when a name cannot be proven.
 */
export async function proveNames(issuance: Issuance, order: Order, note: OrderNote): Promise<OrderNote> {
  if (note.answered) return note;
  const { step, client, account, publisher } = issuance;
  const authorizations = await readAuthorizations(step, account, order);
  const failure = failureIn(authorizations);
  if (failure) {
    await count(step, note.set, "failed", order.url);
    throw failure;
  }
  const challenges = openChallenges(client, publisher.type, authorizations);
  const records = challenges.map(({ record }) => record);
  await notePlaces(step.notes, records, publisher);
  const published = await publishNoted(issuance, records, note);
  await untilVisible(issuance, records, published.publishedAt!);
  await answerAll(step, account, challenges);
  return await writeOrderNote(step.notes, { ...published, answered: true });
}

/**
 * Publishes what is noted and not yet published, in order, and keeps count, so that a hundred names need not fit into one call. Values that
 * an earlier order left behind are not asked for any more.
 */
async function publishNoted(
  { step, publisher, pace }: Issuance,
  records: readonly ChallengeRecord[],
  note: OrderNote,
): Promise<OrderNote> {
  const values = notedValues(step.notes);
  let published = note.published ?? 0;
  if (note.publishedAt !== undefined && published >= values.length) return note;
  while (published < values.length && !pace.over()) {
    const value = values[published++]!;
    if (records.some((record) => same(record, value))) await publisher.publish(value);
  }
  const whole = published === values.length;
  const next = { ...note, published, ...(whole ? { publishedAt: step.ports.now() } : {}) };
  await writeOrderNote(step.notes, next);
  if (!whole) throw notYet(`${published} of ${values.length} challenge values are published.`);
  return next;
}

async function untilVisible(
  { step, publisher, pace }: Issuance,
  records: readonly ChallengeRecord[],
  since: number,
): Promise<void> {
  let hidden = [...records];
  for (;;) {
    const looks = await fewAtOnce(hidden, width, async (record) => ({ record, ...(await publisher.visible(record)) }));
    const missing = looks.filter(({ everywhere }) => !everywhere);
    const [first] = missing;
    if (!first) return;
    const told = `${first.record.name} does not show its value everywhere: ${first.detail}`;
    if (step.ports.now() - since > mostPatience) {
      throw new PinionError(
        "CHALLENGE_FAILED",
        `${told}; it was published an hour ago. Check that \`challenge\` in the target names the zone that the public DNS asks.`,
      );
    }
    hidden = missing.map(({ record }) => record);
    if (pace.over() || !(await pace.wait())) throw notYet(`${told}; it is looked at again.`, 10);
  }
}
