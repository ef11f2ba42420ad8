import { fork } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { appSettings } from "../../../local/cloud/app-host.ts";
import { type Edge, startEdge } from "../edge/index.ts";
import { builtApp, type World } from "../world.ts";

/** A second process of the app, behind an edge of its own, that runs single activities. */
export interface Second {
  readonly edge: Edge;
  /** Resolves with the activity's reply, however late. */
  invoke(name: string, input: unknown): Promise<unknown>;
  close(): Promise<void>;
}

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export async function openSecond({ cloud, edge: first }: World, app: string = builtApp): Promise<Second> {
  const edge = await startEdge(cloud, { as: first });
  const redirect = Object.fromEntries([...first.ports].map(([name, port]) => [port, edge.ports.get(name)]));
  const preload = [
    "../../../local/clock-preload.ts",
    "./deadline.ts",
    "./redirect.ts",
    "../../../local/exit-with-parent.ts",
  ];
  const child = fork(here("./process.ts"), [app], {
    execArgv: preload.flatMap((file) => ["--import", here(file)]),
    env: {
      PATH: process.env["PATH"],
      ...appSettings(cloud),
      ...first.env,
      PINION_CLOCK: cloud.clockFile,
      PINION_REDIRECT: JSON.stringify(redirect),
    },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  const log = createWriteStream(join(cloud.dir, "second.log"), { flags: "a" });
  child.stdout?.pipe(log, { end: false });
  child.stderr?.pipe(log, { end: false });
  await once(child, "message");
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  let last = 0;
  child.on("message", (message: { id: number; reply?: string | null; error?: string }) => {
    const { id, reply, error } = message;
    if (error === undefined) waiting.get(id)?.resolve(reply == null ? null : JSON.parse(reply));
    else waiting.get(id)?.reject(new Error(error));
    waiting.delete(id);
  });
  return {
    edge,
    invoke(name, input) {
      const answer = Promise.withResolvers<unknown>();
      waiting.set(++last, answer);
      child.send({ id: last, name, input: JSON.stringify(input) });
      return answer.promise;
    },
    async close() {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
      await edge.close();
    },
  };
}
