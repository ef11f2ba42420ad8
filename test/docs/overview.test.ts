import { expect, test } from "vitest";
import { rotators } from "../../rotators/index.ts";
import { findConsumer } from "../../src/consumers/index.ts";
import { type ConsumerKind, consumerSchema, readable } from "../../src/policy-consumers.ts";
import { codesIn, readFile, tableOf } from "./page.ts";

// The lists of docs/README.md are those of the registries: nothing missing, nothing more, each with its page.

const page = readFile("docs/README.md");
const linkIn = (cell: string) => /\]\(([^)]+)\)/.exec(cell)?.[1] ?? "";

test("the rotators, in their order, with object, strategies, gap and page", () => {
  const kinds = [...new Set(rotators.map(({ kind }) => kind))];
  const rows = tableOf(page, "rotator");
  expect(rows.map(([kind = ""]) => codesIn(kind)[0])).toEqual(kinds);
  for (const [cell = "", object, strategies, gap = "", undo = "", link = ""] of rows) {
    const [kind = ""] = codesIn(cell);
    const ours = rotators.filter((one) => one.kind === kind);
    expect([kind, object]).toEqual([kind, ours.map((one) => ("manages" in one ? one.manages : "secret"))[0]]);
    expect([kind, strategies]).toEqual([kind, ours.map(({ strategy }) => strategy).join(", ")]);
    // Only what is in place has a gap, and says for how long; and only it puts something back.
    const inPlace = ours.some(({ strategy }) => strategy === "in-place");
    expect([kind, gap === "none", gap.includes("in-place: "), undo.includes("in-place: ")]).toEqual([
      kind,
      !inPlace,
      inPlace,
      inPlace,
    ]);
    expect([kind, linkIn(link)]).toEqual([kind, `rotators/${kind}.md`]);
    expect(readFile(`docs/${linkIn(link)}`).startsWith(`# ${kind}\n`)).toBe(true);
  }
});

test("the consumers, with what they read and how", () => {
  const rows = tableOf(page, "consumer");
  expect(rows.map(([kind = ""]) => codesIn(kind)[0])).toEqual(Object.keys(readable));
  for (const [cell = "", reads, how, link = ""] of rows) {
    const kind = codesIn(cell)[0] as ConsumerKind;
    expect(findConsumer(kind).kind).toBe(kind);
    expect([kind, reads]).toEqual([kind, readable[kind].join(", ")]);
    const schema = consumerSchema.options.find((option) => option.shape.kind.value === kind)!;
    const followed = schema.shape.reads.safeParse("latest").success;
    expect([kind, how]).toEqual([kind, followed ? "either" : "pinned"]);
    expect(readFile(`docs/${linkIn(link)}`)).toContain(kind);
  }
});
