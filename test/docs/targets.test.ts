import { expect, test } from "vitest";
import type { z } from "zod";
import { rotators } from "../../rotators/index.ts";
import { consumerSchema } from "../../src/policy-consumers.ts";
import { blocksOf, readFile } from "./page.ts";

// Each rotator's page names every field of its target, and each consumer's page has an example of its kind.

const fieldsOf = (target: z.ZodType) => Object.keys((target as unknown as { shape: object }).shape);

test.each(rotators.map((rotator) => [`${rotator.kind}, ${rotator.strategy}`, rotator] as const))(
  "%s: every field of the target is named, and the example of it is of this kind",
  (_name, { kind, strategy, target }) => {
    const page = readFile(`docs/rotators/${kind}.md`);
    const named = (field: string) => page.includes(`\`${field}\``) || page.includes(`"${field}":`);
    expect(fieldsOf(target).filter((field) => !named(field))).toEqual([]);
    const examples = blocksOf(page)
      .filter(({ language }) => language === "json")
      .map(({ text }) => JSON.parse(text) as { kind: string; rotator?: { kind: string }; strategy?: string });
    const kinds = examples.map((example) => example.rotator ?? example).map((example) => example.kind);
    expect(kinds).toContain(kind);
    for (const { strategy: given } of examples)
      if (given !== undefined && kind !== "postgres") expect(given).toBe(strategy);
  },
);

test.each(["app-service", "keys", "webhook"])("docs/consumers/%s.md: its example is a consumer", (name) => {
  const [example] = blocksOf(readFile(`docs/consumers/${name}.md`)).filter(({ language }) => language === "json");
  const guid = "22222222-2222-4222-8222-222222222222";
  expect(consumerSchema.safeParse(JSON.parse(example!.text.replace("<guid>", guid))).error).toBeUndefined();
});
