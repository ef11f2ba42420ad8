import { expect, test } from "vitest";
import { stage } from "./fakes.ts";

const actor = { kind: "key", id: "k", roles: [] } as const;
type Verb = "finish" | "merge" | "rollback";

/** What is heard where these commands are recorded, in this order. */
async function heard(verbs: readonly Verb[], cut?: "finish" | "merge") {
  const { records, steps, given } = stage();
  for (const verb of verbs) records.commands.push({ id: verb, verb, rotationId: "r-1", version: "v", actor, at: "" });
  const reply = await steps.hear({ ...given, ...(cut && { cut }) });
  return reply.ok ? reply.result : reply;
}

test.each([
  ["merge", ["finish", "merge"], { heard: "merge", finish: true }],
  ["merge", ["merge", "finish"], { heard: "merge", finish: true }],
  ["finish", ["merge", "finish"], { heard: "finish", finish: true }],
  ["merge", ["finish"], { heard: "finish", finish: true }],
  ["merge", ["merge"], { heard: "merge" }],
  ["merge", ["finish", "merge", "rollback"], { heard: "rollback", finish: true }],
  [undefined, ["finish", "merge"], { heard: "finish", finish: true }],
  [undefined, [], {}],
] as const)("a wait that ends at %s hears of %j", async (cut, verbs, expected) => {
  expect(await heard(verbs, cut)).toEqual(expected);
});
