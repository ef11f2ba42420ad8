import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { IncomingMessage } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { builtApp } from "../world.ts";

/** An activity at the moment when the host runs it, or has run it. */
export interface Turn {
  readonly name: string;
  readonly input: unknown;
  /** Only after it ran. */
  readonly result?: unknown;
}

/** Stops every activity of the host before it runs, and tells of its result. */
export interface Turnstile {
  /** A folder that is the app with hooks around its activities; the bundle itself is untouched. */
  readonly app: string;
  readonly env: Readonly<Record<string, string>>;
  /** The activity runs when this resolves. */
  before(turn: (at: Turn) => Promise<void> | void): void;
  after(turn: (at: Turn) => Promise<void> | void): void;
  close(): Promise<void>;
}

const wrapper = (bundle: string) => `
import { createRequire } from "node:module";
await import(${JSON.stringify(bundle)});
const core = createRequire(import.meta.url)("@azure/functions-core");
const tell = async (when, context) => {
  const { functionName, options } = context.invocationContext;
  if (options.trigger.type !== "activityTrigger") return;
  const body = JSON.stringify({ when, name: functionName, input: context.inputs[0], result: context.result });
  await fetch(process.env.PINION_TURNSTILE, { method: "POST", body });
};
core.registerHook("preInvocation", (context) => tell("before", context));
core.registerHook("postInvocation", (context) => tell("after", context));
`;

/** Functions hooks (preInvocation, postInvocation) ask a server of this process. */
export async function openTurnstile(app: string = builtApp): Promise<Turnstile> {
  let before: (at: Turn) => Promise<void> | void = () => undefined;
  let after: (at: Turn) => Promise<void> | void = () => undefined;
  const server = createServer((request, response) => {
    void (async () => {
      const { when, ...turn } = JSON.parse(await read(request)) as Turn & { when: "before" | "after" };
      await (when === "before" ? before : after)(turn);
      response.end();
    })();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const folder = mkdtempSync(join(tmpdir(), "pinion-turnstile-"));
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(app, "host.json"), join(folder, "host.json"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module", main: "main.mjs" }));
  writeFileSync(join(folder, "main.mjs"), wrapper(pathToFileURL(join(app, "main.mjs")).href));
  return {
    app: folder,
    env: { PINION_TURNSTILE: `http://127.0.0.1:${(server.address() as AddressInfo).port}` },
    before: (turn) => void (before = turn),
    after: (turn) => void (after = turn),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}
