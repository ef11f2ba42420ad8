import { expect, it } from "vitest";
import { stepBeside } from "../../src/activities/beside.ts";
import { findSubject } from "../../src/activities/deps.ts";
import type { Credential, Step } from "../../src/rotator.ts";
import { memoryTarget, stage } from "./fakes.ts";

it("a note that is written beside a running step survives that step's own", async () => {
  const { rotator } = memoryTarget("source-value");
  let beside: Step<unknown> | undefined;
  const create = async (step: Step<unknown>): Promise<Credential> => {
    await beside?.notes.write("theirs", "1");
    await step.notes.write("ours", "2");
    return { id: "app", material: "candidate-value" };
  };
  const { deps, steps, vault, records, given } = stage({ rotator: () => ({ ...rotator, create }) });
  const source = await vault.vault.write("db", { value: "source-value", tags: {} }, new AbortController().signal);
  const subject = await findSubject(deps, "db");
  beside = await stepBeside(deps, subject!, "beside", new AbortController().signal);

  const current = { id: "app" };
  const reply = await steps.stage({ ...given, sourceVersion: source.version, current, idle: current });
  expect(reply).toMatchObject({ ok: true });
  expect(records.now().notes).toEqual({ theirs: "1", ours: "2" });
  // Who wrote beside it reads what is there now, and forgets only its own.
  await beside.notes.write("theirs", undefined);
  expect(records.now().notes).toEqual({ ours: "2" });
});
