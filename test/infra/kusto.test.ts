import { describe, expect, test } from "vitest";
import { faultsIn, missing } from "./kusto.ts";
import { filled, queries } from "./queries.ts";

describe.skipIf(missing !== undefined)(
  `the queries, parsed and analysed${missing ? ` (not here: ${missing})` : ""}`,
  () => {
    test.each(Object.entries(queries))("%s has no fault", (_, query) => {
      expect(faultsIn(filled(query))).toEqual([]);
    });

    test.each([
      ["a column that is none", "AppTraces | where Mesage has 'x'", /'Mesage'/],
      ["an operator that is none", "AppTraces | sumarize count()", /operator expected/],
      ["a wrong number of arguments", "AppTraces | summarize max(TimeGenerated, 1)", /'max' expects/],
      ["a word that is reserved", "AppTraces | summarize last = max(TimeGenerated)", /bracketed/],
      ["a parenthesis too few", "AppTraces | extend x = tostring(Message", /Expected: \)/],
    ])("sees %s", (_, query, says) => {
      expect(faultsIn(query).join("\n")).toMatch(says);
    });
  },
);
