// When things of the story come near their expiry. All times are milliseconds by the cloud's clock.

const day = 86_400_000;
/** The vault tells of an object this long before its end. */
const notice = 30 * day;
/** What the story renews is good for this long. */
const validity = 90 * day;

/** The furthest that the story moves the clock to a certificate's end. */
export const furthest = 40 * day;

/** The instant from which an object is near its expiry. */
export const dueFrom = (expires: number): number => expires - notice;

export interface Expiries {
  readonly orders: number;
  readonly reports: number;
  readonly shop: number;
}

/**
 * When a run that begins now asks for the certificate. One after the other comes near its expiry; what is due before its part begins, an
 * interrupted run's rotation say, is renewed in passing, and its part waits for its next end.
 */
export function whenAsked(now: number, { orders, reports, shop }: Expiries): number {
  const next = (at: number, due: number): number => (due > at ? due : at + validity - notice);
  const before = next(next(now, dueFrom(orders)), dueFrom(reports));
  const wait = dueFrom(shop) - before;
  return wait > 0 && wait < furthest ? before + wait : before;
}
