import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import { schemaText } from "../../scripts/schema.ts";

const read = (name: string): string => readFileSync(new URL(`../../${name}`, import.meta.url), "utf8");

test("the committed schema is what the policy's schema says: node scripts/schema.ts writes it", async () => {
  expect(read("rotations.schema.json")).toBe(await schemaText());
});

test("the committed schema takes the sample policy, and refuses a field it does not know", () => {
  const schema = z.fromJSONSchema(JSON.parse(read("rotations.schema.json")) as Parameters<typeof z.fromJSONSchema>[0]);
  const sample = JSON.parse(read("rotations.json")) as { objects: object[] };
  expect(schema.safeParse(sample).success).toBe(true);
  expect(schema.safeParse({ ...sample, colour: 1 }).success).toBe(false);
  expect(schema.safeParse({ ...sample, objects: [{ ...sample.objects[0], validity: "90 days" }] }).success).toBe(false);
});
