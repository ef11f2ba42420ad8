import { connect } from "node:tls";
import type { X509Certificate } from "node:crypto";

/** A certificate as clients saw it. */
export interface SeenCertificate {
  /** SHA-1 in upper-case hex, as Azure shows it. */
  readonly thumbprint: string;
  /** Common name of who signed it. */
  readonly issuer: string;
  readonly names: readonly string[];
}

export interface Handshakes {
  readonly made: number;
  /** Broken ones, those in which the certificate was for another name, and those in which it was not valid then. */
  readonly failed: number;
  /** What was served last; undefined before the first. */
  readonly served: SeenCertificate | undefined;
  stop(): Promise<void>;
}

export interface HandshakesOptions {
  readonly port: number;
  readonly name: string;
  readonly perSecond: number;
  /** Milliseconds, by the cloud's clock. */
  readonly now: () => number;
}

const patience = 10_000;

/** Clients that come one after the other, each with a whole handshake. */
export function startHandshakes({ port, name, perSecond, now }: HandshakesOptions): Handshakes {
  let served: SeenCertificate | undefined;
  const open = new Set<Promise<void>>();
  let made = 0;
  let failed = 0;

  const one = async (): Promise<void> => {
    const found = await handshake(port, name).catch(() => undefined);
    made += 1;
    if (found === undefined || found.checkHost(name) === undefined || !isValid(found, now())) failed += 1;
    if (found !== undefined) served = describe(found);
  };
  const beat = setInterval(() => {
    // A machine that cannot keep up makes fewer, not more at once.
    if (open.size >= 16) return;
    const running: Promise<void> = one().finally(() => open.delete(running));
    open.add(running);
  }, 1000 / perSecond);

  return {
    get made() {
      return made;
    },
    get failed() {
      return failed;
    },
    get served() {
      return served;
    },
    async stop() {
      clearInterval(beat);
      await Promise.all(open);
    },
  };
}

/** OpenSSL knows the machine's clock only, so what is served is judged by the caller. */
function handshake(port: number, servername: string): Promise<X509Certificate | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, servername, rejectUnauthorized: false, timeout: patience });
    socket.once("error", reject).once("timeout", () => socket.destroy(new Error("no answer")));
    socket.once("close", () => reject(new Error("closed")));
    socket.once("secureConnect", () => {
      resolve(socket.getPeerX509Certificate());
      socket.end();
    });
  });
}

const isValid = ({ validFrom, validTo }: X509Certificate, now: number): boolean =>
  Date.parse(validFrom) <= now && now <= Date.parse(validTo);

function describe({ fingerprint, issuer, subjectAltName }: X509Certificate): SeenCertificate {
  return {
    thumbprint: fingerprint.replaceAll(":", ""),
    issuer: commonName(issuer),
    names: subjectAltName?.split(", ").map((name) => name.replace("DNS:", "")) ?? [],
  };
}

const commonName = (name: string): string => /CN=(.+)/.exec(name)?.[1] ?? name;
