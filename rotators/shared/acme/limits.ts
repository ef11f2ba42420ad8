import { createHash } from "node:crypto";
import { z } from "zod";
import { PinionError } from "../../../src/errors.ts";
import { parseNote } from "./notes.ts";
import type { AcmeStep } from "./target.ts";

/** What counted against a CA's limits: for which set of names, when (milliseconds), what, and a short hash of the order. */
const history = z.array(z.tuple([z.string(), z.number(), z.enum(["issued", "failed"]), z.string()]));

type Event = z.output<typeof history>[number];

const name = "acme-history";
const hour = 3_600_000;
/** Notes are small. */
const most = 50;

/** Longer than this and a rotation does not wait: it fails, and says when it may be started again. */
const longestWait = hour;

const limitNote = "acme-limited";
const limit = z.object({ set: z.string(), until: z.number() });

/** Remembers for how long the CA refuses orders of these names: longer than a rotation lasts, perhaps. */
export async function noteLimit(step: AcmeStep, set: string, fault: PinionError): Promise<void> {
  const { code, retryAfterSeconds } = fault;
  if (code !== "ISSUANCE_LIMITED" || retryAfterSeconds === undefined) return;
  await step.notes.write(limitNote, JSON.stringify({ set, until: step.ports.now() + retryAfterSeconds * 1000 }));
}

/**
 * Refuses an order that would reach a limit of the CA: certificates for exactly these names, validations that failed, or what the CA
 * itself said. The error says when it may go on; it is throttled up to an hour, else permanent. An order that replaces a certificate by ARI does not count as a
 * duplicate at Let's Encrypt, and can be made once only for each certificate.
 */
export function assertWithinLimits(step: AcmeStep, set: string, { replacing }: { readonly replacing: boolean }): void {
  const told = parseNote(step.notes.read(limitNote), limit);
  if (told?.set === set && told.until > step.ports.now())
    throw limited(step, "The CA refuses more orders for these names", told.until);
  const { duplicates, failures } = step.target.limits;
  const events = read(step).filter(([of]) => of === set);
  const rules = [
    ...(replacing ? [] : [{ kind: "issued", ...duplicates, what: "certificates for exactly these names" }]),
    { kind: "failed", ...failures, what: "failed validations" },
  ];
  for (const { kind, count, hours, what } of rules) {
    const times = events.filter(([, , of]) => of === kind).map(([, at]) => at);
    const recent = times.filter((at) => at > step.ports.now() - hours * hour).sort((a, b) => a - b);
    if (recent.length < count) continue;
    const why = `There were ${recent.length} ${what} within ${hours} h, as many as \`limits\` of the target allow`;
    throw limited(step, why, recent.at(-count)! + hours * hour);
  }
}

function limited(step: AcmeStep, why: string, until: number): PinionError {
  const wait = until - step.ports.now();
  return new PinionError(
    "ISSUANCE_LIMITED",
    `${why}; it may go on from ${new Date(until).toISOString()}.`,
    wait <= longestWait ? { class: "throttled", retryAfterSeconds: Math.ceil(wait / 1000) } : {},
  );
}

/** Remembers what counts. One order counts once for each kind, however often this is called. */
export async function count(step: AcmeStep, set: string, kind: Event[2], orderUrl: string): Promise<void> {
  const order = shortOf(orderUrl);
  const events = read(step);
  if (events.some(([, , of, which]) => of === kind && which === order)) return;
  const { duplicates, failures } = step.target.limits;
  const oldest = step.ports.now() - Math.max(duplicates.hours, failures.hours) * hour;
  const kept = events.filter(([, at]) => at > oldest);
  await step.notes.write(name, JSON.stringify([...kept, [set, step.ports.now(), kind, order]].slice(-most)));
}

/** An order that came to no certificate counts as none after all. */
export async function uncount(step: AcmeStep, orderUrl: string): Promise<void> {
  const events = read(step);
  const kept = events.filter(([, , of, which]) => of !== "issued" || which !== shortOf(orderUrl));
  if (kept.length < events.length) await step.notes.write(name, kept.length === 0 ? undefined : JSON.stringify(kept));
}

const shortOf = (orderUrl: string): string => createHash("sha256").update(orderUrl).digest("base64url").slice(0, 12);

function read(step: AcmeStep): Event[] {
  return parseNote(step.notes.read(name), history) ?? [];
}
