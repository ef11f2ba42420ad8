import { expect, it } from "vitest";
import { dueAt } from "../../../local/host/durable/alarms.ts";

it("a timer fires up to a second early, as the queue counts whole seconds", () => {
  const after = (milliseconds: number) => {
    const created = Date.parse("2027-01-01T12:00:00.250Z");
    const at = (instant: number) => new Date(instant).toISOString();
    return dueAt({ Timestamp: at(created), FireAt: at(created + milliseconds) }) - created;
  };
  expect([-5000, 0, 999, 1000, 1999, 2000, 60_500].map(after)).toEqual([0, 0, 0, 1000, 1000, 2000, 60_000]);
});
