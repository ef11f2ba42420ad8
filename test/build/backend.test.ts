import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { temporaryFolder } from "../host/harness.ts";

const root = join(import.meta.dirname, "..", "..");
const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());

const read = (path: string) => JSON.parse(readFileSync(path, "utf8")) as HostJson;
const storage = read(join(root, "host.json"));
const scheduler = read(join(root, "host.durable-task-scheduler.json"));

interface HostJson {
  readonly extensions: { readonly durableTask: Readonly<Record<string, unknown>> };
}

function build(args: readonly string[], env: Record<string, string> = {}) {
  const out = join(folder.path, args.join("") + Object.values(env).join(""), "app");
  const { PINION_BACKEND: _, ...rest } = process.env;
  const { status, stderr } = spawnSync(
    process.execPath,
    [join(root, "scripts/build.mjs"), "--quiet", "--out", out, ...args],
    { encoding: "utf8", env: { ...rest, ...env } },
  );
  return { status, stderr, out };
}

test("the package has the host.json of its durable backend", () => {
  expect(read(join(build([]).out, "host.json"))).toEqual(storage);
  expect(read(join(build(["--backend", "durable-task-scheduler"]).out, "host.json"))).toEqual(scheduler);
  expect(read(join(build([], { PINION_BACKEND: "durable-task-scheduler" }).out, "host.json"))).toEqual(scheduler);
});

test("a backend that there is not stops the build with a sentence", () => {
  const { status, stderr } = build(["--backend", "netherite"]);
  expect({ status, stderr }).toEqual({
    status: 2,
    stderr: "--backend: expected azure-storage or durable-task-scheduler, not netherite.\n",
  });
});

test("the two files differ in their storage provider and hub alone", () => {
  const common = ({ extensions, ...host }: HostJson) => {
    const { storageProvider, hubName, ...durableTask } = extensions.durableTask;
    return { ...host, extensions: { ...extensions, durableTask }, told: [typeof storageProvider, typeof hubName] };
  };
  expect(common(scheduler)).toEqual(common(storage));
  expect(scheduler.extensions.durableTask["storageProvider"]).toEqual({
    type: "azureManaged",
    connectionStringName: "DURABLE_TASK_SCHEDULER_CONNECTION_STRING",
  });
});

test("nothing of an orchestration's input or output is logged, and no signal is sampled away", () => {
  for (const host of [storage, scheduler] as unknown as Logging[]) {
    expect(host.extensions.durableTask.tracing.traceInputsAndOutputs).toBe(false);
    const excluded = host.logging.applicationInsights.samplingSettings.excludedTypes.split(";");
    expect(excluded).toEqual(expect.arrayContaining(["Trace", "Exception", "Event"]));
  }
});

interface Logging {
  readonly logging: { readonly applicationInsights: { readonly samplingSettings: { readonly excludedTypes: string } } };
  readonly extensions: { readonly durableTask: { readonly tracing: { readonly traceInputsAndOutputs: boolean } } };
}
