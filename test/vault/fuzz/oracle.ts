import type { Received } from "./wire.ts";

// What is right about an answer, whatever the request was.

/** Every value that must stay secret begins so. */
export const hush = "hush-";

/** The codes of the reference, with the inner ones that may go with them. */
const documented: Readonly<Record<number, Readonly<Record<string, readonly string[]>>>> = {
  400: { BadParameter: ["KeyTypeNotSupported", "KeyCurveNotSupported"], "Malformed backup blob": [] },
  401: { Unauthorized: [] },
  403: {
    Forbidden: [
      "SecretDisabled",
      "KeyDisabled",
      "AccessDenied",
      "ForbiddenByRbac",
      "ForbiddenByFirewall",
      "ForbiddenByConnection",
      "ForbiddenByPolicy",
      "KeyNotYetValid",
      "KeyExpired",
      "KeyOperationForbidden",
      "SecretManagedByKeyVault",
      "KeyManagedByKeyVault",
    ],
  },
  404: {
    SecretNotFound: [],
    KeyNotFound: [],
    CertificateNotFound: [],
    PendingCertificateNotFound: [],
    CertificateIssuerNotFound: [],
    ContactsNotFound: [],
    // Of the controls, which are no part of the service.
    NotFound: [],
  },
  408: { RequestTimeout: [] },
  409: { Conflict: ["ObjectIsDeletedButRecoverable", "ObjectIsBeingDeleted", "ObjectIsBeingRecovered"] },
  413: { RequestEntityTooLarge: [] },
  429: { Throttled: [] },
};
const successes = [200, 201, 202, 204];
/** Members that may be null, as the service's are. */
const nullable = new Set(["nextLink", "lifetimeActions", "attributes"]);

/** Fails with the text unless it holds. */
export function must(holds: boolean, text: string): asserts holds {
  if (!holds) throw new Error(text);
}

/** Fails with `what` when the answer is none that the service gives. */
export function checkAnswer(answer: Received, what: string, { headOnly = false, mayHaveNull = false } = {}): void {
  const { status, headers, body } = answer;
  const told = `${what}: ${status} ${body.slice(0, 1000)}`;
  if (status >= 400) return headOnly ? must(status in documented, told) : checkRefusal(answer, told);
  must(successes.includes(status), told);
  if (status === 204) return must(body === "", told);
  must(headers.get("content-type") === json, told);
  const value: unknown = JSON.parse(body);
  const empty = mayHaveNull ? undefined : nullMember(value);
  must(empty === undefined, `${told}: ${empty} is null`);
}

const json = "application/json; charset=utf-8";

function checkRefusal({ status, headers, body }: Received, told: string): void {
  must(headers.get("content-type") === json, told);
  const { error, ...rest } = JSON.parse(body) as { error: Record<string, unknown> };
  const { code = "", message, innererror, ...others } = error;
  must(Object.keys({ ...rest, ...others }).length === 0, told);
  const inner = documented[status]?.[code as string];
  must(inner !== undefined && typeof message === "string" && message !== "", told);
  if (innererror !== undefined) {
    const { code, ...others } = innererror as { code: string };
    must(inner.includes(code) && Object.keys(others).length === 0, told);
  }
  if (status === 401) must(headers.get("www-authenticate")?.startsWith('Bearer authorization="https:') ?? false, told);
  must(!body.includes(hush), `A value in ${told}`);
}

/** The first member that is null though absent ones are left out; a number that JSON has no form for looks so, too. */
function nullMember(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  for (const [name, member] of Object.entries(value)) {
    if (member === null && !nullable.has(name)) return name;
    const inner = nullMember(member);
    if (inner !== undefined) return `${name}.${inner}`;
  }
  return undefined;
}
