import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { exportsOf } from "../../infra/outputs.ts";

const zones = [{ name: "payments", clientId: "00000000-0000-0000-0000-0000000000cc" }];
const answered = {
  // As Azure Resource Manager was seen to write them.
  azurE_FUNCTION_APP_NAME: { type: "String", value: "func-acme-pinion-dev-we" },
  PINION_ZONES: { type: "Array", value: zones },
  PINION_VAULT_URI: { type: "String", value: "" },
  PINION_ODD: { type: "String", value: `it's $HOME "and" more` },
};

test("a shell that evaluates the lines has every output, letter by letter", async () => {
  const calls: (readonly string[])[] = [];
  const lines = await exportsOf(async (...args) => (calls.push(args), answered), "rg-acme");
  expect(calls).toEqual([
    ["deployment", "group", "show", "--resource-group", "rg-acme", "--name", "pinion", "--query", "properties.outputs"],
  ]);
  const names = ["AZURE_FUNCTION_APP_NAME", "PINION_ZONES", "PINION_VAULT_URI", "PINION_ODD"];
  const script = `${lines.join("\n")}\nprintf '%s\\n' ${names.map((name) => `"$${name}"`).join(" ")}`;
  expect(execFileSync("sh", ["-euc", script], { encoding: "utf8" })).toBe(
    ["func-acme-pinion-dev-we", JSON.stringify(zones), "", `it's $HOME "and" more`, ""].join("\n"),
  );
});

test("a deployment that failed has none, and says so", async () => {
  await expect(exportsOf(async () => null, "rg-acme")).rejects.toThrow("put out nothing");
});
