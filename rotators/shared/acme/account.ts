import { z } from "zod";
import { notYet } from "../certificates/rotator.ts";
import { problemOf, refusal } from "./errors.ts";
import { locationOf } from "./client.ts";
import type { Client } from "./client.ts";
import type { Reply } from "./http.ts";
import { externalBinding } from "./key.ts";
import { parseNote } from "./notes.ts";
import { accountOf, changeKey, findHolder } from "./rollover.ts";
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
const note = z.object({
  directory: z.string(),
  /** The version of the key that the account belongs to, as a URL; earlier releases did not note it. */
  key: z.string().optional(),
  thumbprint: z.string(),
  kid: z.string(),
  contact: z.string(),
});

/**
 * Finds the account of our key, moves it there from an earlier version of that key (RFC 8555 section 7.3.5), or registers it (section
 * 7.3), and notes its URL, so that this costs nothing the next time. What a crash made us forget is found again by the key. Changed
 * contacts are told to the CA.
 *
 * `LEASE_HELD` (transient) while another object that shares the account does so; `ISSUANCE_PENDING` once the account was moved;
 * `TARGET_MISCONFIGURED` where it cannot be.
 */
export async function ensureAccount(step: AcmeStep, client: Client): Promise<Account> {
  const { directory } = step.target;
  const { thumbprint, url: key } = client.key;
  const contact = step.target.contact.map((mail) => `mailto:${mail}`);
  const noted = readNote(step);
  const known = noted?.thumbprint === thumbprint ? noted : undefined;
  if (known?.contact === contact.join(" ")) return accountFor(step, client, known.kid, { noted: true });

  const found = known
    ? { kid: known.kid, told: false, moved: false }
    : await step.ports.withLease(leaseOf(step), async () => await findOrRegister(step, client, contact));
  const { kid, told, moved } = found;
  const remember = async (told: string) =>
    await step.notes.write(noteName, JSON.stringify({ directory, key, thumbprint, kid, contact: told }));
  if (moved) {
    await remember(noted?.contact ?? "");
    // A CA has many servers, and each may know the former key for some seconds (unconfirmed): nothing is signed with the new one till then.
    throw notYet("The account was moved to the new version of its key; it goes on with that.", 10);
  }
  const account = accountFor(step, client, kid, { noted: known !== undefined });
  if (!told) await account.demand(kid, { contact }, "the account's contacts");
  await remember(contact.join(" "));
  return account;
}

/**
 * Read only: what {@link ensureAccount} would do about a new version of the key. The URL of the account that it would move; undefined
 * where there is nothing to move. Throws what keeps it from being moved.
 */
export async function foreseeMove(step: AcmeStep, client: Client): Promise<string | undefined> {
  const noted = readNote(step);
  if (noted?.thumbprint === client.key.thumbprint) return undefined;
  if (noted === undefined && (await step.ports.keys.versions(step.target.account)).length < 2) return undefined;
  if ((await accountOf(step, client)) !== undefined) return undefined;
  return (await findHolder(step, client, noted?.key))?.kid;
}

/** What is noted of an account at this CA. */
function readNote({ target, notes }: AcmeStep) {
  const noted = parseNote(notes.read(noteName), note);
  return noted?.directory === target.directory ? noted : undefined;
}

/** Objects that share an account, whichever version of its key they name, take turns at making and moving it. */
function leaseOf({ target: { directory, account } }: AcmeStep): string {
  return `acme ${directory} ${account.split("/").slice(0, 5).join("/").toLowerCase()}`;
}

interface Found {
  readonly kid: string;
  /** Whether the CA has the contacts already. */
  readonly told: boolean;
  /** Whether its key was changed just now. */
  readonly moved: boolean;
}

async function findOrRegister(step: AcmeStep, client: Client, contact: readonly string[]): Promise<Found> {
  const { newAccount } = client.directory;
  // An external account's key is good for one registration at some CAs, so it is shown only where it is needed.
  const kid = await accountOf(step, client);
  if (kid !== undefined) return { kid, told: contact.length === 0, moved: false };
  const holder = await findHolder(step, client, readNote(step)?.key);
  if (holder) {
    await changeKey(step, client, holder);
    return { kid: holder.kid, told: false, moved: true };
  }

  const { eab } = step.target;
  const binding = eab && externalBinding(client.key.jwk, eab.kid, await step.ports.secret(eab.key), newAccount);
  const payload = {
    termsOfServiceAgreed: true,
    ...(contact.length > 0 ? { contact } : {}),
    ...(binding === undefined ? {} : { externalAccountBinding: binding }),
  };
  return { kid: locationOf(await client.demand(newAccount, payload, "the account")), told: true, moved: false };
}

function accountFor(step: AcmeStep, client: Client, kid: string, { noted }: { readonly noted: boolean }): Account {
  const post = async (url: string, payload: unknown) => {
    const reply = await client.post(url, payload, kid);
    const type = problemOf(reply)?.type;
    if (noted && type === "accountDoesNotExist") {
      await step.notes.write(noteName, undefined);
      throw notYet(`${new URL(url).host} has forgotten the account; it is registered again.`);
    }
    // What a signature by a former key is called: another object moved the account in the midst of this call.
    if ((type === "malformed" || type === "unauthorized") && (await accountOf(step, client).catch(() => kid)) !== kid) {
      await step.notes.write(noteName, undefined);
      throw notYet(`The account's key was changed meanwhile at ${new URL(url).host}; it goes on with the new version.`);
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
