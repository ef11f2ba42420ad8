import { describe, expect, it } from "vitest";
import type { Deps } from "../../src/activities/deps.ts";
import { at, stage } from "./fakes.ts";

const signal = new AbortController().signal;
const expiresOn = new Date(at + 86_400_000 * 40);

/** Holds the first call of `release` (verify's own outside call) until it is let go. */
function held(fleet: Deps["fleet"]) {
  let go = () => {};
  const gate = new Promise<void>((resolve) => (go = resolve));
  return { fleet: { ...fleet, release: () => gate }, go };
}

describe("a copy of verify that is released late", () => {
  it.each([
    ["the rotation has ended", { phase: "idle", outcome: "rotated" }],
    ["the point of no return is passed", { phase: "retiring", pointOfNoReturn: true }],
    ["it is being rolled back", { phase: "rolling-back" }],
  ] as const)("does not write its phase when %s", async (_name, later) => {
    const first = stage();
    const { fleet, go } = held(first.deps.fleet);
    const scene = stage({ fleet });
    const running = scene.steps.verify({ ...scene.given, version: "v1" });
    await new Promise((resolve) => setTimeout(resolve, 20));
    scene.records.become(later);
    scene.records.touched();
    go();
    expect(await running).toMatchObject({ ok: false, fault: { code: "LEASE_LOST" } });
    expect(scene.records.now()).toMatchObject(later);
  });
});

describe("preflight", () => {
  const begun = async () => {
    const scene = stage();
    scene.records.become({ phase: "idle", rotationId: "r-0" });
    const { version } = await scene.vault.vault.write("db", { value: "source-value", expiresOn, tags: {} }, signal);
    const actor = { kind: "key", id: "k", roles: [] } as const;
    scene.records.commands.push({ id: "start", verb: "start", rotationId: "r-1", version, actor, at: "" });
    return scene;
  };

  it("run twice at once succeeds twice: whichever reply comes first is taken", async () => {
    const { steps, given } = await begun();
    const replies = await Promise.all([steps.preflight(given), steps.preflight(given)]);
    for (const reply of replies) expect(reply).toMatchObject({ ok: true, result: { plan: { rotationId: "r-1" } } });
  });

  it("released late takes the object from no later step, and from no later rotation", async () => {
    for (const later of [
      { rotationId: "r-1", phase: "grace", step: "verify", pointOfNoReturn: false },
      { rotationId: "r-1", phase: "retiring", step: "suspend", pointOfNoReturn: true },
      { rotationId: "r-2", phase: "running" },
    ] as const) {
      const { steps, given, records, deps } = await begun();
      const { write } = deps.records;
      let go = () => {};
      const gate = new Promise<void>((resolve) => (go = resolve));
      Object.assign(deps.records, {
        write: async (...args: Parameters<typeof write>) => {
          await gate;
          return write(...args);
        },
      });
      const late = steps.preflight(given);
      await new Promise((resolve) => setTimeout(resolve, 20));
      records.become(later);
      records.touched();
      go();
      expect(await late).toMatchObject({ ok: false });
      expect(records.now()).toMatchObject(later);
    }
  });
});
