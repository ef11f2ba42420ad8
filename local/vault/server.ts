import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Socket } from "node:net";
import type { Clock } from "../clock.ts";
import { underPolicy } from "./azure-policy.ts";
import { settleCertificates } from "./certificates/settle.ts";
import { serveControl } from "./controls.ts";
import type { VaultControl } from "./controls.ts";
import type { Cut } from "./cut.ts";
import { faultReply } from "./faults.ts";
import type { Fault, Faults } from "./faults.ts";
import type { Added, Log } from "./log.ts";
import type { Authorize, Operation, Reply } from "./model.ts";
import type { OpenVault } from "./open.ts";
import { networkRefusal } from "./network.ts";
import { Refusal, badParameter, errorReply } from "./refusal.ts";
import {
  announcesBody,
  checkMatch,
  createRouter,
  isUnread,
  noBody,
  parseBody,
  parseTarget,
  readApiVersion,
  readBody,
} from "./request.ts";
import type { Match, Target } from "./request.ts";
import { send } from "./send.ts";
import { keyWeight } from "./throttle.ts";

/** What one vault's server is made of. */
export interface ServerParts {
  readonly clock: Clock;
  readonly operations: readonly Operation[];
  readonly authorize: Authorize;
  /** `https://login.windows.net/<tenant id>`, named in the challenge. */
  readonly authority: string;
  readonly faults: Faults;
  readonly log: Log;
  readonly control: VaultControl;
}

const vaultResource = "https://vault.azure.net";

/** What the log will have of a request, filled in as it becomes known. */
type Trace = { -readonly [K in keyof Added]: Added[K] };

/** Makes what answers the requests to a vault; `cut` ends a connection. */
export function serveVault(
  { vault, journal, throttle }: OpenVault,
  parts: ServerParts,
  cut: (socket: Socket, how: Cut) => void,
): (request: IncomingMessage, response: ServerResponse) => void {
  const { clock, log } = parts;
  const route = createRouter(parts.operations);
  const challenge = challengeOf(parts.authority);

  /** A reply, or how a fault ends the connection. */
  const answer = async (request: IncomingMessage, trace: Trace): Promise<Reply | Cut> => {
    if (request.headers.host === undefined && request.httpVersion === "1.1") {
      throw badParameter("The request has no Host header.");
    }
    const target = attempt(() => parseTarget(request.url ?? "/"));
    if (!(target instanceof Refusal) && target.segments[0] === "_emulator") {
      const reply = await serveControl(parts.control, vault, request, target);
      await journal.durable();
      return reply;
    }
    const found = target instanceof Refusal ? undefined : route(request.method ?? "", target);
    if (found) {
      trace.operation = found.operation.operation;
      if (found.name) trace.name = found.name;
      if (found.version) trace.version = found.version;
    }
    // Official clients send their first request without token and body, to be told where tokens come from.
    const token = bearerToken(request.headers.authorization);
    const asked = parts.authorize(token, vault, trace);
    const judged = asked instanceof Promise ? await asked : asked;
    if (judged.caller !== undefined) trace.caller = judged.caller;
    const { caller = "", described = `appid=${caller};oid=${caller}` } = judged;
    // The firewall speaks before the roles, but only to callers whose token is good.
    const { network } = vault.settings;
    const outside = network && networkRefusal(network, vault, request.socket.remoteAddress ?? "", described);
    if (caller && outside) throw outside;
    if (!judged.ok) {
      const reply = errorReply(judged.status, judged.code, judged.message, judged.inner);
      return judged.status === 401 ? challenged(reply, challenge) : reply;
    }
    if (target instanceof Refusal) throw target;
    const apiVersion = readApiVersion(target);
    if (!found) throw badParameter(`There is no operation ${request.method} on this URI.`);
    checkMatch(found);
    const raw = announcesBody(request) ? await readBody(request) : noBody;
    return work(found, { apiVersion, raw, query: target.query });
  };

  const work = async (
    { operation, name, version }: Match,
    { apiVersion, raw, query }: { apiVersion: string; raw: Buffer; query: Target["query"] },
  ): Promise<Reply | Cut> => {
    const fault = parts.faults.take(operation.operation, vault.name);
    if (fault?.latencyMs) await sleep(fault.latencyMs);
    if (fault?.when === "before" && fault.kind !== "delay") return faulty(fault, parts.authority);
    const now = clock.now();
    const weight = () => (operation.operation.startsWith("key.") && name ? keyWeight(vault, name, version) : 1);
    if (vault.settings.throttling && !throttle.admits(operation.operation, now, weight())) {
      return faultReply({ status: 429 });
    }
    for (const collection of vault.collections) collection.purgeDue(now);
    settleCertificates(vault, now);
    const call = { vault, now, name, version, query, apiVersion, body: () => parseBody(raw) };
    let reply: Reply;
    try {
      const ran = underPolicy(vault, operation.operation, now, () => operation.run(call));
      reply = ran instanceof Promise ? await ran : ran;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      reply = refused(error);
    }
    // No answer speaks of what a lost machine could take back, not even a read of what another request has written.
    const flushed = journal.durable();
    if (flushed) await flushed;
    return fault?.when === "after" && fault.kind !== "delay" ? faulty(fault, parts.authority) : reply;
  };

  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const trace: Trace = { time: 0, vault: vault.name, method: request.method ?? "", status: 0 };
    let reply: Reply | Cut;
    try {
      reply = await answer(request, trace);
    } catch (error) {
      // The client is gone, or the vault is being closed: there is nobody to tell.
      if (request.socket.destroyed) return;
      reply = error instanceof Refusal ? refused(error) : internal(error);
    }
    const now = clock.now();
    trace.time = now;
    if (typeof reply !== "string") trace.status = reply.status;
    if (!request.url?.startsWith("/_emulator")) log.add(trace);
    // A refusal looks at no body, but one left unread would cost the connection.
    const tooLarge = typeof reply !== "string" && reply.status === 413;
    if (isUnread(request) && !tooLarge) await readBody(request).catch(() => undefined);
    if (typeof reply === "string") cut(request.socket, reply);
    else send(request, response, reply, now);
  };

  return (request, response) => void serve(request, response);
}

const challengeOf = (authority: string): string => `Bearer authorization="${authority}", resource="${vaultResource}"`;

/** What becomes of a request that meets this fault; a 401 challenges its caller once more. */
function faulty(fault: Fault, authority: string): Reply | Cut {
  if (fault.kind === "drop" || fault.kind === "reset") return fault.kind;
  const reply = faultReply(fault);
  return fault.status === 401
    ? challenged(reply, fault.code === revoked ? reconsider(authority) : challengeOf(authority))
    : reply;
}

/** The fault code that stands for continuous access evaluation: the token was good, but is not any more. */
const revoked = "insufficient_claims";

/** The challenge for a token with more claims: here, one issued just now. It names no resource, or clients take it for the first. */
function reconsider(authority: string): string {
  const claims = { access_token: { nbf: { essential: true, value: String(Math.floor(Date.now() / 1000)) } } };
  const encoded = Buffer.from(JSON.stringify(claims)).toString("base64");
  return `Bearer realm="", authorization_uri="${authority}/oauth2/authorize", error="${revoked}", claims="${encoded}"`;
}

const challenged = (reply: Reply, challenge: string): Reply => ({
  ...reply,
  headers: { ...reply.headers, "WWW-Authenticate": challenge },
});

const refused = ({ status, code, message, inner }: Refusal): Reply => errorReply(status, code, message, inner);

/** The token of an Authorization header, if that is of this kind. */
function bearerToken(header = ""): string | undefined {
  if (header.slice(0, 7).toLowerCase() !== "bearer ") return undefined;
  return header.slice(7).trim() || undefined;
}

function attempt<T>(parse: () => T): T | Refusal {
  try {
    return parse();
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}

/** A fault of this program itself: said on stderr, by its stack only, never with what the caller sent. */
function internal(error: unknown): Reply {
  console.error(error instanceof Error ? error.stack : "The vault failed.");
  return errorReply(500, "InternalServerError", "The service met an internal error.");
}
