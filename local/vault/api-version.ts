/** Whether a version of the protocol has what came with `since` (previews of a version have what it has). */
export function isFrom(apiVersion: string, since: string): boolean {
  return rank(apiVersion) >= rank(since);
}

/** Dated versions came after the numbered ones. */
const rank = (version: string): string => (version.startsWith("7.") ? `0${version.slice(0, 3)}` : version.slice(0, 10));
