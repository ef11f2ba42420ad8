import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startCompiler } from "../../../scripts/bicep/compiler.ts";
import type { Compiler } from "../../../scripts/bicep/compiler.ts";
import { missing } from "../../../scripts/bicep/install.ts";
import { type Edit, type Infra, infraIn, Refused, root, scratch } from "./infra.ts";

const why = missing();

/** Tests that need the compiler. Without it they are skipped where anyone sees it, but never in CI. */
export function describeBicep(name: string, tests: () => void): void {
  const skip = why !== undefined && process.env["CI"] !== "true";
  describe.skipIf(skip)(`${name}${skip ? ` (not here: ${why})` : ""}`, () => {
    tests();
  });
}

/** A compiler for the tests of a `describe`, and the project's own sources. */
export function useInfra(): { readonly compiler: Compiler; readonly own: Infra } {
  let compiler: Compiler | undefined;
  let own: Infra | undefined;
  beforeAll(() => {
    compiler = startCompiler();
    own = infraIn(root, compiler);
  });
  afterAll(() => compiler?.close());
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
  readonly edits: readonly Edit[];
  readonly says: RegExp;
}

/**
 * A promise over the infrastructure: `check` gives a line for each breach. It gives none for the project's sources, and the
 * expected one for each mutation of them, so that no check is green because it looks at nothing.
 */
export function promise(
  name: string,
  check: (infra: Infra) => Promise<string[]>,
  mutations: readonly Mutation[],
): void {
  describeBicep(name, () => {
    const bed = useInfra();
    test("holds", async () => {
      expect(await check(bed.own)).toEqual([]);
    });
    test.each(mutations)("is seen broken: $what", async ({ edits, says }) => {
      const { folder, remove } = scratch(edits);
      try {
        const faults = await check(infraIn(folder, bed.compiler)).catch((error: unknown) => {
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
