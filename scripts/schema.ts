// Writes rotations.schema.json, by which editors check and complete a policy: `node scripts/schema.ts`.
import { writeFileSync } from "node:fs";
import { format } from "oxfmt";
import { z } from "zod";
import { rotators } from "../rotators/index.ts";
import { policySchema } from "../src/policy.ts";

const file = new URL("../rotations.schema.json", import.meta.url);

/** The JSON Schema of the policy as the text of its file. Draft 7, since editors know it best. */
export async function schemaText(): Promise<string> {
  const schema = z.toJSONSchema(policySchema(rotators), {
    io: "input",
    target: "draft-7",
    // What JSON Schema cannot say, Pinion still checks.
    unrepresentable: "any",
  });
  const title = { title: "Pinion policy", description: "Which objects in Key Vault Pinion rotates, and how." };
  const titled = { $schema: schema.$schema, ...title, ...schema };
  return (await format("rotations.schema.json", JSON.stringify(titled, null, 2), { printWidth: 120 })).code;
}

if (import.meta.main) writeFileSync(file, await schemaText());
