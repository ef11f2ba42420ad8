// node --import ./local/clock-preload.ts local/host/main.ts --app <folder> --state <folder> [--port 0] [--settings <file>] [--queue-lock <seconds>]
//
// Runs a Functions app. One line on standard output says that it is ready; all log lines go to standard error, one each:
// level, function, message. PINION_CLOCK, when set, must be an absolute path, because the app's folder becomes the current one.
import { Console } from "node:console";
import { resolve } from "node:path";
import { Writable } from "node:stream";
import { parseArgs } from "node:util";
import type { AppLog } from "./app.ts";
import type { LogLevel } from "./core.ts";
import { startHost } from "./host.ts";

const { values } = parseArgs({
  options: {
    app: { type: "string", default: "dist/app" },
    state: { type: "string" },
    port: { type: "string", default: "0" },
    settings: { type: "string" },
    "queue-lock": { type: "string" },
  },
});

const log: AppLog = (level, source, message) => {
  if (level === "trace" || level === "debug") return;
  process.stderr.write(`${level} ${source} ${message.replaceAll(/\r?\n|\r/g, String.raw`\n`)}\n`);
};

// Standard output belongs to the line that says ready; what the app prints is a log line, as it is to the real host.
globalThis.console = new Console(printed("information"), printed("warning"));

process.on("unhandledRejection", (reason) => fail("The app left a rejected promise unhandled", reason));
process.on("uncaughtException", (error) => fail("The app threw outside of any function", error));

try {
  if (values.state === undefined) throw new Error("--state <folder> is missing: where keys and timers are kept.");
  const options = {
    app: resolve(values.app),
    state: resolve(values.state),
    port: Number(values.port),
    ...(values.settings !== undefined && { settings: resolve(values.settings) }),
    ...(values["queue-lock"] !== undefined && { queueLockSeconds: Number(values["queue-lock"]) }),
  };
  // As the real worker: relative paths in the app start at its folder.
  process.chdir(options.app);
  const host = await startHost({ ...options, clock: { now: () => Date.now() }, env: process.env, log });
  let stopping = false;
  const stop = () => {
    if (stopping) return;
    stopping = true;
    host.stop().then(
      () => process.exit(0),
      (error: unknown) => fail("The host could not stop", error),
    );
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  process.stdout.write(`${JSON.stringify({ ready: true, url: host.url, functions: host.functions })}\n`);
} catch (error) {
  fail("The app could not be started", error);
}

function printed(level: LogLevel): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      log(level, "-", chunk.toString().trimEnd());
      done();
    },
  });
}

/** One sentence, then the stack, then the end. */
function fail(sentence: string, error: unknown): never {
  const { message, stack = "" } = error instanceof Error ? error : new Error(String(error));
  process.stderr.write(`${sentence}: ${message}\n${stack}\n`);
  process.exit(1);
}
