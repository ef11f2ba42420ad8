import { afterEach, expect, it, vi } from "vitest";
import { memoryRecords, stage } from "./fakes.ts";

afterEach(() => void vi.restoreAllMocks());

it("ends a step whose own storage never answers, at its deadline", async () => {
  const over = new AbortController();
  vi.spyOn(AbortSignal, "timeout").mockReturnValue(over.signal);
  const { records } = memoryRecords();
  const silent = { ...records, read: () => new Promise<never>(() => {}) };
  const { steps, given } = stage({ records: silent });
  const reply = steps.hear(given);
  setTimeout(() => over.abort(new DOMException("over", "TimeoutError")), 20);
  expect(await reply).toMatchObject({ ok: false, fault: { code: "DEADLINE_EXCEEDED", class: "transient" } });
});
