import { X509Certificate } from "node:crypto";
import { connect } from "node:tls";
import { parentPort, workerData } from "node:worker_threads";

// Makes handshakes at a steady pace, in a thread of its own, until it is told to stop; then posts what each of them saw.

const { port, name, ca, every } = workerData as {
  readonly port: number;
  readonly name: string;
  /** PEM of what it trusts. */
  readonly ca: string[];
  /** Milliseconds. */
  readonly every: number;
};

/** A whole handshake that checks chain and name: the thumbprint, or why it failed. */
function handshake(): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, ca, servername: name, timeout: 10_000 });
    socket.once("error", ({ message }) => resolve(`failed: ${message}`));
    socket.once("timeout", () => socket.destroy(new Error("timeout")));
    socket.once("secureConnect", () => {
      resolve(new X509Certificate(socket.getPeerCertificate().raw).fingerprint256.replaceAll(":", "").toLowerCase());
      socket.destroy();
    });
  });
}

const made: Promise<string>[] = [];
const from = performance.now();
// What a busy machine made it miss is made up for at once.
const ticks = setInterval(() => {
  while (made.length * every < performance.now() - from) made.push(handshake());
}, every);

parentPort?.once("message", () => {
  clearInterval(ticks);
  const seconds = (performance.now() - from) / 1000;
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- to a thread, not to a window
  void Promise.all(made).then((seen) => parentPort?.postMessage({ seen, seconds }));
});
