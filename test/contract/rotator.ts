import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Credential, Proof, Rotator } from "../../src/rotator.ts";
import { startEdge } from "./edge.ts";
import type { Edge } from "./edge.ts";
import { casesOf, ids, stepOf } from "./rotator-cases.ts";
import type { Case, Lab, Scene } from "./rotator-cases.ts";

/** A target to try a rotator on. */
export interface Harness<T> {
  /** Late copies that the target gives no means to tell, so that the lease alone holds them off: `<step> after <later>`. */
  readonly leaseOnly?: readonly string[];
  /** Messages that every step sends at least; 4 unless given. */
  readonly leastCalls?: number;
  /** Makes fresh accounts. `edgeTo` puts an edge before a port of the target. */
  lab(edgeTo: (port: number) => Promise<Edge>): Promise<Lab<T>>;
  stop(): Promise<void>;
}

/**
 * The promises that every rotator keeps, against a real target: steps are idempotent, in sequence and side by side; a
 * connection lost before or after any message loses nothing and repeats nothing; a late copy changes nothing; what is undone
 * works again; a wrong value is refused; no material is in any output.
 */
export function testRotator<T>(name: string, rotator: Rotator<T>, start: () => Promise<Harness<T>>): void {
  describe(`rotator contract: ${name}`, () => {
    let harness: Harness<T>;
    const edges: Edge[] = [];
    beforeAll(async () => {
      harness = await start();
    });
    afterAll(async () => {
      await Promise.all(edges.map((edge) => edge.close()));
      await harness.stop();
    });

    const scene = async (): Promise<Scene<T>> => {
      const lab = await harness.lab(async (port) => {
        const edge = await startEdge(port);
        edges.push(edge);
        return edge;
      });
      const step = stepOf(lab, ids.first);
      const seen = await rotator.observe(step, lab.current, { negativeControl: false });
      const next = await rotator.create(step, seen);
      return { lab, rotator, step, next, old: lab.current };
    };
    /** The step's case once more, for each message of a clean run. */
    const eachCall = async (each: Case<T>, run: (call: number) => Promise<void>): Promise<number> => {
      const clean = await scene();
      await each.before(clean);
      void clean.lab.edge.arm();
      await each.run(clean);
      const calls = clean.lab.edge.calls();
      expect(calls).toBeGreaterThanOrEqual(harness.leastCalls ?? 4);
      await inParallel(
        Array.from({ length: calls }, (_, index) => index + 1),
        8,
        run,
      );
      return calls;
    };

    test("observes without changing anything, and names the slots", async () => {
      const { lab, step, next } = await scene();
      const before = await lab.state();
      const seen = await rotator.observe(step, lab.current, { negativeControl: true });
      expect(seen.current.id).toBe(lab.current.id);
      expect(seen.idle.id).toBe(next.id);
      expect(seen.idle.id === seen.current.id).toBe(rotator.strategy !== "alternating");
      expect(seen.proofs.filter(({ ok }) => !ok)).toEqual([]);
      expect(await lab.state()).toBe(before);
      expect(await lab.changes()).toBe(0);
    });

    test("refuses a current value that does not work", async () => {
      const { lab, step } = await scene();
      const wrong = { ...lab.current, material: "not-the-password" };
      await expect(rotator.observe(step, wrong, { negativeControl: false })).rejects.toMatchObject({
        code: "CURRENT_LOGIN_FAILED",
        class: "permanent",
      });
      expect(await rotator.works(step, wrong)).toBe(false);
      expect(await rotator.works(step, lab.current)).toBe(true);
    });

    test("validates a candidate that is set, and not one that is not", async () => {
      const { lab, step, next, old } = await scene();
      const early = await rotator.validate(step, next, old, { negativeControl: true });
      expect(early.some(({ ok }) => !ok)).toBe(true);
      await rotator.set(step, next, old);
      const state = await lab.state();
      const proofs = await rotator.validate(step, next, old, { negativeControl: true });
      expect(proofs.filter(({ ok }) => !ok)).toEqual([]);
      expect(proofs.length).toBeGreaterThanOrEqual(2);
      // Where several logins must succeed, only the first time a wrong one is tried: nothing may lock out.
      expect(await rotator.validate(step, next, old, { negativeControl: false })).toEqual(proofs.slice(0, -1));
      expect(await lab.state()).toBe(state);
    });

    test("tells a target that cannot be reached from a value that does not work", async () => {
      const { lab, step } = await scene();
      await lab.edge.close();
      edges.splice(edges.indexOf(lab.edge), 1);
      await expect(rotator.works(step, lab.current)).rejects.toMatchObject({
        code: "TARGET_UNREACHABLE",
        class: "transient",
      });
    });

    test("stops at once when the step's signal aborts", async () => {
      const { lab, next, old } = await scene();
      const aborter = new AbortController();
      const frozen = lab.edge.arm({ call: 2, how: "freeze" });
      const step = { ...stepOf(lab, ids.first), signal: aborter.signal };
      const running = rotator.set(step, next, old).catch((error: unknown) => error);
      await frozen;
      const started = performance.now();
      aborter.abort(new DOMException("lease lost", "AbortError"));
      expect(await running).toMatchObject({ name: "AbortError" });
      expect(performance.now() - started).toBeLessThan(500);
    });

    const observable = rotator.idle === "observable" ? rotator : undefined;
    // Where use cannot be observed there is no such promise, and no test of it.
    const whereObservable = observable ? test : () => undefined;
    whereObservable("shows who uses the old credential", async () => {
      const { lab, step, old } = await scene();
      expect(await observable?.usage(step, old)).toEqual({ active: 0, users: [] });
      const end = await lab.use(old);
      const seen = await observable?.usage(step, old);
      expect(seen?.active).toBe(1);
      expect(seen?.users).toHaveLength(1);
      await end();
      expect(await observable?.usage(step, old)).toEqual({ active: 0, users: [] });
    });

    test("puts no material into outputs, errors or the target's log", async () => {
      const { lab, step, next, old } = await scene();
      const outputs: unknown[] = [await rotator.observe(step, old, { negativeControl: true })];
      for (const each of casesOf(rotator)) {
        const fresh = await scene();
        await each.before(fresh);
        outputs.push(await each.run(fresh));
        for (const call of [2, 5, 7]) {
          const broken = await scene();
          await each.before(broken);
          void broken.lab.edge.arm({ call, how: "after" });
          const failure: unknown = await each.run(broken).catch((error: unknown) => error);
          outputs.push(failure);
          expectAbsent([broken.next, broken.old], everything(failure));
        }
        expectAbsent([fresh.next, fresh.old], everything(outputs) + (await fresh.lab.written()));
      }
      await rotator.set(step, next, old);
      outputs.push(await rotator.validate(step, next, old, { negativeControl: true }));
      expect(outputs.length).toBeGreaterThan(casesOf(rotator).length);
      const wrong = { ...old, material: "an-old-password-nobody-has" };
      outputs.push(await rotator.observe(step, wrong, { negativeControl: false }).catch((error: unknown) => error));
      expectAbsent([next, old, wrong], everything(outputs) + (await lab.written()));
    });

    for (const each of casesOf(rotator)) {
      const caseName = each.name;
      test(`${caseName}: twice, and both at once, is once`, async () => {
        const twice = await scene();
        await each.before(twice);
        const start = await twice.lab.changes();
        expectProven(await each.run(twice));
        const state = await twice.lab.state();
        expectProven(await each.run(twice));
        expect(await twice.lab.state()).toBe(state);
        expect((await twice.lab.changes()) - start).toBe(each.changes);
        await expectWorks(twice, each);

        const both = await scene();
        await each.before(both);
        const base = await both.lab.changes();
        for (const proofs of await Promise.all([each.run(both), each.run(both)])) expectProven(proofs);
        expect((await both.lab.changes()) - base).toBe(each.changes);
        await expectWorks(both, each);
      });

      test(`${caseName}: a connection lost at any message loses nothing and repeats nothing`, async () => {
        let broken = 0;
        const calls = await eachCall(each, async (call) => {
          for (const how of ["before", "after"] as const) {
            const at = await scene();
            await each.before(at);
            const start = await at.lab.changes();
            void at.lab.edge.arm({ call, how });
            await each.run(at).catch(() => (broken += 1));
            await each.run(at);
            await expectWorks(at, each);
            expect((await at.lab.changes()) - start, `changes, message ${call}, lost ${how}`).toBe(each.changes);
          }
        });
        // All but the last good-bye of a connection are noticed.
        expect(broken).toBeGreaterThan(calls);
      });

      test(`${caseName}: a late copy changes nothing`, { timeout: 120_000 }, async () => {
        const fenced = Object.entries(each.later).filter(
          ([when]) => !harness.leaseOnly?.includes(`${caseName} after ${when}`),
        );
        for (const [when, later] of fenced) {
          await eachCall(each, async (call) => {
            const at = await scene();
            await each.before(at);
            const frozen = at.lab.edge.arm({ call, how: "freeze" });
            const copy = each.run(at).catch((error: unknown) => error);
            let state: string;
            try {
              await Promise.race([frozen, copy]);
              await each.run(at);
              await later(at);
              state = await at.lab.state();
            } finally {
              at.lab.edge.release();
              await copy;
            }
            expect(await at.lab.state(), `message ${call}, released after ${when}`).toBe(state);
          });
        }
      });
    }
  });
}

async function expectWorks<T>({ rotator, step, next, old }: Scene<T>, { works }: Case<T>): Promise<void> {
  expect({ next: await rotator.works(step, next), old: await rotator.works(step, old) }).toEqual(works);
}

function expectProven(proofs: unknown): void {
  expect(Array.isArray(proofs)).toBe(true);
  expect((proofs as Proof[]).length).toBeGreaterThan(0);
  expect((proofs as Proof[]).filter(({ ok }) => !ok)).toEqual([]);
}

/** No test prints a password: the assertion is on the number of places, not on the text. */
function expectAbsent(credentials: readonly Credential[], text: string): void {
  expect(text.length).toBeGreaterThan(0);
  const materials = credentials.map(({ material }) => material).filter((material) => typeof material === "string");
  expect(materials.filter((material) => text.includes(material)).length).toBe(0);
}

/** All that an output or error says, down its chain of causes, own properties and stack included. */
function everything(value: unknown): string {
  if (value instanceof Error) {
    const own = Object.fromEntries(Object.getOwnPropertyNames(value).map((key) => [key, (value as never)[key]]));
    return `${value.stack} ${JSON.stringify({ ...own, cause: undefined })} ${everything(value.cause)}`;
  }
  if (Array.isArray(value)) return value.map(everything).join("\n");
  return JSON.stringify(value) ?? "";
}

async function inParallel<I>(items: readonly I[], width: number, run: (item: I) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await run(item);
  };
  await Promise.all(Array.from({ length: width }, worker));
}
