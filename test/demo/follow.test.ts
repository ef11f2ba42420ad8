import { expect, test } from "vitest";
import type { MovableClock } from "../../local/clock.ts";
import type { Api, Evidence, Shown, Told } from "../../local/demo/api.ts";
import { follow } from "../../local/demo/follow.ts";
import { start } from "../../local/demo/story.ts";

// The story's follower sees a rotation only when it looks: what comes and goes between two looks is told all the same.

const instant = (second: number): string => new Date(Date.UTC(2027, 0, 1, 0, 0, second)).toISOString();
const stepAt = (step: string, second: number): Told => ({
  step,
  startedAt: instant(second),
  endedAt: instant(second + 1),
  proofs: second,
});
const steps = [
  stepAt("preflight", 1),
  stepAt("set", 2),
  stepAt("verify", 3),
  stepAt("verify", 4),
  stepAt("watch", 5),
  stepAt("revoke", 6),
];
const lines = steps.map(({ step, proofs }) => expect.stringMatching(`^  ✓ ${step} +1.00 s  ${proofs} proofs?$`));

const clock = { now: () => 0, advance: () => undefined } as unknown as MovableClock;
const idle = { id: "db", phase: "idle", strategy: "dual" } as const;
const ended: Shown = { ...idle, rotationId: "r-2", outcome: "rotated" };
const running = (timeline: readonly Told[], status: object = {}): Shown => ({
  ...idle,
  phase: "running",
  rotationId: "r-2",
  status: { rotationId: "r-2", step: "set", timeline, ...status },
});
const evidence: Evidence = {
  rotationId: "r-2",
  outcome: "rotated",
  steps: steps.map(({ proofs, ...step }) => ({
    ...step,
    proofs: Array.from({ length: proofs }, () => ({ name: "it works", ok: true })),
  })),
};

/** An API that answers each look with the next of these, and the last one from then on. */
function fakeApi(looks: readonly Shown[]): Api {
  const left = [...looks];
  return {
    replies: [],
    async call<T>(_method: string, path: string) {
      if (path === "evidence/r-2") return evidence as T;
      if (path !== "rotations/db") throw new Error(`${path}: 404`);
      return (left.length > 1 ? left.shift() : left[0]) as T;
    },
  };
}

async function told(looks: readonly Shown[], previous: string | undefined = "r-1") {
  const said: string[] = [];
  const api = fakeApi(looks);
  const followed = await follow({ clock, api, services: [], id: "db", previous, say: (line) => void said.push(line) });
  return { said, followed };
}

test.each<[string, readonly number[]]>([
  ["every step is seen", [0, 1, 2, 3, 4, 5, 6]],
  ["the last one is over before the next look", [0, 1, 2, 3, 4, 5]],
  ["the last ones, one of a name that came before", [1, 3]],
  ["the same is seen again and again", [2, 2, 2, 5, 5]],
  ["it is over at the first look", []],
])("each step is told once and in order: %s", async (_, counts) => {
  const { said, followed } = await told([...counts.map((count) => running(steps.slice(0, count))), ended]);
  expect(said).toEqual(lines);
  expect(followed).toMatchObject({ shown: ended, evidence });
});

test("a status that has room for the latest steps only", async () => {
  const looks = steps.map((_, at) => running(steps.slice(Math.max(0, at - 1), at + 1)));
  expect((await told([...looks, ended])).said).toEqual(lines);
});

test("what the former rotation left is not told", async () => {
  const former: Shown = { ...ended, rotationId: "r-1" };
  expect((await told([former, former, running(steps.slice(0, 1)), ended])).said).toEqual(lines);
});

test("a rotation that began nothing has no evidence, and none is asked for", async () => {
  const { said, followed } = await told([{ ...idle, rotationId: "r-3", outcome: "stale" }]);
  expect(said).toEqual([]);
  expect(followed.evidence).toBeUndefined();
});

test("a wait is told once, and skipped", async () => {
  const waits = { step: "grace", until: new Date(300_000).toISOString() };
  const looks = [running(steps.slice(0, 3), waits), running(steps.slice(0, 3), waits), ended];
  expect((await told(looks)).said).toEqual([
    ...lines.slice(0, 3),
    "  … grace: 5 min on the cloud's clock, skipped",
    ...lines.slice(3),
  ]);
});

test("a start that meets the end of the former rotation is asked for again, with the same key", async () => {
  const keys: (string | undefined)[] = [];
  const answers = ["r-1", "r-1", "r-2"];
  const api: Api = {
    replies: [],
    async call<T>(method: string, _path: string, _body: unknown, headers: Readonly<Record<string, string>> = {}) {
      if (method === "GET") return { ...ended, rotationId: "r-1" } as T;
      keys.push(headers["idempotency-key"]);
      return { rotationId: answers.shift() } as T;
    },
  };
  await start(api, "db", { version: "v1", reason: "a test" });
  expect(keys).toHaveLength(3);
  expect(new Set(keys)).toEqual(new Set([expect.any(String)]));
});
