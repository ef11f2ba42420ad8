import { PinionError } from "../errors.ts";
import { type Check, type Finding, type Said, unlooked } from "./finding.ts";

/** Milliseconds that one check may take. */
const patience = 25_000;

/**
 * Runs checks side by side, each within its time; those that need another one wait for it, and are not run where it has a fault that stops. Findings
 * come in the order of the list. A check that throws, or takes too long, is one finding of level `unknown`.
 */
export async function examine<C>(
  checks: readonly Check<C>[],
  context: C,
  { limit = patience }: { readonly limit?: number } = {},
): Promise<readonly Finding[]> {
  const begun = new Map<string, Promise<readonly Finding[]>>();
  const findingsOf = (check: Check<C>): Promise<readonly Finding[]> => {
    const known = begun.get(check.id) ?? look(check);
    begun.set(check.id, known);
    return known;
  };
  const look = async (check: Check<C>): Promise<readonly Finding[]> => {
    const { id, area, needs = [] } = check;
    const stamp = (said: Said): Finding => ({ check: id, area, ...said });
    for (const need of needs) {
      const first = checks.find((other) => other.id === need);
      const faulty = first !== undefined && (await findingsOf(first)).some(stopping);
      if (faulty)
        return [
          { ...stamp({ level: "unknown", subject: "", says: `Not looked at: ${need} comes first.` }), after: need },
        ];
    }
    return (await within(limit, check, context)).map(stamp);
  };
  return (await Promise.all(checks.map(findingsOf))).flat();
}

/** A fault that stops, or the echo of one further up. */
const stopping = ({ stops, after }: Finding): boolean => stops === true || after !== undefined;

async function within<C>(limit: number, check: Check<C>, context: C): Promise<readonly Said[]> {
  const ended = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new PinionError("DEADLINE_EXCEEDED", `There was no answer in ${limit / 1000} s.`));
      ended.abort();
    }, limit);
  });
  try {
    return await Promise.race([check.run(context, ended.signal), late]);
  } catch (error) {
    return [unlooked("", error)];
  } finally {
    clearTimeout(timer);
  }
}
