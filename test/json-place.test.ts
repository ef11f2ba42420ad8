import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { placeOfFault } from "../src/json-place.ts";

const sample = readFileSync(new URL("../rotations.json", import.meta.url), "utf8");

test("whole JSON has no fault before its end", () => {
  const texts = [
    "{}",
    " [ ] ",
    '[[],{"a":[{}]}]',
    "-0.5e+7",
    "true",
    "null\n",
    `"\\u00e9 \\" \u007f \u{1f600}"`,
    sample,
  ];
  for (const text of texts) {
    JSON.parse(text);
    const lines = text.split("\n");
    expect([text, placeOfFault(text)]).toEqual([text, { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 }]);
  }
});

test("of a torn file the place is that of V8, which tells of a word, a number or an escape where in it the fault is", () => {
  const marks = ["", ",", "}", "]", '"', ":", "x", "\\", "\n", "0"];
  let compared = 0;
  for (let at = 0; at < sample.length; at += 7)
    for (const mark of marks) {
      const torn = sample.slice(0, at) + mark + sample.slice(at + 1);
      const told = faultOf(torn) ?? "";
      const { line, column } = placeOfFault(torn);
      const rest = torn
        .split("\n")
        .slice(line - 1)
        .join("\n")
        .slice(column - 1);
      const [from = ""] = /^(?:\\u|\\|[\w.+-]+)?.?/su.exec(rest) ?? [];
      const place = /\(line (\d+) column (\d+)\)$/.exec(told)?.slice(1).map(Number);
      const quoted = /^Unexpected token '(.)'/su.exec(told)?.[1];
      if (place !== undefined) {
        const columns = Array.from({ length: from.length || 1 }, (_, more) => column + more);
        expect([told, line, columns]).toEqual([told, place[0], expect.arrayContaining([place[1]])]);
      } else if (quoted !== undefined) expect([told, from]).toEqual([told, expect.stringContaining(quoted)]);
      else continue;
      compared += 1;
    }
  expect(compared).toBeGreaterThan(1000);
});

test.each([
  ["[1, 2", 1, 6],
  ['{"a": "b', 1, 9],
  ['{"a": "b\n"}', 1, 9],
  ['{"a": "\\x"}', 1, 8],
  ["[01]", 1, 3],
  ["[-]", 1, 2],
  ["[1.]", 1, 3],
  ["{a: 1}", 1, 2],
  ["[1]]", 1, 4],
  ['{"a": 1\r"b": 2}', 2, 1],
])("%j is at fault at line %i, column %i", (text, line, column) => {
  expect(faultOf(text)).toBeDefined();
  expect(placeOfFault(text)).toEqual({ line, column });
});

function faultOf(text: string): string | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
