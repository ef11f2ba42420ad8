import { z } from "zod";
import type { Reply } from "./model.ts";
import { errorReply } from "./refusal.ts";

/** What a test may ask for, as it stands in the body of `POST /_emulator/faults`. */
export const faultSchema = z.strictObject({
  /** `secret.get`; `secret.*` or `*` mean several. */
  operation: z.string().min(1),
  /** A vault's name; absent: all (over HTTP: the vault that was asked). */
  vault: z.string().optional(),
  /** The next so many requests; absent together with `rate`: one. */
  times: z.int().positive().optional(),
  /** Instead: this share of requests, until cleared. */
  rate: z.number().gt(0).max(1).optional(),
  /** An error reply; the connection closed without a reply, or reset; or nothing but `latencyMs`. */
  kind: z.enum(["status", "drop", "reset", "delay"]),
  /** Before the work (it is not done) or after it (it is done, but the caller does not learn so). */
  when: z.enum(["before", "after"]).default("before"),
  status: z.int().min(400).max(599).default(500),
  /** Seconds for the Retry-After header; null or absent: none. */
  retryAfter: z.int().nonnegative().nullish(),
  /** In place of the usual code; of a 403 the inner one (e.g. ForbiddenByRbac); of a 401 `insufficient_claims` asks for a new token. */
  code: z.string().optional(),
  /** Real milliseconds that the request is held up. */
  latencyMs: z.int().nonnegative().max(600_000).default(0),
});

/** A fault as a test gives it, and with its defaults filled in. */
export type FaultInput = z.input<typeof faultSchema>;
export type Fault = z.output<typeof faultSchema>;

/** The faults that are waiting for requests, oldest first. */
export interface Faults {
  readonly add: (fault: FaultInput) => Fault;
  /** Takes the fault, if any, that this authorised request meets; at most one. */
  readonly take: (operation: string, vault: string) => Fault | undefined;
  readonly clear: (vault?: string) => void;
  readonly list: () => readonly Fault[];
}

/** Makes an empty list; `random` is a number from 0 to 1, for rates. */
export function createFaults(random: () => number = Math.random): Faults {
  let faults: Fault[] = [];
  return {
    add(input) {
      const fault = faultSchema.parse(input);
      faults.push(fault);
      return fault;
    },
    take(operation, vault) {
      if (faults.length === 0) return undefined;
      const index = faults.findIndex(
        (fault) => meets(fault, operation, vault) && (fault.rate === undefined || random() < fault.rate),
      );
      const fault = faults[index];
      if (!fault) return undefined;
      if (fault.rate === undefined) {
        const left = (fault.times ?? 1) - 1;
        faults = left > 0 ? faults.with(index, { ...fault, times: left }) : faults.toSpliced(index, 1);
      }
      return fault;
    },
    clear(vault) {
      faults = vault === undefined ? [] : faults.filter((fault) => fault.vault !== vault);
    },
    list: () => faults,
  };
}

function meets(fault: Fault, operation: string, vault: string): boolean {
  if (fault.vault !== undefined && fault.vault !== vault) return false;
  if (fault.operation === "*") return true;
  return fault.operation.endsWith(".*")
    ? operation.startsWith(fault.operation.slice(0, -1))
    : operation === fault.operation;
}

const usual: Readonly<Record<number, readonly [code: string, message: string, inner?: string]>> = {
  400: ["BadParameter", "The request is malformed."],
  401: ["Unauthorized", "AKV10000: Request is missing a Bearer or PoP token."],
  403: ["Forbidden", "Caller is not authorized to perform action on resource.", "ForbiddenByRbac"],
  408: ["RequestTimeout", "The request timed out."],
  429: [
    "Throttled",
    "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached",
  ],
  500: ["InternalServerError", "The service met an internal error."],
  502: ["BadGateway", "The gateway got no answer."],
  503: ["ServiceUnavailable", "The service is temporarily unavailable."],
  504: ["GatewayTimeout", "The gateway got no answer in time."],
};

/** The reply of a fault of kind `status`, as the service would give it. */
export function faultReply({ status, code, retryAfter }: Pick<Fault, "status" | "code" | "retryAfter">): Reply {
  const [usualCode, message, inner] = usual[status] ?? usual[status < 500 ? 400 : 500]!;
  const reply =
    status === 403
      ? errorReply(status, usualCode, message, code ?? inner)
      : errorReply(status, status === 401 ? usualCode : (code ?? usualCode), message);
  return { ...reply, headers: retryAfter == null ? {} : { "Retry-After": String(retryAfter) } };
}
