import type { IncomingMessage } from "node:http";
import { z } from "zod";
import { faultSchema } from "./faults.ts";
import type { FaultInput, Fault } from "./faults.ts";
import type { LogEntry } from "./log.ts";
import type { Json, Reply, VaultSettings } from "./model.ts";
import { badParameter, errorReply } from "./refusal.ts";
import { parseBody, readBody } from "./request.ts";
import type { Target } from "./request.ts";

/** What tests do to the vaults, in their process; over HTTP the same is under `/_emulator/`. */
export interface VaultControl {
  /** Throws (a ZodError) on a fault that is not well formed. */
  readonly addFault: (fault: FaultInput) => Fault;
  /** Clears the faults of a vault, or all. */
  readonly clearFaults: (vault?: string) => void;
  readonly faults: () => readonly Fault[];
  /** The last 10,000 requests, of one vault or all, oldest first. */
  readonly log: (vault?: string) => LogEntry[];
  /** Empties a vault, or all: objects, faults, log. */
  readonly reset: (vault?: string) => void;
  /** Turns settings of a vault, or of all. */
  readonly set: (settings: Partial<VaultSettings>, vault?: string) => void;
  /** Events are made for versions created from this instant (ms) on; undefined: for none. */
  readonly subscribe: (since: number | undefined, vault?: string) => void;
}

const settingsSchema = z.strictObject({
  deleteDelayMs: z.number().nonnegative().optional(),
  throttling: z.boolean().optional(),
  /** As `subscribe` has it; null: no events. */
  subscribedSince: z.number().nullish(),
});

/**
 * Serves `/_emulator/`: `faults` (GET, POST, DELETE), `log` (GET), `reset` (POST), `settings` (PUT), all of the vault whose
 * port is asked; no token is needed, but only loopback is answered.
 */
export async function serveControl(
  control: VaultControl,
  vault: string,
  request: IncomingMessage,
  { segments }: Target,
): Promise<Reply> {
  const address = request.socket.remoteAddress ?? "";
  if (!/^(::1|(::ffff:)?127\.[\d.]+)$/.test(address)) return errorReply(404, "NotFound", "Not found.");
  const raw = await readBody(request);
  switch (`${request.method} ${segments.slice(1).join("/")}`) {
    case "GET faults":
      return ok(control.faults().filter((fault) => fault.vault === undefined || fault.vault === vault));
    case "POST faults":
      return ok(control.addFault({ vault, ...parse(faultSchema, raw) }), 201);
    case "DELETE faults":
      control.clearFaults(vault);
      return { status: 204 };
    case "GET log":
      return ok(control.log(vault));
    case "POST reset":
      control.reset(vault);
      return { status: 204 };
    case "PUT settings": {
      const { subscribedSince, ...settings } = parse(settingsSchema, raw);
      control.set(withoutUndefined(settings), vault);
      if (subscribedSince !== undefined) control.subscribe(subscribedSince ?? undefined, vault);
      return { status: 204 };
    }
    default:
      return errorReply(404, "NotFound", "There is faults, log, reset and settings.");
  }
}

const ok = (value: unknown, status = 200): Reply => ({ status, body: { value: value as Json } });

function parse<T>(schema: z.ZodType<T>, raw: Buffer): T {
  const result = schema.safeParse(parseBody(raw));
  if (result.success) return result.data;
  throw badParameter(
    result.error.issues.map(({ path, message }) => `${path.join(".") || "body"}: ${message}`).join("; "),
  );
}

function withoutUndefined(given: {
  [K in keyof VaultSettings]?: VaultSettings[K] | undefined;
}): Partial<VaultSettings> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
