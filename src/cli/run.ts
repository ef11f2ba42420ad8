import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { PinionError } from "../errors.ts";
import { isSafeUrl } from "../policy-texts.ts";
import { authority, type Terminal } from "./terminal.ts";

export type { Terminal };

interface Command {
  readonly usage: string;
  readonly does: string;
  /** The request for the object and, where one is given, a file's text; undefined prints nothing more. */
  request(given: Given): Promise<Ask>;
  /** What of the reply is printed; default: all of it. */
  show?(reply: Readonly<Record<string, unknown>>): string;
}

interface Given {
  readonly id: string;
  readonly file: string | undefined;
  readonly reason: string | undefined;
  /** The object as the API shows it. */
  object(): Promise<Readonly<Record<string, unknown>>>;
}

interface Ask {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: unknown;
}

const get = (path: string): Ask => ({ method: "GET", path });
const rotationOf = async ({ object }: Given) => textOf((await object())["rotationId"]);
const because = ({ reason }: Pick<Given, "reason">) => (reason === undefined ? {} : { reason });

const order =
  (verb: "rollback" | "finish") =>
  async (given: Given): Promise<Ask> => ({
    method: "POST",
    path: `rotations/${given.id}/${verb}`,
    body: { rotationId: await rotationOf(given), ...because(given) },
  });

const commands: Readonly<Record<string, Command>> = {
  list: { usage: "list", does: "every object and where it stands", request: async () => get("rotations") },
  show: { usage: "show <object>", does: "one object", request: async ({ id }) => get(`rotations/${id}`) },
  start: {
    usage: "start <object> <version>",
    does: "rotate that version, which must be the current one",
    request: async ({ id, file: version, reason }) => ({
      method: "POST",
      path: `rotations/${id}/start`,
      body: { version, ...because({ reason }) },
    }),
  },
  rollback: { usage: "rollback <object>", does: "turn the running rotation back", request: order("rollback") },
  finish: { usage: "finish <object>", does: "end the grace of the running rotation", request: order("finish") },
  evidence: {
    usage: "evidence <rotation>",
    does: "what was proven, when, and who asked",
    request: async ({ id }) => get(`evidence/${id}`),
  },
  request: {
    usage: "request <object>",
    does: "the certificate request that waits, as PEM",
    request: async ({ id }) => get(`rotations/${id}/request`),
    show: (reply) => textOf(reply["request"]).trimEnd(),
  },
  merge: {
    usage: "merge <object> <chain.pem>",
    does: "bring the certificate for that request, the leaf first",
    request: async (given) => ({
      method: "POST",
      path: `rotations/${given.id}/certificate`,
      body: { rotationId: await rotationOf(given), chain: await readText(given.file), ...because(given) },
    }),
  },
};

/** Commands that are more than a request. Loaded when they are asked for: they take the SDKs, every rotator and consumer. */
const locals: Readonly<
  Record<
    string,
    Pick<Command, "usage" | "does"> & { run(args: readonly string[], terminal: Terminal): Promise<number> }
  >
> = {
  onboard: {
    usage: "onboard <policy> <vault>",
    does: "the parameters of infra/onboard.bicep for a vault of a policy",
    run: async (args, terminal) => await (await import("./onboard.ts")).onboard(args, terminal),
  },
  doctor: {
    usage: "doctor [--json]",
    does: "what keeps Pinion from rotating, and what to do",
    run: async (args, terminal) => await (await import("./doctor.ts")).doctor(args, terminal),
  },
};

const help = [
  "npm run pinion -- <command> [--url https://<app>/api] [--reason text]",
  "",
  ...[...Object.values(commands), ...Object.values(locals)].map(({ usage, does }) => `  ${usage.padEnd(28)}${does}`),
  "",
  "PINION_URL is the default of --url. PINION_TOKEN is an Entra token of somebody with a role in the app (az account get-access-token); PINION_KEY a",
  "function key, for an app without App Service authentication.",
].join("\n");

/** Runs one command; resolves with the exit code: 0 done, 1 the API refused, 2 the command was not understood. */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  const [first = ""] = args;
  const local = Object.hasOwn(locals, first) ? locals[first] : undefined;
  if (local !== undefined) return await local.run(args.slice(1), terminal);
  const parsed = parse(args);
  const [name = "help", id = "", file] = parsed?.positionals ?? [];
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (parsed === undefined || command === undefined || (name !== "list" && !/^[a-z0-9][a-z0-9-]{0,62}$/.test(id))) {
    terminal.err(help);
    return name === "help" && parsed !== undefined ? 0 : 2;
  }
  const { url = terminal.env["PINION_URL"], reason } = parsed.values;
  if (url === undefined || !isSafeUrl(url)) {
    terminal.err(
      "Say where Pinion is: --url or PINION_URL, an https URL that ends in /api (http only on this machine).",
    );
    return 2;
  }
  const send = async ({ method, path, body }: Ask): Promise<Readonly<Record<string, unknown>>> => {
    const reply = await fetch(`${url.replace(/\/+$/, "")}/${path}`, {
      method,
      redirect: "error",
      headers: { "content-type": "application/json", ...authority(terminal.env) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const json = (await reply.json().catch(() => ({}))) as Record<string, unknown>;
    if (!reply.ok) throw new PinionError("CONFLICT", textOf(json["detail"]) || `The API answered ${reply.status}.`);
    return json;
  };
  try {
    const ask = await command.request({ id, file, reason, object: async () => await send(get(`rotations/${id}`)) });
    const reply = await send(ask);
    terminal.out(command.show?.(reply) ?? JSON.stringify(reply, null, 2));
    return 0;
  } catch (error) {
    terminal.err(error instanceof PinionError ? error.message : `${name} could not be done: ${wordsOf(error)}`);
    return 1;
  }
}

function parse(args: readonly string[]) {
  try {
    const options = { url: { type: "string" }, reason: { type: "string" } } as const;
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch {
    return undefined;
  }
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

async function readText(file: string | undefined): Promise<string> {
  if (file === undefined)
    throw new PinionError("BAD_REQUEST", "Name the file with the certificate chain: merge <object> <chain.pem>.");
  return await readFile(file, "utf8");
}

/** The cause names host and port; a fetch error by itself says nothing. */
function wordsOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message : "unknown";
}
