import { describe, expect, it } from "vitest";
import type { Call, Place } from "./edge/index.ts";
import { type CleanRun, describeBroken, describePoint, killAll, pointsOf, runClean } from "./kill-points.ts";
import { openWorld, type Subject } from "./world.ts";

const minute = 60_000;

/** Kills the app on each side of every outside call of a rotation, and checks promise 2 each time. Prints what it counted. */
export function killSuite(subject: Subject): void {
  describe(`${subject.strategy}: the process dies`, () => {
    let cold: CleanRun;
    let warm: CleanRun;

    it("the calls of an undisturbed rotation are counted", { timeout: 2 * minute }, async () => {
      const world = await openWorld();
      cold = await runClean(world, subject);
      warm = await runClean(world, subject);
      await world.close();
      const counts = { activities: warm.activities.length, ...countByPlace(warm.calls) };
      console.log(`${subject.strategy}: one rotation, ${warm.calls.length} outside calls\n${table(counts)}`);
      // Nothing hides: whatever a rotation must touch was seen at the edge.
      const touched = ["vault", "arm", "postgres", "table", "blob", "topic"] as const;
      expect(touched.filter((place) => counts[place] === 0)).toEqual([]);
    });

    it("before each call, after its work, and after its reply: promise 2 holds", { timeout: 90 * minute }, async () => {
      const points = pointsOf(cold.calls, warm.calls);
      const total = points.length;
      const verdicts = await killAll(subject, points);
      const broken = verdicts.filter((verdict) => verdict.kind === "broken");
      const unreached = verdicts.filter(({ kind }) => kind === "unreached");
      console.log(
        `${subject.strategy}: killed at ${verdicts.length - unreached.length} of ${total} points, ${broken.length} did not hold` +
          (unreached.length === 0
            ? ""
            : `; never come by: ${unreached.map(({ point }) => describePoint(point)).join(", ")}`),
      );
      expect(broken.map(describeBroken)).toEqual([]);
      // Calls that wait for somebody else (a site that is not ready yet) are not made in every run.
      expect(unreached.length).toBeLessThan(total / 50);
      expect(verdicts).toHaveLength(total);
    });
  });
}

function countByPlace(calls: readonly Call[]): Record<Place, number> {
  const counts = { vault: 0, arm: 0, postgres: 0, table: 0, blob: 0, topic: 0, identity: 0, health: 0 };
  for (const { place } of calls) counts[place] += 1;
  return counts;
}

function table(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([kind, count]) => `  ${kind.padEnd(12)}${String(count).padStart(4)}`)
    .join("\n");
}
