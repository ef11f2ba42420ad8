import type { Server } from "node:https";
import type { Socket } from "node:net";

/** How a fault ends a connection: closed, or reset as by a machine that went down. */
export type Cut = "drop" | "reset";

/** Makes what ends connections of the server. */
export function createCutter(server: Server): (socket: Socket, how: Cut) => void {
  /** What lies below TLS, by the peer's port: a TLS socket of Node cannot be reset itself. */
  const raw = new Map<number, Socket>();
  server.on("connection", (below) => {
    const socket = below as Socket;
    const port = socket.remotePort ?? 0;
    raw.set(port, socket);
    socket.once("close", () => raw.delete(port));
  });
  return (socket, how) => {
    if (how === "reset") raw.get(socket.remotePort ?? 0)?.resetAndDestroy();
    socket.destroy();
  };
}
