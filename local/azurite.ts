import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { pathToFileURL } from "node:url";
import { dirname, join } from "node:path";

/** Storage for the local cloud. The account is Azurite's well-known `devstoreaccount1`, whose key is public. */
export interface Azurite {
  readonly connectionString: string;
  /** `http://127.0.0.1:<port>/devstoreaccount1`; likewise for queues and tables. */
  readonly blobUrl: string;
  readonly queueUrl: string;
  readonly tableUrl: string;
  readonly pid: number;
  /** Writes everything to disk, ends the process and waits for its end. */
  readonly stop: () => Promise<void>;
}

/** Where Azurite keeps its data and which ports it takes. */
export interface AzuriteOptions {
  /** Folder for the data; absent: in memory. */
  readonly dir?: string;
  /** File of the cloud's clock, so that leases and visibility follow it; absent: real time. */
  readonly clockFile?: string;
  /** Ports on 127.0.0.1; absent or 0: the system picks free ones. */
  readonly blobPort?: number;
  readonly queuePort?: number;
  readonly tablePort?: number;
  /** PEM files, for HTTPS: then it takes Entra tokens as well (issuer, audience and time are checked, signature and rights are not). */
  readonly tls?: { readonly certFile: string; readonly keyFile: string };
}

const account = "devstoreaccount1";
/** Azurite's published key; see its README, "Default Storage Account". */
const accountKey = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const startTimeout = 30_000;

/**
 * Starts Azurite in a process of its own and resolves once its three services listen. It ends with this process, however
 * that dies. Rejects with Azurite's own words when it cannot start (port taken, folder not writable).
 */
export async function startAzurite(options: AzuriteOptions = {}): Promise<Azurite> {
  const child = launch(options);
  const [blob, queue, table] = await ports(child);
  const protocol = options.tls === undefined ? "http" : "https";
  const url = (port: number) => `${protocol}://127.0.0.1:${port}/${account}`;
  const [blobUrl, queueUrl, tableUrl] = [url(blob), url(queue), url(table)];
  return {
    connectionString: [
      `DefaultEndpointsProtocol=${protocol}`,
      `AccountName=${account}`,
      `AccountKey=${accountKey}`,
      `BlobEndpoint=${blobUrl}`,
      `QueueEndpoint=${queueUrl}`,
      `TableEndpoint=${tableUrl}`,
      "",
    ].join(";"),
    blobUrl,
    queueUrl,
    tableUrl,
    pid: child.pid!,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}

function launch(options: AzuriteOptions): ChildProcess {
  const entry = join(dirname(createRequire(import.meta.url).resolve("azurite/package.json")), "dist/src/azurite.js");
  const preload = (name: string) => ["--import", pathToFileURL(join(import.meta.dirname, name)).href];
  const where = options.dir === undefined ? ["--inMemoryPersistence"] : ["--location", options.dir];
  const services = [
    ["blob", options.blobPort],
    ["queue", options.queuePort],
    ["table", options.tablePort],
  ] as const;
  const listen = services.flatMap(([name, port]) => [`--${name}Host`, "127.0.0.1", `--${name}Port`, String(port ?? 0)]);
  const { tls } = options;
  const secure = tls === undefined ? [] : ["--cert", tls.certFile, "--key", tls.keyFile, "--oauth", "basic"];
  return spawn(
    process.execPath,
    [
      ...preload("clock-preload.ts"),
      ...preload("exit-with-parent.ts"),
      entry,
      ...where,
      ...listen,
      ...secure,
      "--skipApiVersionCheck",
      "--disableTelemetry",
      "--silent",
    ],
    {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      // Ctrl+C reaches a whole process group; storage has to outlive what writes to it, so it gets a group of its own.
      detached: process.platform !== "win32",
      windowsHide: true,
      env: { ...process.env, PINION_CLOCK: options.clockFile ?? "" },
    },
  );
}

/** Azurite names the ports that it really took on its standard output, so none has to be guessed. */
async function ports(child: ChildProcess): Promise<[blob: number, queue: number, table: number]> {
  const found: Record<string, number> = {};
  const said: string[] = [];
  const stdout: Readable = child.stdout!;
  child.stderr!.on("data", (chunk: Buffer) => said.push(chunk.toString()));
  const failure = Promise.race([
    once(child, "exit").then(([code]) => `ended with code ${String(code)}`),
    once(child, "error").then(([error]) => String(error)),
  ]).then((why) => {
    throw new Error(`Azurite did not start: ${why}. ${said.join("").trim()}`);
  });
  failure.catch(() => {});
  const listening = (async () => {
    for await (const line of createInterface({ input: stdout })) {
      said.push(`${line}\n`);
      const match =
        /Azurite (Blob|Queue|Table) service is successfully listening at https?:\/\/127\.0\.0\.1:(\d+)/.exec(line);
      if (match) found[match[1]!] = Number(match[2]);
      if (found["Table"] !== undefined) break;
    }
    stdout.resume();
  })();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`Azurite did not start in ${startTimeout} ms. ${said.join("")}`)),
      startTimeout,
    );
  });
  try {
    await Promise.race([listening, failure, late]);
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  } finally {
    clearTimeout(timer);
  }
  if (!found["Blob"] || !found["Queue"] || !found["Table"]) await failure;
  return [found["Blob"]!, found["Queue"]!, found["Table"]!];
}
