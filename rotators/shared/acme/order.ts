import { z } from "zod";
import type { Account } from "./account.ts";
import type { Client } from "./client.ts";
import { locationOf, parse } from "./client.ts";
import { problemOf, refusal } from "./errors.ts";
import { fewAtOnce } from "../few-at-once.ts";
import type { Reply } from "./http.ts";
import { links, retryAfter } from "./http.ts";
import { assertWithinLimits, noteLimit } from "./limits.ts";
import { setOf } from "./notes.ts";
import { isSafeUrl } from "./target.ts";
import type { AcmeStep } from "./target.ts";

const url = z.string().refine(isSafeUrl);

const orderBody = z.looseObject({
  status: z.enum(["pending", "ready", "processing", "valid", "invalid"]),
  identifiers: z.array(z.looseObject({ type: z.string(), value: z.string() })),
  authorizations: z.array(url),
  finalize: url,
  certificate: url.optional(),
  /** ISO 8601. */
  expires: z.string().optional(),
  profile: z.string().optional(),
  error: z.unknown().optional(),
});

/** An order as the CA shows it (RFC 8555 section 7.1.3). */
export interface Order extends z.output<typeof orderBody> {
  readonly url: string;
  readonly retryAfterSeconds: number | undefined;
}

/** What is ordered. `replaces` is the certificate's id of RFC 9773 section 4.1. */
export interface Wish {
  readonly names: readonly string[];
  readonly replaces?: string | undefined;
}

/** The order in an answer to a request for it. */
export function orderOf(step: AcmeStep, reply: Reply, orderUrl: string): Order {
  const body = parse(reply, orderBody, "an order");
  return { ...body, url: orderUrl, retryAfterSeconds: retryAfter(reply, step.ports.now()) };
}

/** The order as it is now; undefined where the CA knows it no longer, or keeps it from this account. */
export async function readOrder(step: AcmeStep, account: Account, orderUrl: string): Promise<Order | undefined> {
  const reply = await account.post(orderUrl, "");
  if ([403, 404, 410].includes(reply.status) && problemOf(reply)?.type !== "rateLimited") return undefined;
  if (problemOf(reply)) throw refusal(reply, "to show the order", step.ports.now());
  return orderOf(step, reply, orderUrl);
}

/**
 * Makes an order. Where the CA refuses it together with `replaces` (already replaced, issued for another account, not known any
 * more), it is made without: a renewal is worth more than the hint.
 */
export async function placeOrder(step: AcmeStep, client: Client, account: Account, wish: Wish): Promise<Order> {
  const { names, replaces } = wish;
  const { profile } = step.target;
  const payload = {
    identifiers: names.map((value) => ({ type: "dns", value })),
    ...(profile === undefined ? {} : { profile }),
    ...(replaces === undefined ? {} : { replaces }),
  };
  const reply = await account.post(client.directory.newOrder, payload);
  const problem = problemOf(reply);
  if (problem && replaces !== undefined && mayBeTheHint(problem.type, reply.status)) {
    assertWithinLimits(step, setOf(names), { replacing: false });
    return await placeOrder(step, client, account, { names });
  }
  if (problem) {
    const fault = refusal(reply, `the order for ${shortly(names)}`, step.ports.now());
    await noteLimit(step, setOf(names), fault);
    throw fault;
  }
  return orderOf(step, reply, locationOf(reply));
}

/** Refusals that have other causes for sure are not repeated. */
function mayBeTheHint(type: string, status: number): boolean {
  const otherwise = ["rateLimited", "accountDoesNotExist", "userActionRequired", "externalAccountRequired"];
  return status >= 400 && status < 500 && status !== 429 && !otherwise.includes(type);
}

/** At most so many orders are looked through, so many at a time. */
const mostOrders = 200;
const width = 4;

/**
 * Looks for an order of these names that a call made and died before it could note: open, and of the profile we ask for. Only where the
 * CA lists an account's orders (RFC 8555 section 7.1.2.1); those that do not mostly answer a second request with the same order.
 */
export async function findOrder(
  step: AcmeStep,
  account: Account,
  names: readonly string[],
): Promise<Order | undefined> {
  const shown = await account.post(account.kid, "");
  if (isNotShown(step, shown)) return undefined;
  let page = parse(shown, z.looseObject({ orders: url.optional() }), "an account").orders;
  for (let seen = 0; page !== undefined && seen < mostOrders;) {
    const reply = await account.post(page, "");
    if (isNotShown(step, reply)) return undefined;
    const { orders } = parse(reply, z.looseObject({ orders: z.array(url) }), "a list of orders");
    const read = await fewAtOnce(orders, width, async (one) => await readOrder(step, account, one));
    const ours = read.find((order) => order && isOurs(step, order, names));
    if (ours) return ours;
    seen += Math.max(orders.length, 1);
    page = links(reply, "next")[0];
  }
  return undefined;
}

/** A CA that does not list orders is no fault; one that cannot answer now is: a second order must not come of it. */
function isNotShown(step: AcmeStep, reply: Reply): boolean {
  const problem = problemOf(reply);
  if (!problem) return false;
  const fault = refusal(reply, "to list the orders", step.ports.now());
  if (fault.class !== "permanent") throw fault;
  return true;
}

function isOurs(step: AcmeStep, order: Order, names: readonly string[]): boolean {
  const open = order.status === "pending" || order.status === "ready";
  const profile = step.target.profile === undefined || order.profile === step.target.profile;
  const expired = order.expires !== undefined && Date.parse(order.expires) <= step.ports.now();
  return open && profile && !expired && setOf(order.identifiers.map(({ value }) => value)) === setOf(names);
}

/** The first names of a list, for a sentence. */
export function shortly(names: readonly string[]): string {
  const first = names.slice(0, 3).join(", ");
  return names.length > 3 ? `${first} and ${names.length - 3} more` : first;
}
