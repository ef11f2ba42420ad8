/** For how long a reply may be kept, in seconds. */
export interface Caching {
  /** The longest age that `Cache-Control` names; 0: none. */
  readonly age: number;
  /** By all headers, and stale as well: nobody shows the reply after that. */
  readonly whole: number;
}

/**
 * What a reply lets caches do: private ones go by `max-age`, or else by `Expires`, shared ones by `s-maxage` first (RFC 9111, 4.2.1), and both
 * may show it stale for `stale-while-revalidate` more (RFC 5861, 3). What they do where nothing is said, or while the origin fails, is not counted.
 */
export function cachingOf(headers: Headers, now: number): Caching {
  const control = headers.get("cache-control") ?? "";
  const said = (directive: string): number | undefined => {
    const found = [...control.matchAll(new RegExp(`(?:^|[\\s,])${directive}="?(\\d+)`, "gi"))];
    return found.length === 0 ? undefined : Math.max(...found.map(([, seconds]) => Number(seconds)));
  };
  const own = said("max-age");
  const shared = said("s-maxage");
  const fresh = own ?? expiresIn(headers, now);
  return {
    age: Math.max(own ?? 0, shared ?? 0),
    whole: Math.max(fresh, shared ?? 0) + (said("stale-while-revalidate") ?? 0),
  };
}

/** By the clock of whoever answers. What is no date has expired (RFC 9111, 5.3). */
function expiresIn(headers: Headers, now: number): number {
  const at = Date.parse(headers.get("expires") ?? "");
  const date = Date.parse(headers.get("date") ?? "");
  const seconds = Math.ceil((at - (Number.isNaN(date) ? now : date)) / 1000);
  return Number.isNaN(seconds) ? 0 : Math.max(0, seconds);
}
