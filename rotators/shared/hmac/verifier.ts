import { PinionError } from "../../../src/errors.ts";
import type { Credential, Step } from "../../../src/rotator.ts";
import { within } from "../within.ts";
import { textOf } from "./secret.ts";
import type { HmacTarget } from "./target.ts";
import { openWebhook } from "./webhook.ts";

/** What a verifier accepts now, and the way to change it. */
export interface Accepted {
  has(credential: Credential): boolean;
  /** How many entries are none of these, and in nobody's way only where the policy keeps them. */
  others(known: readonly Credential[]): number;
  readonly size: number;
  readonly mark: string | undefined;
  /** False where it was changed since it was read. */
  change(change: Change, mark: string): Promise<boolean>;
}

export type Change = { readonly accept: readonly Credential[] } | { readonly drop: Credential };

/** The verifier's list, from its vault or from the verifier itself. */
export async function readAccepted(step: Step<HmacTarget>): Promise<Accepted> {
  const { verifier } = step.target;
  return "secret" in verifier ? await openList(step, verifier) : await openWebhook(step, verifier);
}

/** The tag of the list's newest version that says which rotation wrote it. */
const markTag = "pinion-mark";

async function openList(
  { ports, signal }: Step<HmacTarget>,
  { secret: url, format, others }: Extract<HmacTarget["verifier"], { secret: string }>,
): Promise<Accepted> {
  const { value, version, tags } = await within(signal, ports.newestSecret(url));
  const entries = parseList(value, format);
  return {
    size: entries.length,
    has: (credential) => entries.includes(textOf(credential)),
    others: (known) => (others === "keep" ? 0 : entries.filter((entry) => !known.map(textOf).includes(entry)).length),
    mark: tags[markTag],
    async change(change, mark) {
      const next = changed(entries, change);
      try {
        await within(signal, ports.writeSecret(url, version, formatList(next, format), { [markTag]: mark }));
        return true;
      } catch (error) {
        if (error instanceof PinionError && error.code === "OUT_OF_BAND_CHANGE") return false;
        throw error;
      }
    },
  };
}

/** The new secret comes first: who signs with the first of a list has it at once. */
function changed(entries: readonly string[], change: Change): string[] {
  if ("drop" in change) return entries.filter((entry) => entry !== textOf(change.drop));
  return [...new Set([...change.accept.map(textOf), ...entries])];
}

/** `TARGET_MISCONFIGURED` for what is no list; its text is never quoted. */
export function parseList(value: string, format: "space-separated" | "json-array"): string[] {
  if (format === "space-separated") return value.split(/\s+/).filter((entry) => entry !== "");
  try {
    const found: unknown = JSON.parse(value);
    if (Array.isArray(found) && found.every((entry): entry is string => typeof entry === "string")) return found;
  } catch {
    // Its message would quote the text.
  }
  throw new PinionError(
    "TARGET_MISCONFIGURED",
    "The verifier's list is no JSON array of texts; correct it, or the format.",
  );
}

export const formatList = (entries: readonly string[], format: "space-separated" | "json-array"): string =>
  format === "json-array" ? JSON.stringify(entries) : entries.join(" ");
