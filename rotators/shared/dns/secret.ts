import { PinionError } from "../../../src/errors.ts";
import type { Ports } from "../../../src/rotator.ts";
import { within } from "../within.ts";

/**
 * Does work that needs a secret of the vault. The value may be a minute old: one that was refused (`TARGET_FORBIDDEN`) is read anew, and
 * tried once more only if it is another one.
 */
export async function withSecret<R>(
  { ports, signal }: { readonly ports: Pick<Ports, "secret">; readonly signal: AbortSignal },
  url: string,
  work: (secret: string) => Promise<R>,
): Promise<R> {
  const secret = checked(await within(signal, ports.secret(url)), url);
  try {
    return await work(secret);
  } catch (error) {
    if (!(error instanceof PinionError && error.code === "TARGET_FORBIDDEN")) throw error;
    const again = checked(await within(signal, ports.secret(url, { fresh: true })), url);
    if (again === secret) throw error;
    return await work(again);
  }
}

/** A line end at the end of a token makes Node.js refuse the header with an error that quotes it. */
function checked(secret: string, url: string): string {
  if (/^[\u0021-\u007e]+$/.test(secret)) return secret;
  throw new PinionError(
    "TARGET_MISCONFIGURED",
    `The secret ${url} is empty, or holds a space, a line end or a character that is not ASCII: store the bare value.`,
  );
}
