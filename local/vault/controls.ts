import type { IncomingMessage } from "node:http";
import { controlRoutes } from "./control-routes.ts";
import type { Access, AccessPolicies } from "./access.ts";
import type { Disturbance } from "./disturb.ts";
import type { Fault, FaultInput } from "./faults.ts";
import type { LogEntry } from "./log.ts";
import type { Reply, Vault, VaultSettings } from "./model.ts";
import { errorReply } from "./refusal.ts";
import { readBody } from "./request.ts";
import type { Target } from "./request.ts";
import type { Snapshots } from "./snapshots.ts";
import type { Clock, MovableClock } from "../clock.ts";

/** What tests do to the vaults, in their process; over HTTP the same is under `/_emulator/`. */
export interface VaultControl {
  /** Throws (a ZodError) on a fault that is not well formed. */
  readonly addFault: (fault: FaultInput) => Fault;
  /** Clears the faults of a vault, or all. */
  readonly clearFaults: (vault?: string) => void;
  readonly faults: () => readonly Fault[];
  /** The last 10,000 requests, of one vault or all, oldest first. */
  readonly log: (vault?: string) => LogEntry[];
  /** Empties a vault, or all: objects, faults, log, counters of the throttle, settings. Roles and the clock stay. */
  readonly reset: (vault?: string) => void;
  /** Turns settings of a vault, or of all. */
  readonly set: (settings: Partial<VaultSettings>, vault?: string) => void;
  /** Events are made for versions created from this instant (ms) on; undefined: for none. */
  readonly subscribe: (since: number | undefined, vault?: string) => void;
  /** Disturbs the next events of all vaults. */
  readonly disturb: (disturbance: Disturbance) => void;
  /** Makes a vault go by access policies, or (undefined) by roles again, and gives the event of that. */
  readonly setAccessPolicies: (vault: string, policies: AccessPolicies | undefined) => void;
  readonly snapshots: Snapshots;
  /** Names a vault of this state folder; see `stateId`. */
  readonly state: (vault: string) => string;
  readonly clock: Clock & Partial<MovableClock>;
  /** Absent where any bearer token is taken. */
  readonly access?: Access | undefined;
}

/** A request to the controls of one vault. */
export interface ControlCall {
  readonly control: VaultControl;
  readonly vault: Vault;
  /** The last segment of the path, where the route has a variable. */
  readonly name: string;
  readonly raw: Buffer;
}

/** One control. */
export interface ControlRoute {
  readonly method: string;
  /** Below `/_emulator/`; `:name` is a variable. */
  readonly path: string;
  /** What it does and takes, for the list. */
  readonly does: string;
  readonly run: (call: ControlCall) => Reply;
}

/**
 * Serves `/_emulator/`, always about the vault whose port is asked. No token is needed, but only loopback is answered: by
 * the peer's address, and by the names in the request, so that no web page reaches it through a name of its own.
 */
export async function serveControl(
  control: VaultControl,
  vault: Vault,
  request: IncomingMessage,
  { segments }: Target,
): Promise<Reply> {
  if (!fromLoopback(request)) return errorReply(404, "NotFound", "Not found.");
  const raw = await readBody(request);
  const path = segments.slice(1);
  for (const route of controlRoutes) {
    const parts = route.path.split("/").filter(Boolean);
    const fits = parts.length === path.length && parts.every((part, at) => part === ":name" || part === path[at]);
    if (route.method !== request.method || !fits) continue;
    const name = path[parts.indexOf(":name")] ?? "";
    return route.run({ control, vault, name, raw });
  }
  if (request.method === "GET" && path.length === 0) return list(vault, control);
  return errorReply(404, "NotFound", "There is no such control; GET /_emulator/ lists them.");
}

function list({ name }: Vault, { state }: VaultControl): Reply {
  const value = controlRoutes.map(({ method, path, does }) => ({ control: `${method} /_emulator/${path}`, does }));
  return { status: 200, body: { vault: name, state: state(name), value } };
}

const loopbackAddress = /^(::1|(::ffff:)?127\.[\d.]+)$/;
const loopbackHost = /^(localhost|[\w-]+\.localhost|127\.[\d.]+|\[::1\])(:\d+)?$/i;

function fromLoopback({ socket, headers }: IncomingMessage): boolean {
  if (!loopbackAddress.test(socket.remoteAddress ?? "")) return false;
  if (!loopbackHost.test(headers.host ?? "")) return false;
  const { origin } = headers;
  return origin === undefined || loopbackHost.test(origin.replace(/^https?:\/\//i, ""));
}
