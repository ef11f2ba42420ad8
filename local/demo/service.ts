// A small HTTP service, as a team would have it: it is given its database credential once, at its start, and opens a new connection
// for every request. It never asks for the credential again and never retries. Spawned by services.ts over IPC.
import { createServer } from "node:http";
import { Client } from "pg";
import type { FromService, ToService } from "./messages.ts";

/** A parent that is gone, or has ended this instance, is told nothing. */
const tell = (message: FromService): void => {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
};
/** Real time in milliseconds, which a moved cloud clock does not touch. */
const realNow = (): number => performance.timeOrigin + performance.now();

let server: ReturnType<typeof createServer> | undefined;
let beat: NodeJS.Timeout | undefined;
let inFlight = 0;
let made = 0;
let failed = 0;
let healthy = false;
let lastCode = "";

// Its supervisor is gone, by `kill -9` too, or has no more need of it.
process.once("disconnect", () => process.exit());
process.on("message", (message: ToService) => {
  if (message.kind === "start") start(message);
  else if (message.kind === "drain") drain();
  else stop();
});

function start({ port, database, perSecond, unhealthy, version }: Extract<ToService, { kind: "start" }>): void {
  beat = setInterval(() => void login(database), 1000 / perSecond);
  server = createServer((_request, reply) => {
    const well = healthy && !unhealthy;
    reply.writeHead(well ? 200 : 503, { "content-type": "application/json" });
    reply.end(JSON.stringify({ service: "ok", version, database: well ? "ok" : `failing ${lastCode}`, logins: made }));
  });
  server.listen(port, "127.0.0.1", () => tell({ kind: "listening" }));
  setInterval(report, 100).unref();
}

async function login(database: Extract<ToService, { kind: "start" }>["database"]): Promise<void> {
  // A machine that cannot keep up makes fewer logins, not more at once.
  if (inFlight >= 8) return;
  inFlight += 1;
  const client = new Client({ ...database, application_name: "orders-api", connectionTimeoutMillis: 10_000 });
  client.on("error", () => undefined);
  try {
    await client.connect();
    await client.query("SELECT item FROM app.orders LIMIT 1");
    made += 1;
    if (!healthy) tell({ kind: "login", ok: true, at: realNow() });
    healthy = true;
  } catch (error) {
    made += 1;
    failed += 1;
    lastCode = error instanceof Error && "code" in error ? String(error.code) : "";
    if (healthy || failed === 1) tell({ kind: "login", ok: false, at: realNow() });
    healthy = false;
  } finally {
    inFlight -= 1;
    await client.end().catch(() => undefined);
  }
}

/** Takes no more requests, but goes on using what it was given, as an instance does that is being replaced slowly. */
function drain(): void {
  server?.close(() => tell({ kind: "drained" }));
  server?.closeAllConnections();
}

function stop(): void {
  clearInterval(beat);
  server?.close();
  const wait = setInterval(() => {
    if (inFlight > 0) return;
    clearInterval(wait);
    report();
    process.disconnect();
  }, 5);
}

function report(): void {
  tell({ kind: "count", made, failed });
}
