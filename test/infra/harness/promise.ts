import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { samples, startCompiler } from "../../../scripts/bicep/compiler.ts";
import type { Compiler } from "../../../scripts/bicep/compiler.ts";
import { missing } from "../../../scripts/bicep/install.ts";
import { type Edit, type Infra, infraIn, Refused, type Scenarios, scratch } from "./infra.ts";

const why = missing();

/** Tests that need the compiler. Without it they are skipped where anyone sees it, but never in CI. */
export function describeBicep(name: string, tests: () => void): void {
  const skip = why !== undefined && process.env["CI"] !== "true";
  describe.skipIf(skip)(`${name}${skip ? ` (not here: ${why})` : ""}`, () => {
    tests();
  });
}

/** A compiler for the tests of a `describe`, and the project's own sources (as a copy: what the linter says is tested elsewhere). */
export function useInfra(): { readonly compiler: Compiler; readonly own: Infra } {
  let compiler: Compiler | undefined;
  let own: Infra | undefined;
  let sources: ReturnType<typeof scratch> | undefined;
  beforeAll(() => {
    compiler = startCompiler(samples);
    sources = scratch([]);
    own = infraIn(sources.folder, compiler);
  });
  afterAll(async () => {
    await compiler?.close();
    sources?.remove();
  });
  return {
    get compiler() {
      return compiler!;
    },
    get own() {
      return own!;
    },
  };
}

/** A deliberate fault in the sources, and what the check must say of it. */
export interface Mutation {
  readonly what: string;
  /** The scenario in which it shows; a promise over templates alone needs none. */
  readonly in?: string;
  readonly edits: readonly Edit[];
  readonly says: RegExp;
}

/**
 * A promise over the infrastructure: `check` gives a line for each breach in the scenarios. It gives none for the project's sources, and
 * the expected one for each mutation of them, so that no check is green because it looks at nothing.
 */
export interface Promised {
  readonly name: string;
  readonly scenarios: Scenarios;
  check(infra: Infra, scenarios: Scenarios): Promise<string[]>;
  readonly mutations: readonly Mutation[];
}

/** Tests that a promise holds, and that it would be seen broken. */
export function testPromise({ name, scenarios, check, mutations }: Promised, bed: ReturnType<typeof useInfra>): void {
  describe(`promise: ${name}`, () => {
    test("holds", async () => {
      expect(await check(bed.own, scenarios)).toEqual([]);
    });
    test.each(mutations)("is seen broken: $what", async ({ in: scenario, edits, says }) => {
      const { folder, remove } = scratch(edits);
      try {
        const shown = scenario === undefined ? scenarios : { [scenario]: scenarios[scenario]! };
        const faults = await check(infraIn(folder, bed.compiler), shown).catch((error: unknown) => {
          if (error instanceof Refused) return error.message.split("\n");
          throw error;
        });
        expect(faults.join("\n")).toMatch(says);
      } finally {
        remove();
      }
    });
  });
}

/** A promise that needs no scenarios of the others, with a compiler of its own. */
export function promise(
  name: string,
  check: (infra: Infra) => Promise<string[]>,
  mutations: readonly Mutation[],
): void {
  describeBicep("what the templates promise", () => {
    testPromise({ name, scenarios: {}, check, mutations }, useInfra());
  });
}
