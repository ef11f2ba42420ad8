import { createHash } from "node:crypto";
import { connect as connectTcp, isIP } from "node:net";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { ConnectionOptions, DetailedPeerCertificate, TLSSocket } from "node:tls";
import { PinionError } from "../errors.ts";
import type { Proof } from "../rotator.ts";
import { endpointText } from "./endpoint.ts";
import type { Endpoint } from "./endpoint.ts";
import { startTls } from "./starttls.ts";

/** What a server showed in a handshake, which also proves that it holds the private key. */
export interface Served {
  /** Lower-case hex. */
  readonly sha256: string;
  /** Upper-case hex, as Azure shows it. */
  readonly sha1: string;
  /** Leaf first, in DER, as the server sent them; put in order, each once. */
  readonly chain: readonly Buffer[];
  /** `TLSv1.3` */
  readonly protocol: string;
}

export interface ProbeOptions {
  readonly signal: AbortSignal;
  /** Milliseconds for the whole; 10 seconds by default. */
  readonly timeout?: number;
}

/**
 * Makes one TLS handshake and reads what is served, whatever it is: judging it is the caller's part. Errors: `ENDPOINT_UNREACHABLE`,
 * `STARTTLS_REFUSED`, `HANDSHAKE_FAILED`, all transient.
 */
export async function probeEndpoint(endpoint: Endpoint, { signal, timeout = 10_000 }: ProbeOptions): Promise<Served> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeout)]);
  const { host, port, address, starttls } = endpoint;
  const socket = connectTcp({ host: address ?? host, port });
  // Each phase listens for itself; between them nobody does.
  socket.on("error", () => {});
  const abort = () => socket.destroy(limit.reason as Error);
  limit.addEventListener("abort", abort, { once: true });
  try {
    limit.throwIfAborted();
    await event(socket, "connect");
    if (starttls !== undefined) await startTls(socket, starttls);
    const name = endpoint.serverName ?? host;
    const tls = connectTls({ socket, ...readOnly, ...(isIP(name) === 0 ? { servername: name } : {}) });
    tls.on("error", () => {});
    await event(tls, "secureConnect").catch((cause: unknown) => {
      throw handshakeFailed(endpointText(endpoint), cause);
    });
    return servedBy(tls);
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    if (cause instanceof PinionError && !limit.aborted) throw cause;
    const why = limit.aborted ? "did not answer in time" : `cannot be reached (${codeOf(cause)})`;
    throw new PinionError("ENDPOINT_UNREACHABLE", `${endpointText(endpoint)} ${why}; it is asked again.`, {
      class: "transient",
      cause,
    });
  } finally {
    limit.removeEventListener("abort", abort);
    socket.destroy();
  }
}

/** Proves that an endpoint serves a certificate, by its SHA-256 thumbprint. One that does not answer does not serve it: no error. */
export async function proveEndpoint(endpoint: Endpoint, sha256: string, options: ProbeOptions): Promise<Proof> {
  const name = `${endpointText(endpoint)} serves the certificate`;
  try {
    const served = await probeEndpoint(endpoint, options);
    return {
      name,
      ok: served.sha256 === sha256.toLowerCase(),
      detail: `serves ${served.sha256} by ${served.protocol}`,
    };
  } catch (error) {
    if (!(error instanceof PinionError)) throw error;
    return { name, ok: false, detail: error.message };
  }
}

/**
 * Nothing is judged here, so nothing is trusted; without authorities of its own Node adds none to what the server sent. Old protocol
 * versions are spoken too: what such a server shows is asked, not whether it should speak them.
 */
const readOnly: ConnectionOptions = {
  rejectUnauthorized: false,
  ca: [],
  minVersion: "TLSv1",
  ciphers: "DEFAULT@SECLEVEL=0",
};

/** What a finished handshake showed. */
export function servedBy(tls: TLSSocket): Served {
  const chain: Buffer[] = [];
  let at: DetailedPeerCertificate | undefined = tls.getPeerCertificate(true);
  // The last one is its own issuer, or has none.
  while (at?.raw !== undefined && !chain.some((one) => one.equals(at!.raw))) {
    chain.push(at.raw);
    at = at.issuerCertificate;
  }
  const leaf = chain[0];
  if (leaf === undefined) throw handshakeFailed("the server", new Error("no certificate"));
  return {
    sha256: createHash("sha256").update(leaf).digest("hex"),
    sha1: createHash("sha1").update(leaf).digest("hex").toUpperCase(),
    chain,
    protocol: tls.getProtocol() ?? "unknown",
  };
}

/** Resolves when it happens, rejects when the socket fails or closes first. */
export function event(socket: Socket, name: "connect" | "secureConnect"): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once(name, resolve).once("error", reject);
    socket.once("close", () => reject(Object.assign(new Error("closed"), { code: "ECONNRESET" })));
  });
}

const handshakeFailed = (who: string, cause: unknown): PinionError =>
  new PinionError("HANDSHAKE_FAILED", `The TLS handshake with ${who} failed (${codeOf(cause)}).`, {
    class: "transient",
    cause,
  });

/** The code of a foreign error, which quotes nothing. */
export const codeOf = (cause: unknown): string =>
  typeof cause === "string" && /^[A-Z_]+$/.test(cause)
    ? cause
    : cause instanceof Error && "code" in cause && typeof cause.code === "string"
      ? cause.code
      : "no code";
