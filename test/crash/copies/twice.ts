import { checkRotated, clean, look } from "../promise.ts";
import { drive, startRotation } from "../rotation.ts";
import { openWorld, type Subject } from "../world.ts";
import { openSecond } from "./second.ts";
import { openTurnstile } from "./turnstile.ts";

/** Rotates so often with every activity delivered twice at once; returns what did not hold. */
export async function rotateTwiceAtOnce(subject: Subject, rounds: number, app?: string): Promise<readonly string[]> {
  const turnstile = await openTurnstile(app);
  const world = await openWorld({ app: turnstile.app, env: turnstile.env });
  const second = await openSecond(world, app);
  const broken: string[] = [];
  try {
    for (let round = 1; round <= rounds; round += 1) {
      const before = await look(world, subject);
      const seen = new Set<string>();
      const copies: Promise<unknown>[] = [];
      world.edge.reset();
      second.edge.reset();
      turnstile.before(({ name, input }) => {
        // What the orchestration tries again is not a second delivery.
        if (seen.has(name)) return;
        seen.add(name);
        copies.push(second.invoke(name, input));
      });
      const ended = await drive(world, subject, await startRotation(world, subject, before.version));
      await Promise.all(copies);
      const { faults } = await checkRotated(world, subject, before, ended, clean, second.edge.calls);
      broken.push(...faults.map((fault) => `round ${round}: ${fault}`));
    }
  } finally {
    turnstile.before(() => undefined);
    await second.close();
    await world.close();
    await turnstile.close();
  }
  return broken;
}
