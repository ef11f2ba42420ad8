import { expect, it } from "vitest";
import { at, stage } from "./fakes.ts";

const signal = new AbortController().signal;

it.each([
  [1, "permanent"],
  [3, "propagation"],
] as const)("a candidate that is refused at first, where %i logins must succeed, is %s", async (successes, kind) => {
  const { steps, vault, given } = stage({ object: { validate: { successes, over: "PT1M" } } });
  const expiresOn = new Date(at + 86_400_000 * 40);
  const { version } = await vault.vault.write("db", { value: "source-value", expiresOn, tags: {} }, signal);
  const account = { id: "app" };
  const staged = await steps.stage({ ...given, sourceVersion: version, current: account, idle: account });
  if (!staged.ok) throw new Error("not staged");
  const candidate = { ...staged.result, sourceVersion: version, current: account };
  // Without a set: as a replica sees it that has not heard of the change.
  expect(await steps.validate({ ...given, ...candidate, negativeControl: true })).toMatchObject({
    ok: false,
    fault: { class: kind },
  });
});
