import { build } from "esbuild";
import type { OrchestrationHandler } from "durable-functions";
import * as fc from "fast-check";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { expect, it } from "vitest";
import { faultsOf, live, type Schedule, schedules } from "./schedule.ts";

// Each promise is broken on purpose in a copy of the workflow, and the random schedules must find it.

interface Mutation {
  readonly name: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** What the schedules say about it. */
  readonly caught: RegExp;
}

const mutations: readonly Mutation[] = [
  {
    name: "revoke before verify",
    file: "rotate.ts",
    from: 'yield* step(run, "verify", { version: published.publishedVersion }, uptake(plan));',
    to: "",
    caught: /before v2 was verified/,
  },
  {
    name: "publish before set",
    file: "rotate.ts",
    from: 'yield* step(run, "set", candidate);',
    to: 'yield* step(run, "publish", candidate); yield* step(run, "set", candidate);',
    caught: /does not log in/,
  },
  {
    name: "no grace, so none for the lag",
    file: "rotate.ts",
    from: 'yield* waitUnlessTurned(run, lagSeconds - passed, { step: "grace" });',
    to: "run.finishAsked = true;",
    caught: /before the lag had passed/,
  },
  {
    name: "a rollback without its wait",
    file: "turn-back.ts",
    from: 'yield* waitUnlessTurned(run, plan.lagSeconds, { step: "lag" });',
    to: "",
    caught: /before the lag had passed/,
  },
  {
    name: "a way back that listens",
    file: "turn-back.ts",
    from: "run.listens = false;",
    to: "",
    caught: /it ends, unless/,
  },
  {
    name: "a way back that leaves the consumers",
    file: "turn-back.ts",
    from: 'yield* step(run, "retreat", { consumers: plan.consumers }, cleanup);',
    to: "",
    caught: /nothing fails|endless/,
  },
  {
    name: "a published candidate that is discarded at once",
    file: "turn-back.ts",
    from: "if (!progress.publishBegun) {",
    to: "if (true) {",
    caught: /discarded what was published/,
  },
  {
    name: "a rollback that leaves the suspension",
    file: "turn-back.ts",
    from: "if (progress.suspended !== undefined)",
    to: "if (false)",
    caught: /nothing fails/,
  },
];

it("the workflow as it is passes", { timeout: 120_000 }, async () => {
  expect(await find(await mutated(undefined))).toBeUndefined();
});

it.each(mutations)("$name is caught", { timeout: 120_000 }, async (mutation) => {
  expect(await find(await mutated(mutation))).toMatch(mutation.caught);
});

/** Bundles the workflow with one change. */
async function mutated(mutation: Mutation | undefined): Promise<OrchestrationHandler> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, "../../src/workflow/rotate.ts")],
    bundle: true,
    write: false,
    format: "esm",
    logLevel: "silent",
    plugins: [
      {
        name: "mutation",
        setup({ onLoad }) {
          onLoad({ filter: /workflow.[a-z-]+\.ts$/ }, async ({ path }) => {
            const text = await readFile(path, "utf8");
            if (basename(path) !== mutation?.file) return { contents: text, loader: "ts" };
            if (!text.includes(mutation.from)) throw new Error(`${mutation.name}: the code it changes is gone`);
            return { contents: text.replace(mutation.from, mutation.to), loader: "ts" };
          });
        },
      },
    ],
  });
  const code = Buffer.from(outputFiles[0]!.contents).toString("base64");
  const module = (await import(/* @vite-ignore */ `data:text/javascript;base64,${code}`)) as {
    rotate: OrchestrationHandler;
  };
  return module.rotate;
}

/** What random ones seldom hit: a rollback while the old credential is suspended. */
const inTheWatch: Schedule = { world: {}, incidents: [], events: [{ at: 86_400 + 1500, what: "rollback" }] };

/** What the first of some hundred schedules finds wrong. */
async function find(rotate: OrchestrationHandler): Promise<string | undefined> {
  for (const schedule of [inTheWatch, ...fc.sample(schedules, { numRuns: 200, seed: 7 })]) {
    const found = await live(schedule, rotate).then(
      (ended) => faultsOf(schedule, ended),
      (error: unknown) => [String(error)],
    );
    if (found.length > 0) return found.join("\n");
  }
  return undefined;
}
