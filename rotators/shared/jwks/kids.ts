import { PinionError } from "../../../src/errors.ts";
import { thumbprint } from "../jwk.ts";
import { within } from "../within.ts";
import type { Credential } from "../../../src/rotator.ts";
import type { Publishing } from "./target.ts";

// The vault does not show a version that somebody has disabled, and its `kid` comes from the key itself: so it is noted.

const note = "jwks-kids";
/** Of so many versions: more than one rotation publishes, and a note is short. */
const most = 6;

type Noted = readonly [url: string, kid: string];

const notedKids = ({ notes }: Publishing): Noted[] =>
  (notes.read(note)?.split("\n") ?? []).map((line) => line.split(" ") as unknown as Noted);

/** Remembers under which `kid` versions are published. */
export async function noteKids(step: Publishing, added: readonly Noted[]): Promise<void> {
  const known = notedKids(step);
  const fresh = added.filter(([url]) => !known.some(([other]) => other === url));
  if (fresh.length === 0) return;
  const lines = [...known, ...fresh].slice(-most).map((one) => one.join(" "));
  await step.notes.write(note, lines.join("\n"));
}

/** The URL of a signing key's version; `TARGET_MISCONFIGURED` for a text. */
export function keyUrlOf({ material }: Credential): string {
  if (typeof material !== "string") return material.vaultVersion;
  throw new PinionError("TARGET_MISCONFIGURED", "A signing key is the version of a key in a vault, not a text.");
}

/** The `kid` of a version; of one that is disabled, the one that it was published under. `SECRET_DISABLED` where that is not known. */
export async function kidOf(step: Publishing, credential: Credential): Promise<string> {
  const url = keyUrlOf(credential);
  try {
    return thumbprint((await within(step.signal, step.ports.keys.get(url))).jwk);
  } catch (error) {
    const kid = notedKids(step).find(([other]) => other === url)?.[1];
    if (kid === undefined || !(error instanceof PinionError && error.code === "SECRET_DISABLED")) throw error;
    return kid;
  }
}
