import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Template } from "./harness/arm.ts";
import { root } from "./harness/infra.ts";
import { describeBicep, useInfra } from "./harness/promise.ts";

describeBicep("infra/README.md", () => {
  const bed = useInfra();

  test("has every parameter of main.bicep as it is", async () => {
    const readme = readFileSync(join(root, "infra/README.md"), "utf8");
    const table = readme.split("<!-- parameters -->")[1]?.split("<!-- /parameters -->")[0]?.trim();
    expect(table).toBe(tableOf(await bed.own.compile("infra/main.bicep")));
  });
});

function tableOf({ parameters = {} }: Template): string {
  const rows = Object.entries(parameters).map(([name, { defaultValue, metadata }]) => {
    const value = defaultValue === undefined ? "" : `\`${JSON.stringify(defaultValue)}\``;
    return `| \`${name}\` | ${value} | ${metadata?.description ?? ""} |`;
  });
  return ["| parameter | default | what it says |", "| --- | --- | --- |", ...rows].join("\n");
}
