import { z } from "zod";
import { PinionError } from "../../../src/errors.ts";
import type { Credential, Step } from "../../../src/rotator.ts";
import { ask } from "../http.ts";
import { within } from "../within.ts";
import { hmac, standardHeaders, textOf } from "./secret.ts";
import type { HmacTarget } from "./target.ts";
import type { Accepted } from "./verifier.ts";

type Hook = Extract<HmacTarget["verifier"], { webhook: string }>;

const reply = z.object({ accepted: z.array(z.string()), mark: z.string().optional() });

/**
 * A verifier that keeps its own list. It gets `{ step, rotationId, secrets: [{ reference, fingerprint }], mark }`, signed as Standard
 * Webhooks has it, and answers each with all fingerprints that it accepts and the mark that it got last. Steps: `list` changes nothing;
 * `accept` takes the secrets in beside what is there, reading them where the references point; `drop` takes one out. All may come twice.
 */
export async function openWebhook(step: Step<HmacTarget>, hook: Hook): Promise<Accepted> {
  const key = await within(step.signal, step.ports.secret(hook.key));
  const print = (credential: Credential) => fingerprint(key, textOf(credential));
  const describe = (credential: Credential) => ({ reference: referenceOf(credential), fingerprint: print(credential) });
  const { accepted, mark } = await call(step, hook, key, { step: "list", secrets: [] });
  return {
    size: accepted.length,
    has: (credential) => accepted.includes(print(credential)),
    others: (known) => accepted.filter((entry) => !known.map(print).includes(entry)).length,
    mark,
    async change(change, next) {
      // What it accepts already it need not read again: the reference of an old secret may be disabled.
      const secrets =
        "accept" in change
          ? change.accept.filter((credential) => !accepted.includes(print(credential))).map(describe)
          : [{ fingerprint: print(change.drop) }];
      await call(step, hook, key, { step: "accept" in change ? "accept" : "drop", secrets, mark: next });
      return true;
    },
  };
}

/** Names a secret to whoever has both the key and the secret, and tells nobody else anything. */
export const fingerprint = (key: string, secret: string): string =>
  hmac(key, `pinion-fingerprint\n${secret}`).toString("base64url");

function referenceOf({ reference }: Credential): string {
  if (reference !== undefined) return reference;
  throw new PinionError(
    "TARGET_MISCONFIGURED",
    "A verifier with a webhook reads secrets in the vault, but this one has no version there yet.",
  );
}

async function call(
  { ports, rotationId, signal }: Step<HmacTarget>,
  { webhook }: Hook,
  key: string,
  asked: { readonly step: string; readonly secrets: readonly object[]; readonly mark?: string },
) {
  const body = JSON.stringify({ rotationId, ...asked });
  const signed = standardHeaders(key, { id: `${rotationId}.${asked.step}`, at: ports.now(), body });
  const { status, text } = await ask(webhook, {
    method: "POST",
    headers: { "content-type": "application/json", ...signed },
    body,
    signal,
  });
  const { host } = new URL(webhook);
  if (status === 401 || status === 403)
    throw new PinionError(
      "TARGET_FORBIDDEN",
      `${host} refuses our signature (${status}): check the key on both sides.`,
    );
  if (status === 409)
    throw new PinionError("LEASE_LOST", `${host} has heard of a later rotation; nothing was changed.`);
  if (status >= 300) throw new PinionError("TARGET_REFUSED", `${host} refused the step ${asked.step} (${status}).`);
  const answer = reply.safeParse(tryParse(text));
  if (answer.success) return answer.data;
  throw new PinionError(
    "TARGET_MISCONFIGURED",
    `${host} does not answer with what it accepts: { "accepted": [fingerprint, ...] }.`,
  );
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
