import { createHmac } from "node:crypto";
import { z } from "zod";
import { readSecretRole } from "../azure/vault-roles.ts";
import type { Consumer, ConsumerStep } from "../consumer.ts";
import { PinionError } from "../errors.ts";
import type { Proof } from "../rotator.ts";
import { probeHealth } from "./health.ts";

type Step = ConsumerStep<"webhook">;

/** How Key Vault names versions. */
const isVersion = /^[0-9a-f]{32}$/;
/** The whole of what a receiver may answer: no member of it can carry a secret. */
const replySchema = z.strictObject({ version: z.string().regex(isVersion).nullable() });
const longestReply = 1024;
const shortestKey = 32;
const timeout = 15_000;

/**
 * A receiver on somebody's own machine (docs/consumers/webhook.md). Pinion tells it which version to serve and asks which it serves; the
 * material it fetches from the vault itself, by its own identity.
 */
export const webhook: Consumer<"webhook"> = {
  kind: "webhook",
  roles: [readSecretRole],
  needs: ({ key }) => [{ role: readSecretRole, at: key }],
  resource: ({ url }) => `webhook:${new URL(url).href}`,

  async read(step) {
    const version = await call(step, "read");
    const { consumer, object } = step;
    if (consumer.reads === "latest") return { text: object.baseUrl, ...(version === null ? {} : { active: version }) };
    if (version === null)
      throw misconfigured(step, "serves no version of the object yet: have it serve the current one");
    return { text: pin(step, version), pinned: version };
  },

  reference: (step, version) => (step.consumer.reads === "pinned" ? pin(step, version) : step.object.baseUrl),

  async move(step, text) {
    const version = versionIn(step, text);
    // `null` after a move: it will take a while; the proof shows when it is over.
    const now = await call(step, "move", version);
    if (version !== undefined && now !== null && now !== version) {
      throw new PinionError(
        "CONSUMER_NOT_MOVED",
        `${step.consumer.id} was told to serve version ${version} and says that it serves ${now}; it is told again.`,
        { class: "transient" },
      );
    }
  },

  async prove(step, version) {
    const { id, health } = step.consumer;
    const served = await servedNow(step, version);
    const proof: Proof = { name: `${id} serves the version`, ...served };
    return health === undefined ? [proof] : [proof, await probeHealth(id, health, version, step.signal)];
  },
};

async function servedNow(step: Step, version: string): Promise<Pick<Proof, "ok" | "detail">> {
  try {
    const now = await call(step, "prove", version);
    return { ok: now === version, detail: now === null ? "serves none yet" : `serves ${now}` };
  } catch (error) {
    // A receiver that cannot be asked proves nothing; who waits for the proof asks again.
    if (!(error instanceof PinionError)) throw error;
    return { ok: false, detail: error.message };
  }
}

const pin = ({ object }: Step, version: string): string => `${object.baseUrl}/${version}`;

/** The version in a reference to this object; undefined for one that follows the newest. */
function versionIn(step: Step, text: string): string | undefined {
  if (text === step.object.baseUrl) return undefined;
  const version = text.slice(step.object.baseUrl.length + 1);
  if (text !== pin(step, version) || !isVersion.test(version))
    throw misconfigured(step, "is not moved by that reference");
  return version;
}

/**
 * One signed call; the version in the answer. The key is read anew when it was refused: it may have been changed a minute ago. Errors:
 * 401 and 403 `CONSUMER_FORBIDDEN`; other 4xx, a redirect and an answer in another form `CONSUMER_MISCONFIGURED`; 429
 * `CONSUMER_UNREACHABLE`, throttled; 5xx and no answer `CONSUMER_UNREACHABLE`, transient.
 */
async function call(step: Step, action: "read" | "move" | "prove", version?: string): Promise<string | null> {
  const { key: url } = step.consumer;
  const key = await step.secret(url);
  let reply = await send(step, action, version, key);
  if (reply.status === 401) {
    const fresh = await step.secret(url, { fresh: true });
    if (fresh !== key) reply = await send(step, action, version, fresh);
  }
  if (reply.status < 200 || reply.status > 299) throw refusal(step, reply);
  const parsed = replySchema.safeParse(jsonOf(reply.text));
  if (!parsed.success) throw misconfigured(step, 'answers in another form than {"version": "<32 hex digits>"}');
  return parsed.data.version;
}

interface Reply {
  readonly status: number;
  readonly text: string;
  readonly retryAfter: string | null;
}

async function send(step: Step, action: string, version: string | undefined, key: string): Promise<Reply> {
  const { consumer, object, signal } = step;
  if (key.length < shortestKey) {
    throw new PinionError(
      "SECRET_MALFORMED",
      `The key of ${consumer.id} has fewer than ${shortestKey} characters: make a longer one, at random.`,
    );
  }
  const timestamp = String(Math.floor(step.now() / 1000));
  const body = JSON.stringify({
    action,
    object: object.baseUrl,
    ...(version === undefined ? {} : { version }),
    timestamp,
  });
  try {
    const reply = await fetch(consumer.url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "x-pinion-timestamp": timestamp,
        "x-pinion-signature": signatureOf(key, timestamp, body),
      },
      body,
      redirect: "manual",
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeout)]),
    });
    return { status: reply.status, text: await start(reply), retryAfter: reply.headers.get("retry-after") };
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    throw new PinionError("CONSUMER_UNREACHABLE", `${consumer.id} did not answer; it is asked again.`, {
      class: "transient",
      cause,
    });
  }
}

/** `sha256=` and the HMAC of the timestamp, a dot and the body, in lower-case hex. */
export const signatureOf = (key: string, timestamp: string, body: string): string =>
  `sha256=${createHmac("sha256", key).update(`${timestamp}.${body}`).digest("hex")}`;

/** The reply's text; none of it where it is longer than a right one could be. */
async function start(reply: Response): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const part of reply.body ?? []) {
    text += decoder.decode(part as Uint8Array, { stream: true });
    if (text.length > longestReply) return "";
  }
  return text;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function refusal(step: Step, { status, retryAfter }: Reply): PinionError {
  const { id } = step.consumer;
  if (status === 401 || status === 403)
    return new PinionError(
      "CONSUMER_FORBIDDEN",
      `${id} refused the call (${status}): give its receiver the same key as the policy names, and set its clock.`,
    );
  if (status === 429) {
    const seconds = Number(retryAfter ?? "");
    return new PinionError("CONSUMER_UNREACHABLE", `${id} asked to wait (429).`, {
      class: "throttled",
      retryAfterSeconds: Number.isFinite(seconds) && seconds > 0 ? seconds : undefined,
    });
  }
  return status >= 500
    ? new PinionError("CONSUMER_UNREACHABLE", `${id} failed (${status}); it is asked again.`, { class: "transient" })
    : misconfigured(step, `refused the call (${status}): check its address and what its receiver logs`);
}

function misconfigured({ consumer }: Step, what: string): PinionError {
  return new PinionError("CONSUMER_MISCONFIGURED", `${consumer.id} ${what}.`);
}
