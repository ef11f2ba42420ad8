import { expect, test } from "vitest";
import { whenAsked } from "../../local/demo/schedule.ts";

// What pebble issues ends at an instant that is set before the story begins: so long after it as the story asks for the certificate.

const day = 86_400_000;
const asked = (now: number, orders: number, reports: number, shop: number): number =>
  whenAsked(now * day, { orders: orders * day, reports: reports * day, shop: shop * day }) / day;

test.each([
  ["a first run: each in its turn", 0, [90, 105, 120], 90],
  ["a second one, on what the first left", 90, [150, 165, 180], 150],
  ["interrupted while the first was rotated: it is renewed, and due again", 60, [90, 105, 120], 180],
  ["interrupted after that", 60, [150, 105, 120], 180],
  ["the certificate is far from its end: a person starts it", 90, [150, 165, 300], 135],
  ["nearly at the end of the story", 75, [150, 105, 120], 180],
] as const)("%s", (_, now, [orders, reports, shop], expected) => {
  expect(asked(now, orders, reports, shop)).toBe(expected);
});
