import { PinionError } from "../../../src/errors.ts";
import type { VaultKey } from "../../../src/rotator.ts";
import { within } from "../within.ts";
import { markName, readBlob, writeBlob } from "./blob.ts";
import { publishedKey } from "./document.ts";
import type { JwkSet } from "./document.ts";
import type { Publishing } from "./target.ts";

/** What is published now, and the way to replace it. */
export interface Publication {
  /** Undefined: nothing was ever published. */
  readonly set: JwkSet | undefined;
  readonly mark: string | undefined;
  /** False where it was changed since it was read. */
  write(set: JwkSet, mark: string | undefined): Promise<boolean>;
}

/** In the blob, or else among the notes of the object, from where the app serves it. `keys` are those that may be added. */
export async function openPublication(step: Publishing, keys: readonly VaultKey[], mark: string): Promise<Publication> {
  const { blob } = step.target;
  return blob === undefined ? await inNotes(step, keys) : await inBlob(step, blob, mark);
}

async function inBlob(step: Publishing, url: string, name: string): Promise<Publication> {
  const found = await readBlob(step, url);
  return {
    set: found?.set,
    mark: found?.metadata[name],
    write: async (set, mark) => {
      const metadata = { ...found?.metadata, ...(mark === undefined ? {} : { [name]: mark }) };
      return await writeBlob(step, url, { set, metadata }, found?.etag);
    },
  };
}

const note = "jwks";

/** A mark, and the URL of each key with its `kid`, one a line: a note is too short for the keys themselves. */
async function inNotes(step: Publishing, added: readonly VaultKey[]): Promise<Publication> {
  const { notes, target } = step;
  const [mark = "", ...lines] = notes.read(note)?.split("\n") ?? [];
  const listed = lines.map((line) => line.split(" ") as [url: string, kid?: string]);
  const keys = await Promise.all(listed.map(async ([url, kid]) => await readKey(step, url, kid)));
  const urls = new Map([
    ...keys.map(({ kid }, index) => [kid, listed[index]![0]] as const),
    ...added.map((key) => [publishedKey(key, target.algorithm).kid, key.url] as const),
  ]);
  return {
    set: notes.read(note) === undefined ? undefined : { keys },
    mark: mark === "" ? undefined : mark,
    async write({ keys }, next = mark) {
      await notes.write(
        note,
        [next, ...keys.map(({ kid }) => `${urls.get(kid as string)!} ${kid as string}`)].join("\n"),
      );
      return true;
    },
  };
}

/** A key as it is published; of one that is disabled, which its vault does not show, only the `kid`: it can still be taken out. */
async function readKey({ ports, target, signal }: Publishing, url: string, kid?: string) {
  try {
    return publishedKey(await within(signal, ports.keys.get(url)), target.algorithm);
  } catch (error) {
    if (kid === undefined || !(error instanceof PinionError && error.code === "SECRET_DISABLED")) throw error;
    return { kid };
  }
}

/** The set as it is published; what the app serves where there is no blob. A disabled key is left out: it stops none of the others. */
export async function publishedSet(step: Publishing): Promise<JwkSet | undefined> {
  const { set } = await openPublication(step, [], "");
  return set && { ...set, keys: set.keys.filter((key) => Object.keys(key).length > 1) };
}

/** How often a set that others write too is read anew. */
const attempts = 6;

/**
 * Changes what is published: `decide` gets what is there now and gives what is to be there, or undefined to leave it. It is asked again
 * when somebody else was faster. Returns whether anything was written.
 */
export async function changePublication(
  step: Publishing,
  keys: readonly VaultKey[],
  keyUrl: string,
  decide: (now: Pick<Publication, "set" | "mark">) => { readonly set: JwkSet; readonly mark?: string } | undefined,
): Promise<boolean> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const now = await openPublication(step, keys, markName(keyUrl));
    const next = decide(now);
    if (next === undefined) return false;
    step.signal.throwIfAborted();
    if (await now.write(next.set, next.mark)) return true;
  }
  throw new PinionError("LEASE_HELD", "Others keep writing the same set of keys; the step is tried again.", {
    class: "transient",
  });
}
