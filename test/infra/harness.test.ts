import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { textsIn } from "./harness/arm.ts";
import { infraIn, scratch } from "./harness/infra.ts";
import { bicepLiteral } from "./harness/literal.ts";
import { describeBicep, useInfra } from "./harness/promise.ts";

const folder = mkdtempSync(join(tmpdir(), "pinion-harness-"));
beforeAll(() => {
  mkdirSync(join(folder, "infra"));
  writeFileSync(
    join(folder, "infra/main.bicep"),
    [
      "@minLength(3)",
      "param name string",
      "param values object = {}",
      "var checked = name == 'wrong' ? fail('name: not wrong, please.') : name",
      "output told object = { name: checked, values: values, group: resourceGroup().name }",
      "",
    ].join("\n"),
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

test("a value is written as Bicep, whatever is in it", () => {
  expect(bicepLiteral({ "a-b": ["x'${y}'\n", 1, true, null, { c: "\\" }], gone: undefined })).toBe(
    String.raw`{ 'a-b': ['x\'\${y}\'\n', 1, true, null, { 'c': '\\' }] }`,
  );
});

test("texts of a value have the way to them", () => {
  expect(textsIn({ a: ["x", { b: "y" }] })).toEqual([
    { path: "/a (name)", text: "a" },
    { path: "/a/0", text: "x" },
    { path: "/a/1/b (name)", text: "b" },
    { path: "/a/1/b", text: "y" },
  ]);
});

test("an edit whose text is not there once is an error", () => {
  const file = "infra/bicep.csproj";
  expect(() => scratch([{ file, find: "not there at all", put: "" }])).toThrow(/has 0 times, not once/);
  expect(() => scratch([{ file, find: "Project", put: "" }])).toThrow(/has \d+ times, not once/);
});

describeBicep("the harness", () => {
  const bed = useInfra();
  const template = "infra/main.bicep";

  test("gives every value to the template as it is", async () => {
    const values = { "a-b": "'${x}' \\ \n", list: [1, "two", null, { three: true }] };
    const { outputs } = await infraIn(folder, bed.compiler).predict({ template, params: { name: "right", values } });
    expect(outputs).toEqual({ told: { name: "right", values, group: "rg-pinion" } });
  });

  test("tells a parameter that is taken away from one that is left to the base", async () => {
    writeFileSync(join(folder, "infra/base.bicepparam"), "using 'main.bicep'\nparam name = 'base'\n");
    const infra = infraIn(folder, bed.compiler);
    const scenario = { template, base: "infra/base.bicepparam" };
    const told = { told: { name: "base", values: {}, group: "rg-pinion" } };
    expect((await infra.predict({ ...scenario, params: {} })).outputs).toEqual(told);
    await expect(infra.predict({ ...scenario, params: { name: undefined } })).rejects.toThrow(/"name"/);
  });

  test.each([
    ["too short", { name: "x" }, /too short.*minimum allowable length is 3/],
    ["refused by the template itself", { name: "wrong" }, /name: not wrong, please\./],
    ["of the wrong type", { name: 7 }, /BCP033/],
    ["missing", {}, /"name"/],
  ])("refuses a parameter that is %s, with the compiler's words", async (_, params, says) => {
    await expect(infraIn(folder, bed.compiler).predict({ template, params })).rejects.toThrow(says);
  });
});
