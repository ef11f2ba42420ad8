import { expect, test } from "vitest";
import { createRecord } from "../../src/activities/record.ts";
import { firstKey } from "./first.ts";
import { live } from "./live.ts";
import { openObject, openWorld } from "./world.ts";

// What the record says while the last step cannot do its work: whoever takes the rotation up must decide nothing anew.

test.each(["rotated", "kept"] as const)(
  "a rotation that ends %s says so before its evidence is written",
  async (outcome) => {
    const world = await openWorld();
    try {
      const name = `ended-${outcome}`;
      const version = await firstKey(world, name, "EC");
      const object = openObject(world, {
        name,
        object: { kind: "key", rotator: { kind: "key", strategy: "dual", target: {} } },
      });
      const lived = await live(world, object, version);
      expect(lived.outcome).toBe("rotated");
      // The end once more, in a grace that is not over yet, while the evidence cannot be written.
      const { deps, activities } = object.app();
      const { rotationId } = lived;
      const page = await deps.records.read(object.key, rotationId);
      const reached = { plan: {} as never, startedAt: "2026-01-01T00:00:00.000Z" };
      const { outcome: _gone, ...rest } = page.state.value;
      await deps.records.write(object.key, { ...rest, phase: "grace", step: "verify", reached }, page.state.etag);
      object.evidence.clear();
      const blocked = {
        ...deps,
        evidence: { getBlockBlobClient: () => ({ upload: () => Promise.reject(new Error("away")) }) },
      };
      const ending = {
        outcome,
        retired: ["v"],
        timeline: [],
        startedAt: reached.startedAt,
        endedAt: reached.startedAt,
      };
      const input = { ...ending, objectId: object.id, rotationId, turningBack: false, instanceId: object.key };
      expect(await createRecord(blocked as never)(input)).toMatchObject({ ok: false });
      expect(object.state()).toMatchObject({
        phase: outcome === "kept" ? "retiring" : "grace",
        pointOfNoReturn: outcome === "kept",
      });
      expect(object.state().reached).toMatchObject({ ended: { outcome, retired: ["v"] } });

      // And one that is taken up is told of it, with the step where it stood.
      const { step } = object.state();
      const taken = await activities.preflight({
        objectId: object.id,
        rotationId,
        turningBack: false,
        instanceId: object.key,
        takeUp: true,
      });
      expect(taken).toMatchObject({ ok: true, result: { takenUp: { ended: { outcome } } } });
      expect(object.state()).toMatchObject({ step, reached: { takenUp: 1 } });
    } finally {
      await world.close();
    }
  },
);
