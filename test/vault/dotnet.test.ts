import { expect, test } from "vitest";
import { missing, runChecks } from "./dotnet.ts";
import type { Report } from "./dotnet.ts";

// The official .NET clients: the checks are in dotnet/, a test each here.

const why = missing();
const nothing = (errors: string): Report => ({ checks: [], outcomes: new Map(), exitCode: null, errors });
const { checks, outcomes, exitCode, errors } = why === undefined ? await runChecks() : nothing(why);

test.skipIf(why !== undefined && !process.env["CI"])(
  `the official .NET clients ran to the end of at least 60 checks${why === undefined ? "" : ` (not here: ${why})`}`,
  () => {
    expect({ exitCode, errors }).toEqual({ exitCode: 0, errors: "" });
    expect(checks.length).toBeGreaterThanOrEqual(60);
    expect(new Set(checks).size, "each has a name of its own").toBe(checks.length);
  },
);

test.each(checks)(".NET: %s", (check) => {
  expect(outcomes.has(check), "it came to an end").toBe(true);
  expect(outcomes.get(check)!.broken ?? "").toBe("");
});
