import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { openssl } from "../certificates/openssl.ts";

/** Somewhere on this machine, as a client asks for it. */
export interface Asked {
  readonly port: number;
  readonly name: string;
  readonly starttls?: "smtp";
}

export const thumbprintOf = (certificate: string | Uint8Array): string =>
  new X509Certificate(certificate).fingerprint256.replaceAll(":", "").toLowerCase();

export interface Load {
  /** Handshakes that failed, in words. */
  readonly failed: readonly string[];
  readonly perSecond: number;
  /** The thumbprint of each, in their order. */
  readonly seen: readonly string[];
}

/** Makes 50 whole handshakes a second, each checked against some roots (PEM), until it is told to stop. */
export function startLoad({ port, name }: Asked, ca: readonly string[]): () => Promise<Load> {
  const worker = new Worker(new URL("./load-worker.ts", import.meta.url), {
    workerData: { port, name, ca, every: 20 },
  });
  return async () => {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- to a thread, not to a window
    worker.postMessage("stop");
    const [{ seen, seconds }] = (await once(worker, "message")) as [{ seen: readonly string[]; seconds: number }];
    await worker.terminate();
    return { failed: seen.filter((one) => one.startsWith("failed")), perSecond: seen.length / seconds, seen };
  };
}

/** What `openssl s_client` says: the thumbprint of what is served, and whether it is good for the roots in a file and for the name. */
export async function askByOpenssl({ port, name, starttls }: Asked, roots: string) {
  const { ok, out } = await openssl([
    "s_client",
    "-connect",
    `127.0.0.1:${port}`,
    "-servername",
    name,
    "-verify_hostname",
    name,
    "-verify_return_error",
    "-CAfile",
    roots,
    ...(starttls === undefined ? [] : ["-starttls", starttls]),
  ]);
  const pem = /-----BEGIN CERTIFICATE-----[^]+?-----END CERTIFICATE-----/.exec(out)?.[0];
  const good = ok && out.includes("Verify return code: 0 (ok)");
  return { good, thumbprint: pem === undefined ? out : thumbprintOf(pem) };
}
