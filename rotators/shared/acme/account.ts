import { z } from "zod";
import { notYet } from "../certificates/rotator.ts";
import { nonsense, problemOf, refusal } from "./errors.ts";
import type { Client } from "./client.ts";
import type { Reply } from "./http.ts";
import { externalBinding } from "./key.ts";
import { parseNote } from "./notes.ts";
import { isSafeUrl } from "./target.ts";
import type { AcmeStep } from "./target.ts";

/** Our account at the CA. */
export interface Account {
  /** Its URL, which is also its name in every request. */
  readonly kid: string;
  /** A signed POST as this account; `""` reads. Any status. */
  post(url: string, payload: unknown): Promise<Reply>;
  /** Like `post`, but what is no success is thrown. */
  demand(url: string, payload: unknown, doing: string): Promise<Reply>;
}

const noteName = "acme-account";
const note = z.object({ directory: z.string(), thumbprint: z.string(), kid: z.string(), contact: z.string() });

/**
 * Finds the account of our key, or registers it (RFC 8555 section 7.3), and notes its URL, so that this costs nothing the next time. A
 * registration that a crash made us forget is found again by the key. Changed contacts are told to the CA.
 */
export async function ensureAccount(step: AcmeStep, client: Client): Promise<Account> {
  const { directory } = step.target;
  const { thumbprint } = client.key;
  const contact = step.target.contact.map((mail) => `mailto:${mail}`);
  const noted = parseNote(step.notes.read(noteName), note);
  const known = noted?.directory === directory && noted.thumbprint === thumbprint ? noted : undefined;
  if (known?.contact === contact.join(" ")) return accountOf(step, client, known.kid, { noted: true });

  const { kid, told } = known ? { ...known, told: false } : await findOrRegister(step, client, contact);
  const account = accountOf(step, client, kid, { noted: known !== undefined });
  if (!told) await account.demand(kid, { contact }, "the account's contacts");
  await step.notes.write(noteName, JSON.stringify({ directory, thumbprint, kid, contact: contact.join(" ") }));
  return account;
}

/** `told`: whether the CA has the contacts already. */
async function findOrRegister(
  step: AcmeStep,
  client: Client,
  contact: readonly string[],
): Promise<{ readonly kid: string; readonly told: boolean }> {
  const { newAccount } = client.directory;
  // An external account's key is good for one registration at some CAs, so it is shown only where it is needed.
  const found = await client.post(newAccount, { onlyReturnExisting: true });
  if (!problemOf(found)) return { kid: locationOf(found), told: contact.length === 0 };
  if (problemOf(found)!.type !== "accountDoesNotExist") throw refusal(found, "the account", step.ports.now());

  const { eab } = step.target;
  const binding = eab && externalBinding(client.key.jwk, eab.kid, await step.ports.secret(eab.key), newAccount);
  const payload = {
    termsOfServiceAgreed: true,
    ...(contact.length > 0 ? { contact } : {}),
    ...(binding === undefined ? {} : { externalAccountBinding: binding }),
  };
  return { kid: locationOf(await client.demand(newAccount, payload, "the account")), told: true };
}

function accountOf(step: AcmeStep, client: Client, kid: string, { noted }: { readonly noted: boolean }): Account {
  const post = async (url: string, payload: unknown) => {
    const reply = await client.post(url, payload, kid);
    if (noted && problemOf(reply)?.type === "accountDoesNotExist") {
      await step.notes.write(noteName, undefined);
      throw notYet(`${new URL(url).host} has forgotten the account; it is registered again.`);
    }
    return reply;
  };
  return {
    kid,
    post,
    async demand(url, payload, doing) {
      const reply = await post(url, payload);
      if (problemOf(reply)) throw refusal(reply, doing, step.ports.now());
      return reply;
    },
  };
}

/** Where the CA put what was made. */
export function locationOf(reply: Reply): string {
  const { location } = reply.headers;
  const url = location === undefined || !URL.canParse(location, reply.url) ? "" : new URL(location, reply.url).href;
  if (!isSafeUrl(url) || url.length > 500) throw nonsense(reply.url, "a location");
  return url;
}
