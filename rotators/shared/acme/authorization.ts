import { createHash } from "node:crypto";
import { z } from "zod";
import { PinionError } from "../../../src/errors.ts";
import type { ChallengeRecord } from "../dns/provider.ts";
import type { Account } from "./account.ts";
import type { Client } from "./client.ts";
import { parse } from "./client.ts";
import { challengeFault, problemOf, readProblem, refusal } from "./errors.ts";
import { fewAtOnce } from "../few-at-once.ts";
import type { Order } from "./order.ts";
import { isSafeUrl } from "./target.ts";
import type { AcmeStep } from "./target.ts";
import type { Publisher } from "../challenge.ts";

const url = z.string().refine(isSafeUrl);

const body = z.looseObject({
  identifier: z.looseObject({ value: z.string() }),
  status: z.enum(["pending", "valid", "invalid", "deactivated", "expired", "revoked"]),
  challenges: z.array(
    z.looseObject({
      type: z.string(),
      status: z.enum(["pending", "processing", "valid", "invalid"]),
      url,
      // base64url only (RFC 8555 section 8.1): it becomes part of a path.
      token: z
        .string()
        .regex(/^[\w-]{1,200}$/)
        .optional(),
      error: z.unknown().optional(),
    }),
  ),
});

/** What a CA asks about one name (RFC 8555 section 7.1.4). A wildcard's name stands here without its `*.`. */
export type Authorization = z.output<typeof body>;

/** A value to publish, and where to tell the CA that it is there. */
export interface Challenge {
  readonly domain: string;
  readonly url: string;
  readonly record: ChallengeRecord;
  /** The CA was told already and is looking. */
  readonly looking: boolean;
}

const width = 4;

/** Reads an order's authorizations, some at a time. */
export async function readAuthorizations(
  step: AcmeStep,
  account: Account,
  order: Order,
): Promise<readonly Authorization[]> {
  return await fewAtOnce(order.authorizations, width, async (one) => {
    const reply = await account.post(one, "");
    if (problemOf(reply)) throw refusal(reply, "to show an authorization", step.ports.now());
    return parse(reply, body, "an authorization");
  });
}

/** The fault that names the domain whose authorization can no longer succeed, if there is one. */
export function failureIn(authorizations: readonly Authorization[]): PinionError | undefined {
  const failed = authorizations.find(({ status }) => status !== "valid" && status !== "pending");
  if (!failed) return undefined;
  const error = failed.challenges.find((challenge) => challenge.error !== undefined)?.error;
  if (error !== undefined) return challengeFault(failed.identifier.value, readProblem(error));
  const message = `The CA's authorization of ${failed.identifier.value} is ${failed.status}; start the rotation again.`;
  return new PinionError("CHALLENGE_FAILED", message);
}

/** The challenges of our type for the names that are still open. `TARGET_MISCONFIGURED` where the CA offers none for a name. */
export function openChallenges(
  client: Client,
  type: Publisher["type"],
  authorizations: readonly Authorization[],
): Challenge[] {
  return authorizations
    .filter(({ status }) => status === "pending")
    .map(({ identifier: { value: domain }, challenges }) => {
      const found = challenges.find((challenge) => challenge.type === type);
      if (found?.token === undefined) {
        const offered = challenges.map((challenge) => challenge.type).join(", ");
        const message = `The CA offers no ${type} for ${domain}, only ${offered || "nothing"}: set another \`challenge\` in the target.`;
        throw new PinionError("TARGET_MISCONFIGURED", message);
      }
      return {
        domain,
        url: found.url,
        record: recordOf(type, domain, found.token, client.key.thumbprint),
        looking: found.status !== "pending",
      };
    });
}

/** RFC 8555 sections 8.1 (key authorization), 8.3 (http-01), 8.4 (dns-01). */
function recordOf(type: Publisher["type"], domain: string, token: string, thumbprint: string): ChallengeRecord {
  const authorization = `${token}.${thumbprint}`;
  if (type === "http-01") return { name: `${domain}/${token}`, value: authorization };
  return {
    name: `_acme-challenge.${domain}`,
    value: createHash("sha256").update(authorization).digest("base64url"),
  };
}

/** Tells the CA to look. A challenge that is decided already cannot be told again, and need not be. */
export async function answerAll(step: AcmeStep, account: Account, challenges: readonly Challenge[]): Promise<void> {
  const waiting = challenges.filter(({ looking }) => !looking);
  await fewAtOnce(waiting, width, async ({ domain, url }) => {
    const reply = await account.post(url, {});
    const problem = problemOf(reply);
    if (!problem || (problem.type === "malformed" && (await isDecided(account, url)))) return;
    throw refusal(reply, `the challenge for ${domain}`, step.ports.now());
  });
}

async function isDecided(account: Account, url: string): Promise<boolean> {
  const reply = await account.post(url, "");
  return !problemOf(reply) && parse(reply, z.looseObject({ status: z.string() }), "a challenge").status !== "pending";
}
