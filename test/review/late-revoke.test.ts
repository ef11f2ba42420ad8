import { describe, expect, it } from "vitest";
import { at, stage } from "./fakes.ts";

const signal = new AbortController().signal;
const expiresOn = new Date(at + 86_400_000 * 40);

describe("a copy of revoke that is released late", () => {
  it.each([
    ["the next rotation", { rotationId: "r-2", phase: "running", pointOfNoReturn: false }],
    ["an object at rest", { phase: "idle", outcome: "rotated", pointOfNoReturn: false }],
  ] as const)("passes no point of no return for %s", async (_name, later) => {
    const scene = stage();
    scene.records.become({ phase: "grace" });
    const { vault } = scene.vault;
    const old = await vault.write("db", { value: "former-value", expiresOn, tags: {} }, signal);
    const kept = await vault.write("db", { value: "source-value", expiresOn, tags: {} }, signal);
    const { latest } = vault;
    vault.latest = async (...args) => {
      scene.records.become(later);
      scene.records.touched();
      return latest(...args);
    };
    const retirement = { old: { id: "app" }, oldVersion: old.version, keptVersion: kept.version, round: 1 };
    expect(await scene.steps.revoke({ ...scene.given, ...retirement, suspended: false })).toMatchObject({ ok: false });
    expect(scene.records.now()).toMatchObject(later);
  });
});
