// The Bicep compiler as one process that is asked over and over (`bicep jsonrpc`): it needs a second to start, and some
// milliseconds for a template after that.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { compilerPath, missing } from "./install.ts";

/** What the compiler or its linter has to say about a place in a file. Lines and characters count from 0. */
export interface Diagnostic {
  readonly source: string;
  readonly range: { readonly start: { readonly line: number; readonly char: number } };
  readonly level: "Info" | "Warning" | "Error";
  readonly code: string;
  readonly message: string;
}

/** A template's ARM JSON as text; none when it has errors. */
export interface Compiled {
  readonly success: boolean;
  readonly diagnostics: readonly Diagnostic[];
  readonly contents?: string;
}

/** A parameter file's values as ARM JSON, and the template that it is for. */
export interface CompiledParams {
  readonly success: boolean;
  readonly diagnostics: readonly Diagnostic[];
  readonly parameters?: string;
  readonly template?: string;
}

/** Where a snapshot is taken: what `subscription()`, `resourceGroup()` and the like then say. */
export interface Place {
  readonly tenantId?: string;
  readonly subscriptionId?: string;
  readonly resourceGroup?: string;
  readonly location?: string;
  readonly deploymentName?: string;
}

/** A running compiler. Paths are absolute; files are read anew at each call. */
export interface Compiler {
  compile(path: string): Promise<Compiled>;
  /** Parameters in `overrides` take the place of the file's own. */
  compileParams(path: string, overrides?: Readonly<Record<string, unknown>>): Promise<CompiledParams>;
  /** The resources that a deployment with the parameter file would make, as JSON text. Rejects with the compiler's sentence. */
  snapshot(path: string, place: Place): Promise<string>;
  /** The file as it should be written. */
  format(path: string): Promise<string>;
  close(): Promise<void>;
}

interface Reply {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

/** What stands in for azd's values, which parameter files read from the environment. */
export const samples = parseEnv(readFileSync(new URL("../../infra/sample.env", import.meta.url), "utf8"));

/**
 * Starts the compiler. It ends with `close`, or when this process does. Parameter files read `environment`, then this process's own, then
 * the samples. Throws with a sentence where there is no compiler.
 */
export function startCompiler(environment: NodeJS.Dict<string> = {}): Compiler {
  const why = missing();
  if (why !== undefined) throw new Error(why);
  const env = { ...samples, ...process.env, ...environment };
  const child = spawn(compilerPath(), ["jsonrpc", "--stdio"], { stdio: ["pipe", "pipe", "inherit"], env });
  const exit = once(child, "close");
  const waiting = new Map<number, (reply: Reply) => void>();
  let last = 0;
  // The first close rejects whatever still waits; nothing does after an orderly one.
  void exit.then(() => {
    for (const [id, tell] of waiting) tell({ id, error: { message: "the compiler ended without an answer" } });
  });

  let bytes = Buffer.alloc(0);
  child.stdout.on("data", (part: Buffer) => {
    bytes = Buffer.concat([bytes, part]);
    for (let message = take(); message !== undefined; message = take()) {
      const reply = JSON.parse(message) as Reply;
      waiting.get(reply.id)?.(reply);
      waiting.delete(reply.id);
    }
  });

  /** The next whole message: a header with its length, an empty line, its body. */
  function take(): string | undefined {
    const end = bytes.indexOf("\r\n\r\n");
    if (end < 0) return undefined;
    const length = Number(/Content-Length: *(\d+)/i.exec(bytes.toString("latin1", 0, end))![1]);
    if (bytes.length < end + 4 + length) return undefined;
    const body = bytes.toString("utf8", end + 4, end + 4 + length);
    bytes = bytes.subarray(end + 4 + length);
    return body;
  }

  async function ask<T>(method: string, params: Readonly<Record<string, unknown>>): Promise<T> {
    const id = ++last;
    const answer = new Promise<Reply>((tell) => waiting.set(id, tell));
    const body = Buffer.from(JSON.stringify({ jsonrpc: "2.0", id, method: `bicep/${method}`, params }));
    child.stdin.write(`Content-Length: ${body.length}\r\n\r\n`);
    child.stdin.write(body);
    const { result, error } = await answer;
    if (error) throw new Error(error.message);
    return result as T;
  }

  return {
    compile: (path) => ask("compile", { path }),
    compileParams: (path, overrides = {}) => ask("compileParams", { path, parameterOverrides: overrides }),
    async snapshot(path, place) {
      const { snapshot } = await ask<{ snapshot: string }>("getSnapshot", { path, metadata: place });
      return snapshot;
    },
    async format(path) {
      const { contents } = await ask<{ contents: string }>("format", { path });
      return contents;
    },
    async close() {
      child.stdin.end();
      await exit;
    },
  };
}
