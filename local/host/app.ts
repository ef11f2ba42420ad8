import { randomBytes, randomUUID } from "node:crypto";
import { existsSync, globSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createCore, provideCore } from "./core.ts";
import type {
  Binding,
  Core,
  CoreInvocation,
  FunctionCallback,
  LogLevel,
  RetryContext,
  RetryOptions,
  TypedData,
} from "./core.ts";

/** A function that the app registered. */
export interface AppFunction {
  readonly name: string;
  /** The trigger's binding, with its name in `trigger.name`. */
  readonly trigger: Binding & { readonly name: string };
  readonly bindings: Readonly<Record<string, Binding>>;
  readonly retry?: RetryOptions;
}

/** What one invocation gets. */
export interface Invocation {
  /** By binding name, the trigger's among them. */
  readonly inputs: Readonly<Record<string, TypedData>>;
  readonly triggerMetadata?: Readonly<Record<string, TypedData>>;
  readonly retryContext?: RetryContext;
  /** W3C trace context of the caller; one is made when absent. */
  readonly traceParent?: string;
}

/** What one invocation gave. */
export interface Outcome {
  readonly returnValue: TypedData | null | undefined;
  readonly outputs: Readonly<Record<string, TypedData>>;
}

/** An app in this process. */
export interface LoadedApp {
  readonly functions: ReadonlyMap<string, AppFunction>;
  /** Runs a function with the app's hooks. Rejects with what the function, or a hook, threw. */
  invoke(name: string, invocation: Invocation): Promise<Outcome>;
  /** Runs the `appTerminate` hooks. */
  stop(): Promise<void>;
}

/** Takes a line of the app: `source` is the function's name, or `-`. */
export type AppLog = (level: LogLevel, source: string, message: string) => void;

let loaded = false;

/**
 * Loads an app folder as the Node worker does: `package.json`'s `main` is a glob, each match is imported or required by its
 * kind, then the `appStart` hooks run and registration closes. One app for the life of a process, because modules load once.
 * Rejects with a sentence when the folder is no app, and with the entry point's own error when that throws.
 */
export async function loadApp(folder: string, log: AppLog = () => {}): Promise<LoadedApp> {
  const entries = entryPoints(folder);
  if (loaded) throw new Error("A process can load one app only.");
  loaded = true;
  const core = createCore(log);
  provideCore(core.module);
  for (const entry of entries) {
    if (entry.esm) await import(pathToFileURL(entry.file).href);
    else createRequire(join(folder, "package.json"))(entry.file);
  }
  const appHookData = {};
  const appContext = () => ({ hookData: appHookData, appHookData, functionAppDirectory: folder });
  await core.runHooks("appStart", appContext());
  const capabilities = await core.model()?.getCapabilities({});
  if (capabilities?.["HttpUri"]) throw new Error("The app enables HTTP streaming, which this host does not speak.");
  core.seal();
  const functions = new Map([...core.functions.values()].map(({ metadata }) => [metadata.name, describe(metadata)]));
  return {
    functions,
    invoke: (name, invocation) => invoke(core, appHookData, name, invocation),
    stop: () => core.runHooks("appTerminate", appContext()),
  };
}

function entryPoints(folder: string): { file: string; esm: boolean }[] {
  const path = join(folder, "package.json");
  if (!existsSync(path)) throw new Error(`${folder} holds no package.json, so it is no Functions app.`);
  const { main, type } = JSON.parse(readFileSync(path, "utf8")) as { main?: string; type?: string };
  if (!main) throw new Error(`${path} has no "main", which says where the functions are.`);
  const files = globSync(main, { cwd: folder }).sort();
  if (files.length === 0) throw new Error(`"main" of ${path} is "${main}", which matches no file.`);
  return files.map((name) => ({
    file: join(folder, name),
    esm: name.endsWith(".mjs") || (type === "module" && !name.endsWith(".cjs")),
  }));
}

function describe(metadata: {
  name: string;
  bindings: AppFunction["bindings"];
  retryOptions?: RetryOptions;
}): AppFunction {
  const { name, bindings, retryOptions } = metadata;
  const found = Object.entries(bindings).find(([, binding]) => /trigger$/i.test(binding.type));
  if (!found) throw new Error(`The function "${name}" has no trigger.`);
  const trigger = { ...found[1], name: found[0] };
  return { name, trigger, bindings, ...(retryOptions && { retry: retryOptions }) };
}

/** The worker's invocation loop: arguments, hooks before, the function, hooks after, response. */
async function invoke(core: Core, appHookData: object, name: string, invocation: Invocation): Promise<Outcome> {
  const found = core.functions.get(name);
  const model = core.model();
  if (!found || !model) throw new Error(`The app has no function "${name}".`);
  const invocationId = randomUUID();
  const call: CoreInvocation = {
    invocationId,
    request: {
      invocationId,
      functionId: name,
      inputData: Object.entries(invocation.inputs).map(([binding, data]) => ({ name: binding, data })),
      triggerMetadata: invocation.triggerMetadata ?? {},
      traceContext: { traceParent: invocation.traceParent ?? newTrace(), traceState: "" },
      ...(invocation.retryContext && { retryContext: invocation.retryContext }),
    },
    metadata: found.metadata,
    state: undefined,
    log: (level, category, message) => core.log(level, name, message, category, invocationContext),
  };
  let invocationContext: unknown;
  const instance = model.getInvocationModel(call);
  const { context, inputs } = await instance.getArguments();
  invocationContext = context;

  const hookData = {};
  const shared = { hookData, appHookData, invocationContext: context };
  call.state = "preInvocationHooks";
  const before: Record<string, unknown> = { ...shared, inputs, functionCallback: found.callback };
  await core.runHooks("preInvocation", before);

  call.state = "invocation";
  const after: Record<string, unknown> = { ...shared, inputs: before["inputs"], result: null, error: null };
  try {
    const callback = before["functionCallback"] as FunctionCallback;
    after["result"] = await instance.invokeFunction(context, before["inputs"] as unknown[], callback);
  } catch (error) {
    after["error"] = error;
  }

  call.state = "postInvocationHooks";
  await core.runHooks("postInvocation", after);
  // As the worker has it: what is thrown and no Error counts as a result of nothing.
  if (after["error"] instanceof Error) throw after["error"];

  const response = await instance.getResponse(context, after["result"]);
  const outputs = Object.fromEntries((response.outputData ?? []).map((output) => [output.name, output.data]));
  return { returnValue: response.returnValue, outputs };
}

function newTrace(): string {
  return `00-${randomBytes(16).toString("hex")}-${randomBytes(8).toString("hex")}-01`;
}
