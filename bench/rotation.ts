// npm run bench:rotation [-- --json] [--rotations 7] [--app dist/app]
//
// What a rotation costs on the local cloud, its parts as processes as in `npm start`, beside the least that it could cost: postgres,
// two roles in turn, one App Service site pinned to its version. All in one run, medians, nothing at the same time:
//
// - *rotation*: from the request that starts it to the end of its orchestration, the engine's own work included, by the times of the
//   durable history. Left out: the durable timers (the policy's grace, idle window and watch; the clock is moved over them) with
//   whatever they are late, and the pauses of 250 ms between the five looks at who uses a role, of which a recorded rotation
//   tells the number. Left in: the quarter of a second that `verify` waits when the site has not restarted yet.
//   No recorder stands in between here.
// - *checked floor*: every outside call of one rotation, recorded between the app and the services, sent again one after the other to
//   the same services: same requests and bodies, same logins and statements; no durability, no Pinion, no pauses.
// - *bare floor*: get, stage, ALTER ROLE, log in, publish; nothing is checked and nothing could be turned back.
// - *counts*: of the recorded rotation, by a process that has just started, less what a process asks once (bench/rotation/counts.ts),
//   against bench/ceilings.json, which says what each vault call is for. As the waits are skipped, nothing that the app remembers
//   grows old: with waits of more than five minutes the administrator's password is read anew after each of the three, and the
//   former value once more before it is revoked.
//
// Ends with 1 when a count is over its ceiling; never because of a time.
import { parseArgs } from "node:util";
import { openBareFloor } from "./rotation/bare.ts";
import { type Bed, openBed, type Rotation, rotate } from "./rotation/bed.ts";
import { callsOfRotation, count, over, readCeilings, samplingPauses } from "./rotation/counts.ts";
import { recordRotation } from "./rotation/record.ts";
import { createReplay } from "./rotation/replay.ts";

const { values: args } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rotations: { type: "string", default: "7" },
    app: { type: "string" },
  },
});
/** The ratio to the checked floor that is aimed at. */
const target = 3;
const warmUp = 2;
const rounds = 15;
const ceilings = readCeilings();

const bed = await openBed();
try {
  const report = await measure(bed);
  if (args.json) console.log(JSON.stringify(report));
  else tell(report);
  if (report.over.length > 0) process.exitCode = 1;
} finally {
  await bed.close();
}

async function measure(bed: Bed) {
  const host = await bed.host({ app: args.app });
  const rotations: Rotation[] = [];
  for (let round = -warmUp; round < Number(args.rotations); round += 1) {
    const rotation = await rotate(bed, host);
    if (round >= 0) rotations.push(rotation);
  }
  await host.stop();

  const { rotation, calls } = await recordRotation(bed, args.app);
  const counted = callsOfRotation(calls);
  const counts = count(counted, rotation.activities);

  const bare = await openBareFloor(bed);
  const bareMs = await medianOf(() => bare.run());
  await bare.close();
  const replay = await createReplay(bed, rotation.rotationId, counted);
  const checkedMs = await medianOf(
    () => replay.run(),
    () => replay.prepare(),
  );
  replay.close();

  const pausesMs = samplingPauses(calls);
  const rotationMs = median(rotations.map(({ worked }) => worked)) - pausesMs;
  return {
    rotations: rotations.length,
    rotationMs: round(rotationMs),
    pausesMs,
    bareFloorMs: round(bareMs),
    checkedFloorMs: round(checkedMs),
    ratioToBareFloor: round(rotationMs / bareMs),
    ratioToCheckedFloor: round(rotationMs / checkedMs),
    target,
    counts,
    ceilings: ceilings.postgresAlternating,
    over: over(counts, ceilings.postgresAlternating),
  };
}

async function medianOf(run: () => Promise<void>, prepare?: () => Promise<void>): Promise<number> {
  const times: number[] = [];
  for (let at = -warmUp; at < rounds; at += 1) {
    await prepare?.();
    const began = performance.now();
    await run();
    if (at >= 0) times.push(performance.now() - began);
  }
  return median(times);
}

function tell(report: Awaited<ReturnType<typeof measure>>): void {
  const { rotationMs, pausesMs, bareFloorMs, checkedFloorMs, ratioToBareFloor, ratioToCheckedFloor, counts } = report;
  console.log(
    `postgres, alternating, one pinned site; medians of ${report.rotations} rotations and ${rounds} rounds of the floors`,
  );
  console.log(
    `rotation without its waits  ${rotationMs} ms (durable timers and ${pausesMs} ms of sampling pauses left out)`,
  );
  console.log(
    `checked floor               ${checkedFloorMs} ms; ratio ${ratioToCheckedFloor}, aimed at: at most ${target}`,
  );
  console.log(`bare floor                  ${bareFloorMs} ms; ratio ${ratioToBareFloor}`);
  for (const [name, value] of Object.entries(counts)) {
    const ceiling = report.ceilings[name as keyof typeof counts];
    console.log(
      `${name.padEnd(12)} ${String(value).padStart(4)} of at most ${ceiling}${value > ceiling ? "  OVER" : ""}`,
    );
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
