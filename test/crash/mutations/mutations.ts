import type { Replacement } from "../build.ts";
import { death, rollback, rotation, twice, type Watch } from "./watch.ts";

/** A promise broken on purpose, and what must notice. */
export interface Mutation {
  readonly name: string;
  readonly caughtBy: Watch;
  /** What the watch must say, so that it is not red for another reason. */
  readonly because: RegExp;
  readonly replacements: readonly Replacement[];
}

const setOnIdle = 'postgres query ALTER ROLE "orders_b" LOGIN PASSWORD ?; COMMENT ON ROLE "orders_b" IS…';
export const afterSet = death(setOnIdle, "work");
export const afterPublish = death("vault PUT /secrets/orders-db", "work");

const oneLine = (file: string, from: string, to: string): Replacement => ({ file, from, to });

export const mutations: readonly Mutation[] = [
  {
    name: "publish before set",
    caughtBy: rotation,
    because: /outcome|logins failed/,
    replacements: [
      oneLine(
        "src/workflow/rotate.ts",
        `  if (taken?.written !== true) yield* setAndValidate(run, progress, candidate);

  progress.publishBegun = true;
  const published = yield* step(run, "publish", candidate);
  progress.publishedVersion = published.publishedVersion;
`,
        `  progress.publishBegun = true;
  const published = yield* step(run, "publish", candidate);
  progress.publishedVersion = published.publishedVersion;
  yield* setAndValidate(run, progress, candidate);
`,
      ),
    ],
  },
  {
    name: "no staging: the candidate lives in the process's memory only",
    caughtBy: afterSet,
    because: /STAGED_LOST/,
    replacements: [
      oneLine(
        "src/vault/staging.ts",
        `try {
    return { version: (await vault.write(name, next, signal)).version, value: staged.value };`,
        `try {
    return { version: vault.pretend(name, next.value), value: staged.value };`,
      ),
      oneLine(
        "src/vault/secrets.ts",
        "    async write(name, next, signal) {",
        `    pretend(name, value) {
      const version = crypto.randomUUID().replaceAll("-", "");
      cache.keep(name, version, value);
      return version;
    },
    async write(name, next, signal) {`,
      ),
    ],
  },
  {
    name: "set without asking first whether the candidate logs in",
    caughtBy: afterSet,
    because: /changes in the target/,
    replacements: [
      oneLine(
        "rotators/shared/postgres/alternating.ts",
        `  if (await logsIn(step, candidate)) return [{ name, ok: true, detail: "it was there already" }];
  const verifier`,
        "  const verifier",
      ),
      oneLine(
        "rotators/shared/postgres/alternating.ts",
        `    if (own === "set" && canLogin && (await logsIn(step, candidate))) return undefined;\n`,
        "",
      ),
    ],
  },
  {
    name: "revoke before verify",
    caughtBy: rotation,
    because: /logins failed/,
    replacements: [
      oneLine(
        "src/workflow/rotate.ts",
        `  yield* step(run, "cutover", {`,
        `  const early = { old: plan.current, oldVersion: plan.sourceVersion, keptVersion: published.publishedVersion, round: 1 };
  yield* step(run, "revoke", { ...early, suspended: false });
  yield* step(run, "cutover", {`,
      ),
      oneLine(
        "src/activities/revoke.ts",
        `phases: [...beforeNoReturn, "rolling-back"],`,
        `phases: [...beforeNoReturn, "running"],`,
      ),
      oneLine("src/activities/revoke.ts", "await passGates(scene, retirement)", "await noGates(scene)"),
      oneLine(
        "src/activities/revoke.ts",
        "async function dead(",
        `async function noGates({ subject, signal }) {
  return { proofs: [], newest: await subject.vault.latest(subject.object.name, signal) };
}

async function dead(`,
      ),
      oneLine(
        "src/activities/revoke.ts",
        `      if (state.phase !== "rolling-back") await passPointOfNoReturn(scene);\n`,
        "",
      ),
    ],
  },
  {
    name: "rollback without its wait",
    caughtBy: rollback,
    because: /the candidate was suspended/,
    replacements: [
      oneLine("src/workflow/turn-back.ts", `    yield* waitUnlessTurned(run, plan.lagSeconds, { step: "lag" });\n`, ""),
    ],
  },
  {
    name: "lease removed",
    caughtBy: twice,
    because: /writes of|changes in the target/,
    replacements: [
      oneLine(
        "src/store/leases.ts",
        `    await acquire();
    try {
      return await work();`,
        `    try {
      return await work();`,
      ),
    ],
  },
  {
    name: "idempotency tag lookup removed",
    caughtBy: afterPublish,
    because: /OUT_OF_BAND_CHANGE|writes of the object/,
    replacements: [
      oneLine(
        "src/vault/publishing.ts",
        "return version.tags[tags.rotation] === rotationId && version.tags[tags.rollbackOf] === rollbackOf;",
        "return false;",
      ),
    ],
  },
  {
    name: "a secret in an activity's output",
    caughtBy: rotation,
    because: /a password is in the durable history/,
    replacements: [
      oneLine(
        "src/activities/set.ts",
        `      return { result: {}, proofs };`,
        `      return { result: { candidate: next }, proofs };`,
      ),
    ],
  },
  {
    name: "a grace shorter than the consumer's lag",
    caughtBy: rotation,
    because: /suspended .* s after the cutover/,
    replacements: [
      oneLine("src/activities/plan.ts", "graceSeconds: seconds(Math.max(object.grace, outlives)),", "graceSeconds: 1,"),
      oneLine(
        "src/workflow/rotate.ts",
        `  yield* waitUnlessTurned(run, lagSeconds - passed, { step: "grace" });\n`,
        "",
      ),
    ],
  },
];
