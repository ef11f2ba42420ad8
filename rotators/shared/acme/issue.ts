import { X509Certificate } from "node:crypto";
import type { PinionError } from "../../../src/errors.ts";
import type { CertificateSlot, VaultCertificate } from "../../../src/rotator.ts";
import { notYet, slotOf } from "../certificates/rotator.ts";
import { keyOfRequest } from "../private-ca/request.ts";
import { ensureAccount } from "./account.ts";
import type { Account } from "./account.ts";
import { replaceable } from "./ari.ts";
import { failureIn, readAuthorizations } from "./authorization.ts";
import { withClient } from "./client.ts";
import type { Client } from "./client.ts";
import { download } from "./download.ts";
import { isForGood, orderFault, problemOf, readProblem, refusal } from "./errors.ts";
import { assertWithinLimits, count, uncount } from "./limits.ts";
import { forgetOrder, readOrderNote, setOf, writeOrderNote } from "./notes.ts";
import type { OrderNote } from "./notes.ts";
import { findOrder, orderOf, placeOrder, readOrder, shortly } from "./order.ts";
import type { Order } from "./order.ts";
import { startPace } from "./pace.ts";
import type { Pace } from "./pace.ts";
import { proveNames } from "./prove.ts";
import type { AcmeStep } from "./target.ts";
import { withdrawValues, withdrawWhatCan } from "./values.ts";
import type { Publisher } from "../challenge.ts";

/** One call's work on one order. */
export interface Issuance {
  readonly step: AcmeStep;
  readonly slot: CertificateSlot;
  readonly client: Client;
  readonly account: Account;
  readonly publisher: Publisher;
  readonly pace: Pace;
}

/**
 * Brings the certificate of this rotation as far as one call can, and returns it once it is merged and every challenge value is
 * withdrawn. Until then it throws `ISSUANCE_PENDING` (transient; with the CA's Retry-After where there was one) and is to be called
 * again, by whatever process: what happened so far stands in the notes, at the CA and in the vault, so that a crash at any point makes
 * neither a second order nor a second key pair.
 *
 * The pending version in the vault is begun only when the CA is ready to sign.
 *
 * Other errors: `CHALLENGE_FAILED` (a name could not be proven), `ISSUANCE_LIMITED` (a rate limit, the CA's or ours),
 * `TARGET_REFUSED`, `TARGET_FORBIDDEN`, `TARGET_MISCONFIGURED`, `TARGET_UNREACHABLE`, and those of slot, keys and challenger. After
 * a permanent one everything is withdrawn and forgotten, as by {@link abandon}.
 */
export async function issue(step: AcmeStep, publisher: Publisher): Promise<VaultCertificate> {
  const slot = slotOf(step);
  const pace = startPace(step);
  try {
    const made = await slot.made();
    const certificate = made ?? (await withClient(step, obtain));
    await tidy(step, publisher, pace);
    return certificate;
  } catch (error) {
    if (isForGood(error)) await abandon(step, publisher).catch(() => undefined);
    throw error;
  }

  async function obtain(client: Client) {
    const account = await ensureAccount(step, client);
    return await advance({ step, slot, client, account, publisher, pace });
  }
}

/**
 * Ends an issuance that nobody wants any more: withdraws every noted value and forgets the order. Harmless when there is nothing, and
 * after success. `ISSUANCE_PENDING` when it must be called again. The CA lets the order expire: its authorizations may serve other
 * orders of the account, so they are not deactivated.
 */
export async function abandon(step: AcmeStep, publisher: Publisher): Promise<void> {
  await withdrawValues(step.notes, publisher, startPace(step));
  await forgetOrder(step.notes);
}

/** What cannot be withdrawn for good does not spoil a certificate that is made, nor keep another order from being made. */
async function tidy(step: AcmeStep, publisher: Publisher, pace: Pace): Promise<void> {
  await withdrawWhatCan(step.notes, publisher, pace);
  await forgetOrder(step.notes);
}

async function advance(issuance: Issuance): Promise<VaultCertificate> {
  const { step, account, slot, pace } = issuance;
  const { names } = slot.wanted;
  let [order, note] = await ensureOrder(issuance);
  for (;;) {
    switch (order.status) {
      case "pending":
        note = await proveNames(issuance, order, note);
        break;
      case "ready":
        order = await finalize(issuance, order);
        if (order.status === "valid" || order.status === "invalid") continue;
        break;
      case "processing":
        break;
      case "valid":
        return await collect(issuance, order);
      case "invalid":
        throw await endOf(issuance, order);
    }
    if (!(await pace.wait(order.retryAfterSeconds))) {
      const still = order.status === "processing" ? "signs" : "looks at";
      throw notYet(`The CA still ${still} the order for ${shortly(names)}.`, order.retryAfterSeconds);
    }
    order = (await readOrder(step, account, order.url)) ?? (await orderGone(issuance));
  }
}

/** The order of this rotation: noted, found at the CA, or made; noted before and after. */
async function ensureOrder(issuance: Issuance): Promise<[Order, OrderNote]> {
  const { step, slot, client, account, publisher, pace } = issuance;
  const { names } = slot.wanted;
  const set = setOf(names);
  const noted = readOrderNote(step.notes);
  const ours = noted?.rotationId === step.rotationId && noted.kid === account.kid && noted.set === set;
  if (ours && noted.url !== undefined) {
    const order = (await readOrder(step, account, noted.url)) ?? (await orderGone(issuance));
    return [order, noted];
  }
  if (!ours) await withdrawWhatCan(step.notes, publisher, pace);

  const replaces = await replaceable(client, slot);
  const replacing = replaces !== undefined;
  if (!ours) assertWithinLimits(step, set, { replacing });
  const intent = { rotationId: step.rotationId, kid: account.kid, set, since: step.ports.now(), replacing };
  if (!ours) await writeOrderNote(step.notes, intent);
  const found = ours ? await findOrder(step, account, names) : undefined;
  const order = found ?? (await placeOrder(step, client, account, { names, replaces }));
  return [order, await writeOrderNote(step.notes, { ...intent, url: order.url })];
}

/** Now, and only now, the vault makes the key pair: its placeholder version is the newest for seconds only. */
async function finalize({ step, account, slot }: Issuance, order: Order): Promise<Order> {
  const { names } = slot.wanted;
  const { csr } = await slot.pending();
  const reply = await account.post(order.finalize, { csr: Buffer.from(csr).toString("base64url") });
  const problem = problemOf(reply);
  if (problem) throw refusal(reply, `to sign for ${shortly(names)}`, step.ports.now());
  await count(step, setOf(names), "issued", order.url);
  return orderOf(step, reply, order.url);
}

async function collect(issuance: Issuance, order: Order): Promise<VaultCertificate> {
  const { step, account, slot } = issuance;
  await count(step, setOf(slot.wanted.names), "issued", order.url);
  if (order.certificate === undefined) return await orderGone(issuance);
  const chain = await download(step, account, order.certificate);
  const { csr } = await slot.pending();
  // Somebody ended the pending operation that this certificate was made for, and the key with it.
  const { publicKey } = new X509Certificate(chain[0]!);
  if (!publicKey.equals(keyOfRequest(csr, slot.wanted.key))) return await orderGone(issuance);
  return await slot.merge(chain);
}

/** The order leads nowhere any more: forgotten, so that the next call makes another, within the limits. */
async function orderGone({ step, publisher, pace }: Issuance): Promise<never> {
  await tidy(step, publisher, pace);
  throw notYet("The CA's order leads to no certificate any more; another is made.");
}

/** Why an order failed. It is forgotten before that is thrown, so that a failure which passes leads to a new one. */
async function endOf({ step, account, slot, publisher, pace }: Issuance, order: Order): Promise<PinionError> {
  const { names } = slot.wanted;
  const failure = failureIn(await readAuthorizations(step, account, order));
  if (failure) await count(step, setOf(names), "failed", order.url);
  await uncount(step, order.url);
  await tidy(step, publisher, pace);
  return failure ?? orderFault(shortly(names), readProblem(order.error));
}
