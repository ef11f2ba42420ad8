// `node --import <this file>`: connections to a port that PINION_REDIRECT names go to another one. So a second process has the very
// settings of the first, and yet an edge of its own.
import { Socket } from "node:net";

type Connect = (this: Socket, ...args: unknown[]) => Socket;

const ports = new Map(
  Object.entries(JSON.parse(process.env["PINION_REDIRECT"] ?? "{}") as Record<string, number>).map(([from, to]) => [
    Number(from),
    to,
  ]),
);
const redirected = (port: unknown): unknown => ports.get(Number(port)) ?? port;
const hasPort = (value: unknown): value is { port: unknown } =>
  typeof value === "object" && value !== null && "port" in value;

const connect = Socket.prototype.connect as Connect;
Socket.prototype.connect = function (this: Socket, ...args: unknown[]) {
  const [first] = args;
  // Node's own callers hand over a list of options and callback.
  if (Array.isArray(first) && hasPort(first[0])) first[0] = { ...first[0], port: redirected(first[0].port) };
  else if (hasPort(first)) args[0] = { ...first, port: redirected(first.port) };
  else if (typeof first === "number") args[0] = redirected(first);
  return connect.apply(this, args);
};
