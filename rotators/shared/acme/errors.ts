import { PinionError } from "../../../src/errors.ts";
import type { ErrorClass, ErrorCode } from "../../../src/errors.ts";
import { retryAfter } from "./http.ts";
import type { Reply } from "./http.ts";

/** A problem document of a certificate authority (RFC 8555 section 6.7, RFC 7807), as much as is needed of it. */
export interface Problem {
  /** Without `urn:ietf:params:acme:error:`; empty where the server sent no such document. */
  readonly type: string;
  /** For people: shortened, on one line, without anything that looks like a key. */
  readonly detail: string;
  /** A page for people, sent with `userActionRequired`. */
  readonly instance?: string;
  readonly subproblems: readonly (Problem & { readonly domain?: string })[];
}

interface Meaning {
  readonly code: ErrorCode;
  readonly class?: ErrorClass;
  readonly advice: string;
}

/** RFC 8555 section 6.7, RFC 9773 section 7.4, draft-ietf-acme-profiles section 6. */
const meanings: Readonly<Record<string, Meaning>> = {
  accountDoesNotExist: { code: "TARGET_FORBIDDEN", advice: "register the account key with this CA" },
  alreadyReplaced: { code: "TARGET_REFUSED", advice: "another order has replaced this certificate" },
  badCSR: {
    code: "TARGET_REFUSED",
    advice: "this CA does not sign such a request; compare key type, subject and names of the policy with its rules",
  },
  badPublicKey: {
    code: "TARGET_REFUSED",
    advice: "this CA does not take such a key; use EC P-256 or RSA 2048 or more",
  },
  badSignatureAlgorithm: {
    code: "TARGET_MISCONFIGURED",
    advice: "this CA does not take the account key's algorithm; use EC P-256 or RSA",
  },
  caa: {
    code: "CHALLENGE_FAILED",
    advice: "a CAA record forbids this CA; add one that names it, or take the other away",
  },
  connection: {
    code: "CHALLENGE_FAILED",
    advice: "the CA could not connect; let it reach the web server on port 80",
  },
  dns: {
    code: "CHALLENGE_FAILED",
    advice: "the CA found no usable DNS answer; check the zone, its delegation and DNSSEC",
  },
  externalAccountRequired: {
    code: "TARGET_MISCONFIGURED",
    advice: "put the external account that the CA gave you into `eab` of the target",
  },
  incorrectResponse: {
    code: "CHALLENGE_FAILED",
    advice: "the CA saw another value; look for a second zone, a proxy or a redirect in front",
  },
  invalidContact: { code: "TARGET_MISCONFIGURED", advice: "correct `contact` in the target" },
  invalidProfile: { code: "TARGET_MISCONFIGURED", advice: "choose another `profile` in the target" },
  malformed: { code: "TARGET_REFUSED", advice: "the CA understood the request as wrong; its own log may say more" },
  orderNotReady: {
    code: "ISSUANCE_PENDING",
    class: "transient",
    advice: "the order is not ready yet; it is looked at again",
  },
  rateLimited: { code: "ISSUANCE_LIMITED", class: "throttled", advice: "it goes on when the CA allows it" },
  rejectedIdentifier: {
    code: "TARGET_REFUSED",
    advice: "the CA never issues for this name; take it out of the policy or choose another CA",
  },
  serverInternal: {
    code: "TARGET_UNREACHABLE",
    class: "transient",
    advice: "the CA has a fault of its own; it is asked again",
  },
  tls: { code: "CHALLENGE_FAILED", advice: "the CA could not speak TLS with the web server; check its certificate" },
  unauthorized: {
    code: "TARGET_FORBIDDEN",
    advice: "check that the account is not deactivated, and that it may issue for these names",
  },
  unsupportedContact: { code: "TARGET_MISCONFIGURED", advice: "use mail addresses in `contact` of the target" },
  unsupportedIdentifier: {
    code: "TARGET_REFUSED",
    advice: "this CA does not issue for such names; take them out of the policy or choose another CA",
  },
  userActionRequired: { code: "TARGET_FORBIDDEN", advice: "a person must visit the CA's page first" },
};

const prefix = "urn:ietf:params:acme:error:";
const unknown: Meaning = { code: "TARGET_REFUSED", advice: "look the problem up in the CA's documentation" };

/** The problem in an answer; undefined where the answer is a success. */
export function problemOf({ status, body }: Reply): Problem | undefined {
  if (status >= 200 && status < 300) return undefined;
  try {
    return readProblem(JSON.parse(body));
  } catch {
    return { type: "", detail: `HTTP ${status}`, subproblems: [] };
  }
}

/** A problem out of JSON: an error answer, or the `error` of an order or a challenge. */
export function readProblem(value: unknown): Problem {
  const { type, detail, instance, subproblems } = (value ?? {}) as Record<string, unknown>;
  return {
    type: typeof type === "string" && type.startsWith(prefix) ? safe(type.slice(prefix.length)) : "",
    detail: typeof detail === "string" ? safe(detail) : "",
    ...(typeof instance === "string" && /^https:\/\/[\x21-\x7e]{1,200}$/.test(instance) ? { instance } : {}),
    subproblems: (Array.isArray(subproblems) ? subproblems : []).slice(0, 100).map((part) => {
      const domain = (part as { identifier?: { value?: unknown } } | null)?.identifier?.value;
      return { ...readProblem(part), ...(typeof domain === "string" ? { domain: safe(domain) } : {}) };
    }),
  };
}

/** A CA's text may quote what it was sent: long tokens are cut out, controls and line ends too. */
function safe(text: string): string {
  const short = text
    .replace(/[\p{C}\s]+/gu, " ")
    .replace(/[\w+/=-]{40,}/g, "…")
    .trim();
  return short.length > 200 ? `${short.slice(0, 199)}…` : short;
}

/** `type: detail`, and with several parts the first three by their names. */
export function wordsOf({ type, detail, subproblems }: Problem): string {
  const named = subproblems
    .filter(({ domain }) => domain !== undefined)
    .slice(0, 3)
    .map((part) => `${part.domain} ${part.type}`);
  return [[type, detail].filter(Boolean).join(": "), ...named].filter(Boolean).join("; ");
}

/**
 * The fault for an answer that is no success. `doing` says what was asked, as in "the order for a.example".
 * Class: `throttled` for `rateLimited` and 429, `transient` for the CA's own faults, else permanent.
 */
export function refusal(reply: Reply, doing: string, now: number): PinionError {
  const problem = problemOf(reply) ?? { type: "", detail: "", subproblems: [] };
  const seconds = retryAfter(reply, now);
  const { host } = new URL(reply.url);
  const { code, class: kind, advice } = meaning(problem, reply.status);
  const page = problem.instance === undefined ? "" : ` (${problem.instance})`;
  const message = `${host} refused ${doing} (${wordsOf(problem) || `HTTP ${reply.status}`}): ${advice}${page}.`;
  return new PinionError(code, message, { ...(kind ? { class: kind } : {}), retryAfterSeconds: seconds });
}

/** The fault for a name whose challenge failed. Those that the CA alone is to blame for are transient. */
export function challengeFault(domain: string, problem: Problem): PinionError {
  const { class: kind, advice } = meanings[problem.type] ?? unknown;
  const told =
    problem.type === "unauthorized"
      ? "the CA saw another value or none; look for a second zone, a CNAME, a proxy or a redirect in front"
      : advice;
  const message = `The CA could not make sure of ${domain} (${wordsOf(problem) || "no reason given"}): ${told}.`;
  return new PinionError("CHALLENGE_FAILED", message, kind === "transient" ? { class: kind } : {});
}

/** Seconds until an order that failed by the CA's own fault is made anew. */
const recovery = 600;

/** The fault for an order that the CA ended while it signed: transient where the CA alone is to blame, else for good. */
export function orderFault(names: string, problem: Problem): PinionError {
  const { code, class: kind, advice } = meanings[problem.type] ?? unknown;
  const message = `The CA ended the order for ${names} (${wordsOf(problem) || "no reason given"}): ${advice}.`;
  return new PinionError(code, message, kind ? { class: kind, retryAfterSeconds: recovery } : {});
}

function meaning({ type, subproblems }: Problem, status: number): Meaning {
  // A refusal of several names at once is called `malformed` or `compound` by some: its parts say more.
  const telling = [type, ...subproblems.map((part) => part.type)].find(
    (name) => name !== "malformed" && meanings[name],
  );
  const known = meanings[telling ?? type];
  if (known) return known;
  if (status === 429) return meanings.rateLimited!;
  return status >= 500 ? meanings.serverInternal! : unknown;
}

/** The fault for an answer that is not what RFC 8555 says it is. */
export function nonsense(url: string, what: string): PinionError {
  return new PinionError(
    "TARGET_REFUSED",
    `${new URL(url).host} answered with something that is not ${what} of ACME (RFC 8555): check \`directory\` in the target.`,
  );
}

/** Whether a failure stays, however often it is tried. */
export const isForGood = (error: unknown): boolean => error instanceof PinionError && error.class === "permanent";
