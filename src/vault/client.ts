import type { ObjectSummary, ObjectVersion } from "./vault.ts";

/** Options of every client. The SDK's own retries are off: a request repeated after a lost reply would make a second version. */
export function clientOptions(uri: string) {
  return {
    retryOptions: { maxRetries: 0 },
    // A loopback host can never end in the challenge's resource; everywhere else the check stays on.
    disableChallengeResourceVerification: isLoopback(uri),
  };
}

/** Whether a vault URL names this machine; the one place where loopback matters. */
function isLoopback(uri: string): boolean {
  const host = new URL(uri).hostname;
  return host === "localhost" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host);
}

/** What the three clients tell of a version, each in the same words. */
interface Properties {
  readonly name?: string | undefined;
  readonly version?: string | undefined;
  readonly enabled?: boolean | undefined;
  readonly tags?: Record<string, string> | undefined;
  readonly contentType?: string | undefined;
  readonly createdOn?: Date | undefined;
  readonly expiresOn?: Date | undefined;
}

export function describe(properties: Properties): ObjectVersion & ObjectSummary {
  return {
    name: properties.name ?? "",
    version: properties.version ?? "",
    enabled: properties.enabled ?? true,
    tags: properties.tags ?? {},
    createdOn: properties.createdOn ?? new Date(0),
    ...(properties.contentType === undefined ? {} : { contentType: properties.contentType }),
    ...(properties.expiresOn === undefined ? {} : { expiresOn: properties.expiresOn }),
  };
}

export const byAge = (all: readonly ObjectVersion[]): ObjectVersion[] =>
  [...all].sort((a, b) => b.createdOn.getTime() - a.createdOn.getTime());

/** The `Date` of a reply, for `onResponse`. */
export function dateOf() {
  let date: string | undefined;
  return {
    onResponse: (raw: { readonly headers: { get(name: string): string | undefined } }) => {
      date = raw.headers.get("date");
    },
    read: () => (date === undefined ? new Date(Number.NaN) : new Date(date)),
  };
}
