import type { AppFunction, AppLog, LoadedApp, Outcome } from "./app.ts";
import type { RetryContext, RetryOptions, TypedData } from "./core.ts";

/** What a trigger hands to a function. */
export interface Trigger {
  readonly data: TypedData;
  readonly metadata?: Readonly<Record<string, TypedData>>;
  readonly traceParent?: string;
}

/** Runs functions for the triggers: other inputs, time limit, retry policy. */
export interface Runner {
  /** One attempt. Rejects with what the function threw, or at the app's `functionTimeout`. */
  once(fn: AppFunction, trigger: Trigger): Promise<Outcome>;
  /** Attempts by the function's retry policy, the last one's result or error. Stops trying when the host stops. */
  withRetry(fn: AppFunction, trigger: Trigger): Promise<Outcome>;
  /** Resolves when nothing runs, or after `milliseconds`. */
  idle(milliseconds: number): Promise<void>;
  /** No more retries. */
  stop(): void;
}

/** What the runner is made of. */
export interface RunnerOptions {
  readonly app: LoadedApp;
  /** The text of a `durableClient` input; absent when the app has no durable functions. */
  readonly durableClient?: () => string;
  /** Milliseconds; Infinity for none. */
  readonly functionTimeout: number;
  readonly log: AppLog;
}

export function createRunner(options: RunnerOptions): Runner {
  const stopping = new AbortController();
  const running = new Set<Promise<unknown>>();

  const attempt = async (fn: AppFunction, trigger: Trigger, retryContext?: RetryContext): Promise<Outcome> => {
    const inputs: Record<string, TypedData> = { [fn.trigger.name]: trigger.data };
    for (const [name, binding] of Object.entries(fn.bindings)) {
      if (isDurableClient(binding.type) && options.durableClient) inputs[name] = { string: options.durableClient() };
    }
    const done = options.app.invoke(fn.name, {
      inputs,
      ...(trigger.metadata && { triggerMetadata: trigger.metadata }),
      ...(trigger.traceParent && { traceParent: trigger.traceParent }),
      ...(retryContext && { retryContext }),
    });
    running.add(done);
    try {
      return await limit(done, options.functionTimeout, fn.name);
    } finally {
      running.delete(done);
    }
  };

  return {
    once: (fn, trigger) => attempt(fn, trigger),
    async withRetry(fn, trigger) {
      const policy = fn.retry;
      let context: RetryContext | undefined;
      for (let retries = 0; ; retries++) {
        try {
          return await attempt(fn, trigger, context);
        } catch (error) {
          const spent = !policy || (policy.maxRetryCount !== -1 && retries >= policy.maxRetryCount);
          if (spent || stopping.signal.aborted) throw error;
          options.log("warning", fn.name, `attempt ${retries + 1} failed: ${describeError(error)}`);
          await wait(retryDelay(policy, retries), stopping.signal);
          if (stopping.signal.aborted) throw error;
          const { message, stack = "" } = error instanceof Error ? error : new Error(String(error));
          const exception = { message, source: fn.name, stackTrace: stack };
          context = { retryCount: retries + 1, maxRetryCount: policy.maxRetryCount, exception };
        }
      }
    },
    async idle(milliseconds) {
      await Promise.race([Promise.allSettled(running), wait(milliseconds)]);
    },
    stop: () => stopping.abort(),
  };
}

/** Bindings that this host serves; everything else is refused when the host starts, not when an event is lost. */
export function unsupportedBinding(fn: AppFunction): string | undefined {
  for (const [name, binding] of Object.entries(fn.bindings)) {
    if (name === fn.trigger.name) {
      if (!triggers.has(binding.type.toLowerCase())) return `the trigger "${binding.type}"`;
    } else if (binding.direction === "in") {
      if (!isDurableClient(binding.type)) return `the input binding "${binding.type}"`;
    } else if (name !== "$return" || binding.type.toLowerCase() !== "http") {
      return `the output binding "${binding.type}"`;
    }
  }
  return undefined;
}

const triggers = new Set(
  ["http", "timer", "queue", "eventGrid", "orchestration", "activity", "entity"].map((type) =>
    `${type}trigger`.toLowerCase(),
  ),
);

/** Whether a binding is an input for durable-functions' client. */
export function isDurableClient(type: string): boolean {
  return /^(durable|orchestration)client$/i.test(type);
}

/** Milliseconds before the retry that follows `retries` earlier ones. */
export function retryDelay(policy: RetryOptions, retries: number): number {
  if (policy.retryStrategy === "fixedDelay") return (policy.delayInterval?.seconds ?? 0) * 1000;
  const least = (policy.minimumInterval?.seconds ?? 0) * 1000;
  const most = (policy.maximumInterval?.seconds ?? Infinity) * 1000;
  return Math.min(most, least * 2 ** retries);
}

/** One line for a log: the error's name and message. */
export function describeError(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

/** The real host ends the worker's process at the limit; here the call is given up and the code goes on unheard. */
async function limit<T>(work: Promise<T>, milliseconds: number, name: string): Promise<T> {
  if (!Number.isFinite(milliseconds)) return work;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`Timeout value of ${milliseconds / 1000} s was exceeded by function: ${name}`));
    }, milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits on real time; an aborted signal ends it early, without an error. */
export async function wait(milliseconds: number, signal?: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    if (signal?.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal?.addEventListener("abort", end);
  });
}
