import { createClient } from "../client.ts";
import { rotateTwiceAtOnce } from "../copies/twice.ts";
import type { Phase } from "../edge/index.ts";
import { killAt } from "../kill-points.ts";
import { checkRotated, current, look } from "../promise.ts";
import { drive, startRotation } from "../rotation.ts";
import { briefly, openWorld, orders, type World, type WorldOptions } from "../world.ts";

/** Runs an app and says what does not hold; nothing for the app as it is. */
export type Watch = (app: string) => Promise<readonly string[]>;

/** Long enough to tell a wait from none, in the cloud's time; what is measured may be a second short. */
const lagSeconds = 1200;
const patient = { ...briefly, grace: "PT20M", lag: "PT20M" };

async function inWorld<T>(options: WorldOptions, run: (world: World) => Promise<T>): Promise<T> {
  const world = await openWorld(options);
  try {
    return await run(world);
  } finally {
    await world.close();
  }
}

/** Seconds of the cloud from the first call that matches `from` to the first later one that matches `to`; undefined when there is none. */
function stopwatch(world: World, from: RegExp, to: RegExp): () => number | undefined {
  let began: number | undefined;
  let ended: number | undefined;
  world.edge.on(({ name }) => {
    const now = world.cloud.clock.now();
    if (began !== undefined && to.test(name)) ended ??= now;
    if (from.test(name)) began ??= now;
    return undefined;
  });
  return () => (began === undefined || ended === undefined ? undefined : (ended - began) / 1000);
}

/** One undisturbed rotation under a client that never re-reads: ends well, no failed login, the lag waited out, no password in the history. */
export const rotation: Watch = async (app) => {
  const client = createClient(orders.site, orders.setting, orders.database);
  return await inWorld({ app, timing: patient, onStart: client.onStart }, async (world) => {
    const before = await look(world, orders);
    const waited = stopwatch(world, /^arm PUT/, /ALTER ROLE "\w+" NOLOGIN/);
    client.begin(world.cloud.postgres);
    const faults: string[] = [];
    try {
      const ended = await drive(world, orders, await startRotation(world, orders, before.version));
      const history = JSON.stringify(await world.instance(orders, true));
      const { login } = await current(world, orders);
      if ([login, before.login].some(({ password }) => history.includes(password)))
        faults.push("a password is in the durable history");
      faults.push(...(await checkRotated(world, orders, before, ended)).faults);
    } catch (error) {
      faults.push(String(error));
    }
    const { failures } = await client.end();
    if (failures.length > 0) faults.push(`${failures.length} logins failed, the first: ${failures[0]}`);
    const seconds = waited();
    if (seconds === undefined || seconds < lagSeconds - 1)
      faults.push(
        `the old credential was suspended ${seconds} s after the cutover, the consumer may lag ${lagSeconds} s`,
      );
    return faults;
  });
};

/** A rotation is turned back during its grace: whoever still holds the candidate has the declared lag before it goes. */
export const rollback: Watch = async (app) =>
  await inWorld({ app, timing: patient }, async (world) => {
    const before = await look(world, orders);
    let seconds: () => number | undefined = () => undefined;
    let asked = false;
    const rotationId = await startRotation(world, orders, before.version);
    const onLook = async ({ customStatus }: { customStatus: { step: string } | null }) => {
      if (asked || customStatus?.step !== "grace") return;
      asked = true;
      seconds = stopwatch(world, /^arm PUT/, /ALTER ROLE "\w+" NOLOGIN/);
      await world.api("POST", `rotations/${orders.id}/rollback`, { rotationId, reason: "test" });
    };
    const { outcome } = await drive(world, orders, rotationId, { onLook });
    const waited = seconds();
    return [
      ...(outcome === "rolled-back" ? [] : [`the outcome is ${outcome}`]),
      ...(waited !== undefined && waited >= lagSeconds - 1
        ? []
        : [`the candidate was suspended ${waited} s after the consumers went back, they may lag ${lagSeconds} s`]),
    ];
  });

/** The process dies at a call; promise 2 holds all the same. */
export const death =
  (name: string, phase: Phase): Watch =>
  async (app) =>
    await inWorld({ app }, async (world) => {
      const verdict = await killAt(world, orders, { name, nth: 1, phase, cold: false, tried: 0 });
      if (verdict.kind === "unreached") throw new Error(`The rotation never came by ${name}.`);
      return verdict.kind === "broken" ? verdict.faults : [];
    });

/** Every activity runs twice at once. */
export const twice: Watch = async (app) => await rotateTwiceAtOnce(orders, 2, app);
