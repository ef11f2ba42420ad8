import { expect, it } from "vitest";
import { at, key, stage } from "./fakes.ts";
import { stagingName } from "../../src/vault/staging.ts";

const signal = new AbortController().signal;

it("puts the former value back when the process died between the publishing and its reply, and a rollback came", async () => {
  const { deps, steps, vault, target, given } = stage();
  const expiresOn = new Date(at + 86_400_000 * 40);
  const source = await vault.vault.write("db", { value: "source-value", expiresOn, tags: {} }, signal);
  const preflight = { sourceVersion: source.version, current: { id: "app" }, idle: { id: "app" } };
  const staged = await steps.stage({ ...given, ...preflight });
  if (!staged.ok) throw new Error("not staged");
  const candidate = { ...staged.result, sourceVersion: source.version, current: { id: "app" } };
  expect(await steps.set({ ...given, ...candidate })).toMatchObject({ ok: true });
  expect(target.password).toBe("candidate-value");
  // Its reply is lost: the orchestrator knows no published version, and the staged copy is disabled.
  expect(await steps.publish({ ...given, ...candidate })).toMatchObject({ ok: true });
  expect(vault.all.find(({ name }) => name === stagingName(key))?.enabled).toBe(false);

  const back = { ...given, ...candidate, turningBack: true };
  expect(await steps.restore(back)).toMatchObject({ ok: true });
  expect(target.password).toBe("source-value");
  expect(await steps.republish(back)).toMatchObject({ ok: true });
  expect(await deps.zone(undefined).vault("", "secret").latest("db", signal)).toMatchObject({ value: "source-value" });
});
