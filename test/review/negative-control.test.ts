import { expect, it } from "vitest";
import { PinionError } from "../../src/errors.ts";
import type { Consumer } from "../../src/consumer.ts";
import { consumer } from "../policy-sample.ts";
import { at, memoryTarget, stage } from "./fakes.ts";

const signal = new AbortController().signal;

it("tries a wrong password once for a rotation, however often preflight is tried again", async () => {
  const { rotator } = memoryTarget("source-value");
  let wrong = 0;
  const counting: typeof rotator = {
    ...rotator,
    async observe(_step, current, { negativeControl }) {
      if (negativeControl) wrong += 1;
      return { current: { id: current.id }, idle: { id: current.id }, proofs: [] };
    },
  };
  const unreachable: Partial<Consumer> = {
    needs: () => [],
    read: () => Promise.reject(new PinionError("CONSUMER_UNREACHABLE", "no answer", { class: "transient" })),
  };
  const { steps, vault, records, given } = stage({
    object: { consumers: [consumer("api")] },
    rotator: () => counting,
    consumer: () => unreachable as Consumer,
  });
  records.become({ phase: "idle", rotationId: "r-0" });
  const expiresOn = new Date(at + 86_400_000 * 40);
  const { version } = await vault.vault.write("db", { value: "source-value", expiresOn, tags: {} }, signal);
  const actor = { kind: "key", id: "k", roles: [] } as const;
  records.commands.push({ id: "start", verb: "start", rotationId: "r-1", version, actor, at: "" });
  for (let attempt = 0; attempt < 3; attempt++)
    expect(await steps.preflight(given)).toMatchObject({ ok: false, fault: { code: "CONSUMER_UNREACHABLE" } });
  expect(wrong).toBe(1);
});
