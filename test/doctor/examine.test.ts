import { describe, expect, test } from "vitest";
import { PinionError } from "../../src/errors.ts";
import { examine } from "../../src/doctor/examine.ts";
import { type Check, eachOf, fault, type Finding, ok, stop, unseen } from "../../src/doctor/finding.ts";
import { sumOf, textOf } from "../../src/doctor/text.ts";

const check = (id: string, run: Check<object>["run"], needs?: readonly string[]): Check<object> => ({
  id,
  area: "Area",
  about: id,
  ...(needs && { needs }),
  run,
});
const levels = (findings: readonly Finding[]) => findings.map(({ check, level }) => `${check} ${level}`);

describe("an examination", () => {
  test("runs side by side, and tells in the order of the list", async () => {
    const begun: string[] = [];
    let go = () => undefined as void;
    const gate = new Promise<void>((resolve) => (go = resolve));
    const slow = check("slow", async () => {
      begun.push("slow");
      await gate;
      return [ok("a", "b")];
    });
    const quick = check("quick", async () => {
      begun.push("quick");
      go();
      return [ok("a", "b")];
    });
    expect(levels(await examine([slow, quick], {}))).toEqual(["slow ok", "quick ok"]);
    expect(begun).toEqual(["slow", "quick"]);
  });

  test("a check that throws is unknown, in our words only", async () => {
    const ours = check("ours", () => Promise.reject(new PinionError("VAULT_UNAVAILABLE", "The vault sleeps.")));
    const foreign = check("foreign", () => Promise.reject(new TypeError("AccountKey=hush")));
    const found = await examine([ours, foreign], {});
    expect(found).toMatchObject([{ level: "unknown", says: "The vault sleeps." }, { level: "unknown" }]);
    expect(JSON.stringify(found)).not.toContain("hush");
  });

  test("a check that takes too long is unknown, and is told to stop", async () => {
    let stopped = false;
    const endless = check("endless", (_, signal) => {
      signal.addEventListener("abort", () => (stopped = true));
      return new Promise(() => undefined);
    });
    expect(await examine([endless], {}, { limit: 20 })).toMatchObject([
      { level: "unknown", says: "There was no answer in 0.02 s." },
    ]);
    expect(stopped).toBe(true);
  });

  test("what needs a check that stops is not looked at, nor what needs that; other faults stop nothing", async () => {
    const run = async () => [ok("a", "b")];
    const found = await examine(
      [
        check("first", async () => [stop("a", "b", "c")]),
        check("second", run, ["first"]),
        check("third", run, ["second"]),
        check("other", async () => [fault("a", "b", "c")]),
        check("last", run, ["other"]),
      ],
      {},
    );
    expect(levels(found)).toEqual(["first fault", "second unknown", "third unknown", "other fault", "last ok"]);
    expect(found.map(({ after }) => after)).toEqual([undefined, "first", "second", undefined, undefined]);
  });

  test("what Azure does not show of one subject hides none of the others, and says which right would", async () => {
    const found = await eachOf(["a", "b"], String, async (name) => {
      if (name === "a") throw unseen("It may not be read.", "Assign Reader.");
      return [ok(name, "is well")];
    });
    expect(found).toEqual([
      { level: "unknown", subject: "a", says: "It may not be read.", todo: "Assign Reader." },
      { level: "ok", subject: "b", says: "is well" },
    ]);
  });
});

describe("the text", () => {
  const findings: readonly Finding[] = [
    { check: "x", area: "Vaults", level: "ok", subject: "kv-a", says: "answers" },
    { check: "x", area: "Vaults", level: "fault", subject: "kv-b", says: "is shut\u001B[2J", todo: "Open it." },
    { check: "y", area: "Events", level: "warning", subject: "kv-a", says: "is late", todo: "Wait." },
    { check: "z", area: "Events", level: "unknown", subject: "", says: "Not looked at.", after: "x" },
  ];

  test("groups by area, the worst first, with what to do, and what waits in one line", () => {
    expect(textOf(["x", "y", "z"], findings, false)).toBe(
      [
        "Vaults",
        "  ✖ kv-b is shut [2J",
        "    → Open it.",
        "  ✔ kv-a answers",
        "",
        "Events",
        "  ! kv-a is late",
        "    → Wait.",
        "",
        "Not looked at until the faults above are gone: z.",
        "",
        "3 checks: 0 ok, 1 fault, 1 warning, 1 unknown",
      ].join("\n"),
    );
  });

  test("colours change no word", () => {
    const coloured = textOf(["x", "y", "z"], findings, true);
    // oxlint-disable-next-line no-control-regex
    expect(coloured.replaceAll(/\u001B\[\d+m/g, "")).toBe(textOf(["x", "y", "z"], findings, false));
    expect(coloured).not.toContain("\u001B[2J");
  });

  test("a check that found nothing to look at is well", () => {
    expect(sumOf(["a", "b"], [])).toBe("2 checks: 2 ok, 0 faults, 0 warnings, 0 unknown");
  });
});
