import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Socket } from "node:net";

/** What to do with the n-th message from a rotator to its target. */
export interface EdgeFault {
  /** 1 is the first message after `arm`. */
  readonly call: number;
  /**
   * `before`: the message never arrives; `after`: the target does the work, its reply never arrives; in both the connection
   * breaks. `freeze`: the message waits until `release`.
   */
  readonly how: "before" | "after" | "freeze";
}

/** A TCP proxy on 127.0.0.1 between a rotator and its target: it counts messages, and breaks or freezes one of them. */
export interface Edge {
  readonly port: number;
  /** Messages from the rotator since the last `arm`. */
  readonly calls: () => number;
  /** Starts counting anew; with a fault, it strikes once. Resolves when it has struck. */
  readonly arm: (fault?: EdgeFault) => Promise<void>;
  /** Lets the frozen message go on. */
  readonly release: () => void;
  readonly close: () => Promise<void>;
}

/** One chunk is one message here: a client of a request-reply protocol writes each request at once and waits for the reply. */
export async function startEdge(targetPort: number): Promise<Edge> {
  let calls = 0;
  let fault: EdgeFault | undefined;
  let struck = Promise.withResolvers<void>();
  let release = () => {};
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const target = connect(targetPort, "127.0.0.1");
    const destroy = () => {
      client.destroy();
      target.destroy();
    };
    for (const socket of [client, target]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", destroy).on("close", () => {
        sockets.delete(socket);
        // What is still on its way out is delivered first.
        const other = socket === client ? target : client;
        other.end();
      });
    }
    let mute = false;
    target.on("data", (chunk) => {
      if (mute) return destroy();
      return client.write(chunk);
    });
    client.on("data", (chunk) => {
      calls += 1;
      if (fault?.call !== calls) return target.write(chunk);
      const { how } = fault;
      fault = undefined;
      if (how === "before") destroy();
      if (how === "after") {
        mute = true;
        target.once("close", destroy);
        target.write(chunk);
      }
      if (how === "freeze") {
        client.pause();
        release = () => {
          target.write(chunk);
          client.resume();
        };
      }
      return struck.resolve();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("A TCP server has no port.");
  return {
    port: address.port,
    calls: () => calls,
    arm(next) {
      calls = 0;
      fault = next;
      struck = Promise.withResolvers<void>();
      return struck.promise;
    },
    release: () => release(),
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
