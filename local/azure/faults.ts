import { isRecord, parseJson } from "./http.ts";
import type { Handler } from "./http.ts";

/** A fault to inject into the next requests of one operation. */
export interface Fault {
  /** Name of the operation (`appsettings.put`, `events.publish`, ...), or `*` for any. */
  readonly operation: string;
  readonly times: number;
  /** `drop` closes the connection without a reply; `status` answers with `status`. */
  readonly kind: "status" | "drop";
  readonly status: number;
  /** Seconds for the Retry-After header; absent: no header. */
  readonly retryAfter?: number;
  /** `before`: the work is not done; `after`: it is done, but the caller does not learn it. */
  readonly when: "before" | "after";
}

/** Faults that wait to be met, and how often each operation was called. */
export interface Faults {
  readonly add: (fault: Fault) => void;
  /** The fault that meets this call of the operation, if any; counts the call. */
  readonly take: (operation: string) => Fault | undefined;
  readonly clear: () => void;
  readonly calls: () => Readonly<Record<string, number>>;
}

/** Faults by operation, in memory: a restart forgets them. */
export function createFaults(): Faults {
  const waiting: { fault: Fault; left: number }[] = [];
  const calls: Record<string, number> = {};
  return {
    add: (fault) => void waiting.push({ fault, left: fault.times }),
    take(operation) {
      // The controls must work whatever was injected.
      if (operation.startsWith("_emulator")) return undefined;
      calls[operation] = (calls[operation] ?? 0) + 1;
      const index = waiting.findIndex(({ fault }) => fault.operation === operation || fault.operation === "*");
      const found = waiting[index];
      if (!found) return undefined;
      found.left -= 1;
      if (found.left <= 0) waiting.splice(index, 1);
      return found.fault;
    },
    clear: () => void waiting.splice(0),
    calls: () => ({ ...calls }),
  };
}

/** `POST /_emulator/faults` adds one fault, `DELETE` forgets all, `GET` tells how often each operation was called. */
export function faultsHandler(faults: Faults): Handler {
  return ({ method, url, body }) => {
    if (url.pathname !== "/_emulator/faults") return undefined;
    return {
      operation: "_emulator.faults",
      run() {
        if (method === "GET") return { status: 200, body: { calls: faults.calls() } };
        if (method === "DELETE") {
          faults.clear();
          return { status: 204 };
        }
        const fault = parseFault(parseJson(body));
        if (!fault) return { status: 400, body: "Expected {operation, times?, kind?, status?, retryAfter?, when?}." };
        faults.add(fault);
        return { status: 204 };
      },
    };
  };
}

function parseFault(value: unknown): Fault | undefined {
  if (!isRecord(value) || typeof value["operation"] !== "string") return undefined;
  const { operation, times = 1, kind = "status", status = 500, retryAfter, when = "before" } = value;
  if (typeof times !== "number" || typeof status !== "number") return undefined;
  if ((kind !== "status" && kind !== "drop") || (when !== "before" && when !== "after")) return undefined;
  return { operation, times, kind, status, when, ...(typeof retryAfter === "number" ? { retryAfter } : {}) };
}
