// `@azure/functions-core`: the module that the real worker (azure-functions-nodejs-worker) gives to `require`, and to nothing
// else. Its members are what @azure/functions and durable-functions touch, plus what telemetry libraries use.
import Module from "node:module";

/** One of its fields is set; `{}` is `undefined`. A `string` is parsed as JSON by the library wherever that is possible. */
export interface TypedData {
  readonly string?: string;
  readonly json?: string;
  readonly bytes?: Uint8Array;
  readonly int?: number;
  readonly double?: number;
  readonly http?: HttpData;
}

/** HTTP in both directions, as the worker's protocol has it. A request's query is left to the library, which reads `url`. */
export interface HttpData {
  readonly method?: string;
  readonly url?: string;
  readonly statusCode?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly nullableHeaders?: Readonly<Record<string, { readonly value: string }>>;
  readonly nullableParams?: Readonly<Record<string, { readonly value: string }>>;
  readonly nullableQuery?: Readonly<Record<string, { readonly value: string }>>;
  readonly cookies?: readonly HttpCookie[];
  readonly body?: TypedData;
}

/** A cookie of an answer. `sameSite: "none"` means that the app said nothing. */
export interface HttpCookie {
  readonly name: string;
  readonly value: string;
  readonly domain?: { readonly value: string };
  readonly path?: { readonly value: string };
  readonly expires?: { readonly value: { readonly seconds: number } };
  readonly secure?: { readonly value: boolean };
  readonly httpOnly?: { readonly value: boolean };
  readonly sameSite?: "none" | "lax" | "strict" | "explicitNone";
  readonly maxAge?: { readonly value: number };
}

/** A binding as registered: the trigger's type ends with `Trigger`, the rest are its own options. */
export interface Binding {
  readonly type: string;
  readonly direction: "in" | "out";
  readonly name?: string;
  readonly [option: string]: unknown;
}

/** A binding's option when it is a text. */
export function bindingText(binding: Binding, option: string): string | undefined {
  const value = binding[option];
  return typeof value === "string" ? value : undefined;
}

/** Intervals in seconds; `maxRetryCount` -1 is for ever. */
export interface RetryOptions {
  readonly retryStrategy: "fixedDelay" | "exponentialBackoff";
  readonly maxRetryCount: number;
  readonly delayInterval?: { readonly seconds: number };
  readonly minimumInterval?: { readonly seconds: number };
  readonly maximumInterval?: { readonly seconds: number };
}

/** What the app registers a function with. */
export interface FunctionMetadata {
  readonly name: string;
  readonly functionId?: string;
  readonly bindings: Readonly<Record<string, Binding>>;
  readonly retryOptions?: RetryOptions;
}

export type LogLevel = "trace" | "debug" | "information" | "warning" | "error" | "critical" | "none";
export type FunctionCallback = (...args: unknown[]) => unknown;
export type HookName = "appStart" | "appTerminate" | "preInvocation" | "postInvocation" | "log";
/** A hook may change the writable fields of its context. */
export type HookCallback = (context: Record<string, unknown>) => unknown;

/** One invocation, as the programming model asks for it. */
export interface CoreInvocation {
  readonly invocationId: string;
  readonly request: {
    readonly invocationId: string;
    readonly functionId: string;
    readonly inputData: readonly { readonly name: string; readonly data: TypedData }[];
    readonly triggerMetadata: Readonly<Record<string, TypedData>>;
    readonly traceContext: { readonly traceParent: string; readonly traceState: string };
    readonly retryContext?: RetryContext;
  };
  readonly metadata: FunctionMetadata;
  state: "preInvocationHooks" | "invocation" | "postInvocationHooks" | undefined;
  log(level: LogLevel, category: string, message: string): void;
}

/** Which attempt this is: 1 is the first retry. */
export interface RetryContext {
  readonly retryCount: number;
  readonly maxRetryCount: number;
  readonly exception?: { readonly message: string; readonly source: string; readonly stackTrace: string };
}

export interface InvocationModel {
  getArguments(): Promise<{ context: unknown; inputs: unknown[] }>;
  invokeFunction(context: unknown, inputs: unknown[], callback: FunctionCallback): Promise<unknown>;
  getResponse(
    context: unknown,
    result: unknown,
  ): Promise<{
    readonly outputData?: readonly { readonly name: string; readonly data: TypedData }[];
    readonly returnValue?: TypedData | null;
  }>;
}

export interface ProgrammingModel {
  readonly name: string;
  readonly version: string;
  getInvocationModel(invocation: CoreInvocation): InvocationModel;
  getCapabilities(defaults: Record<string, string>): Promise<Record<string, string>>;
}

/** What the app has said so far, and the module that it says it to. */
export interface Core {
  readonly module: object;
  readonly functions: ReadonlyMap<string, { readonly metadata: FunctionMetadata; readonly callback: FunctionCallback }>;
  readonly model: () => ProgrammingModel | undefined;
  /** Runs the hooks of a name in order, each awaited. */
  readonly runHooks: (name: HookName, context: Record<string, unknown>) => Promise<void>;
  /** From now on registering a function is an error, as after the real worker's start-up. */
  readonly seal: () => void;
  readonly log: (
    level: LogLevel,
    source: string,
    message: string,
    category: string,
    invocationContext?: unknown,
  ) => void;
}

/** Makes the module. `write` takes the app's log lines after its log hooks have seen them. */
export function createCore(write: (level: LogLevel, source: string, message: string) => void): Core {
  const functions = new Map<string, { metadata: FunctionMetadata; callback: FunctionCallback }>();
  const hooks: Record<HookName, HookCallback[]> = {
    appStart: [],
    appTerminate: [],
    preInvocation: [],
    postInvocation: [],
    log: [],
  };
  let model: ProgrammingModel | undefined;
  let sealed = false;

  class Disposable {
    readonly #end: () => void;
    constructor(end: () => void) {
      this.#end = end;
    }
    static from(...parts: { dispose(): void }[]): Disposable {
      return new Disposable(() => parts.forEach((part) => part.dispose()));
    }
    dispose(): void {
      this.#end();
    }
  }

  const log: Core["log"] = (level, source, message, category, invocationContext) => {
    const context: Record<string, unknown> = { level, message, category, invocationContext, hookData: {} };
    for (const hook of hooks.log) hook(context);
    write(context["level"] as LogLevel, source, String(context["message"]));
  };

  const module = {
    version: "3.10.0",
    hostVersion: "4.1037.0",
    Disposable,
    setProgrammingModel(value: ProgrammingModel) {
      model = value;
    },
    getProgrammingModel: () => model,
    registerFunction(metadata: FunctionMetadata, callback: FunctionCallback) {
      if (sealed) throw systemError(new Error("A function can only be registered during app startup."));
      const id = metadata.functionId ?? metadata.name;
      if (functions.has(id)) throw systemError(new Error(`A function with id "${id}" has already been registered.`));
      functions.set(id, { metadata, callback });
      return new Disposable(() => functions.delete(id));
    },
    registerHook(name: HookName, callback: HookCallback) {
      const list = Object.hasOwn(hooks, name) ? hooks[name] : undefined;
      if (!list) throw systemError(new RangeError(`Unrecognized hook "${name}"`));
      list.push(callback);
      return new Disposable(() => {
        if (list.includes(callback)) list.splice(list.indexOf(callback), 1);
      });
    },
    log(level: LogLevel, category: string, message: string) {
      log(level, "-", message, category);
    },
  };

  return {
    module,
    functions,
    model: () => model,
    seal() {
      sealed = true;
    },
    async runHooks(name, context) {
      for (const hook of hooks[name]) await hook(context);
    },
    log,
  };
}

/** Gives `module` to every `require("@azure/functions-core")` of this process, as the worker does. Returns what undoes it. */
export function provideCore(module: object): () => void {
  const original = Module.prototype.require;
  Module.prototype.require = new Proxy(original, {
    apply(target, self: unknown, args: [string]) {
      return args[0] === "@azure/functions-core" ? module : Reflect.apply(target, self, args);
    },
  });
  return () => {
    Module.prototype.require = original;
  };
}

/** The libraries treat a marked error as the platform's, not the user's. */
function systemError(error: Error): Error {
  return Object.assign(error, { isAzureFunctionsSystemError: true });
}
