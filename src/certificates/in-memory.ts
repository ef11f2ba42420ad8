import { duplexPair } from "node:stream";
import type { Duplex } from "node:stream";
import { checkServerIdentity, connect, rootCertificates, TLSSocket } from "node:tls";
import type { SecureContextOptions } from "node:tls";
import { PinionError } from "../errors.ts";
import type { Proof } from "../rotator.ts";
import { codeOf, event, servedBy } from "./handshake.ts";
import { findPath } from "./path.ts";
import type { Roots } from "./path.ts";
import { pemOf, readCertificate } from "./read.ts";

/** A certificate with its private key, as its readers get it from the vault. */
export type Keyed = { readonly pfx: Uint8Array } | { readonly pem: string };

export interface InMemory {
  /** Leaf first, in DER, as a client of such a server has them: with the root that it trusts, where that was not sent. */
  readonly chain: readonly Buffer[];
  readonly proofs: readonly Proof[];
}

export interface InMemoryOptions {
  /** A name of the certificate, without a wildcard. */
  readonly serverName: string;
  readonly roots: Roots;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly signal: AbortSignal;
}

const serverAuth = "1.3.6.1.5.5.7.3.1";
/**
 * What a client says that is judged elsewhere: the name by its own proof, and the time by `now`, for OpenSSL asks the machine's clock,
 * which is not the cloud's where that was moved.
 */
const judgedElsewhere: ReadonlySet<string> = new Set([
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "ERR_TLS_CERT_ALTNAME_INVALID",
]);

/**
 * A TLS server and a client that share nothing but memory: the private key fits the certificate, what would be served is a chain that a
 * client with these roots accepts, and the name is its own. No socket is opened. `HANDSHAKE_FAILED` when the material serves nobody.
 */
export async function serveInMemory(keyed: Keyed, options: InMemoryOptions): Promise<InMemory> {
  const { serverName, roots, now, signal } = options;
  signal.throwIfAborted();
  const [ours, theirs] = duplexPair();
  const fits = "the private key serves the certificate in a TLS handshake";
  const trusted = roots === "system" ? [...rootCertificates] : roots.map(pemOf);
  const client = connect({ socket: theirs, servername: serverName, ca: trusted, rejectUnauthorized: false });
  client.on("error", () => {});
  let server: TLSSocket | undefined;
  try {
    server = serve(ours, keyed);
    server.on("error", () => {});
    await Promise.race([event(client, "secureConnect"), failure(server), aborted(signal)]);
  } catch (cause) {
    client.destroy();
    signal.throwIfAborted();
    // OpenSSL's texts quote no material; its code says what does not fit.
    throw new PinionError(
      "HANDSHAKE_FAILED",
      `No server can serve this certificate with the private key that the vault gives for it (${codeOf(cause)}).`,
      { cause },
    );
  }
  const { chain, protocol } = servedBy(client);
  const theirVerdict = client.authorized ? undefined : codeOf(client.authorizationError);
  const peer = client.getPeerCertificate();
  client.destroy();
  server.destroy();
  const [leaf, ...rest] = chain.map((der) => readCertificate(der));
  const { faults } = findPath({ leaf: leaf!, chain: rest, roots, now, usages: [serverAuth] });
  const refused =
    theirVerdict !== undefined && !judgedElsewhere.has(theirVerdict) ? [`a client says ${theirVerdict}`] : [];
  const otherName = checkServerIdentity(serverName, peer);
  return {
    chain,
    proofs: [
      { name: fits, ok: true, detail: `serves ${leaf!.sha256} by ${protocol}` },
      {
        name: "a client accepts the chain that is served",
        ok: faults.length === 0 && refused.length === 0,
        detail: [...faults, ...refused].join("; ") || `${chain.length} certificates`,
      },
      {
        name: `a client accepts it as ${serverName}`,
        ok: otherName === undefined,
        ...(otherName === undefined ? {} : { detail: `its names are ${leaf!.names.join(", ")}` }),
      },
    ],
  };
}

function serve(socket: Duplex, keyed: Keyed): TLSSocket {
  const material: SecureContextOptions =
    "pfx" in keyed ? { pfx: Buffer.from(keyed.pfx), passphrase: "" } : { cert: keyed.pem, key: keyed.pem };
  return new TLSSocket(socket, { isServer: true, ...material });
}

const failure = (socket: TLSSocket): Promise<never> => new Promise((_, reject) => void socket.once("error", reject));

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}
