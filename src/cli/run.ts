import { readFile } from "node:fs/promises";
import { PinionError } from "../errors.ts";
import { isSafeUrl } from "../policy-texts.ts";
import { notPinion, ofAnswer, ofConnection } from "./failures.ts";
import { authority, readArguments, type Terminal } from "./terminal.ts";

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
  "PINION_URL is the default of --url; `npm start` prints that of the Pinion on this machine.",
  "PINION_TOKEN is an Entra token of somebody with a role in the app (az account get-access-token),",
  "PINION_KEY a function key, for an app without App Service authentication.",
  "Exit codes: 0 done, 1 refused or not reached, 2 not understood.",
].join("\n");

const options = { url: { type: "string" }, reason: { type: "string" } } as const;

/** Runs one command; resolves with the exit code: 0 done, 1 the API refused, 2 the command was not understood. */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  const [first = ""] = args;
  const local = Object.hasOwn(locals, first) ? locals[first] : undefined;
  if (local !== undefined) return await local.run(args.slice(1), terminal);
  const read = readArguments(args, options, help, terminal);
  if (!read.understood) return read.code;
  const [name = "help", ...words] = read.words;
  if (name === "help") {
    terminal.out(help);
    return 0;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  const fault = command === undefined ? `There is no command ${name}.\n\n${help}` : faultOf(command, words);
  if (command === undefined || fault !== undefined) {
    terminal.err(fault ?? help);
    return 2;
  }
  const url = (read.values.url ?? terminal.env["PINION_URL"])?.replace(/\/+$/, "");
  if (url === undefined || !isSafeUrl(url)) {
    terminal.err(
      `Say where Pinion is: --url or PINION_URL, an https URL that ends in /api (http only on this machine)${url === undefined ? "" : `; ${url} is none`}.`,
    );
    return 2;
  }
  const [id = "", file] = words;
  const send = sender(url, terminal);
  try {
    const { reason } = read.values;
    const ask = await command.request({ id, file, reason, object: async () => await send(get(`rotations/${id}`)) });
    const reply = await send(ask);
    terminal.out(command.show?.(reply) ?? JSON.stringify(reply, null, 2));
    return 0;
  } catch (error) {
    terminal.err(
      error instanceof PinionError
        ? error.message
        : `${name} could not be done: ${error instanceof Error ? error.message : "unknown"}`,
    );
    return 1;
  }
}

/** What is wrong with the words after a command, or undefined. */
function faultOf({ usage }: Command, words: readonly string[]): string | undefined {
  const wanted = usage.match(/<[^>]+>/g) ?? [];
  const line = `npm run pinion -- ${usage}`;
  if (words.length < wanted.length) return `${wanted[words.length]} is missing: ${line}`;
  if (words.length > wanted.length) return `${words[wanted.length]} is one word too many: ${line}`;
  const [id] = words;
  if (id !== undefined && !/^[a-z0-9][a-z0-9-]{0,62}$/.test(id))
    return `${id} cannot be ${wanted[0]}: it has lower-case letters, digits and hyphens. \`npm run pinion -- list\` has them all.`;
  return undefined;
}

/** Sends a request, and resolves with the reply; rejects with what its reader is to do. */
function sender(url: string, { env }: Terminal): (ask: Ask) => Promise<Readonly<Record<string, unknown>>> {
  return async ({ method, path, body }) => {
    const request = {
      method,
      redirect: "error",
      headers: { "content-type": "application/json", ...authority(env) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    } as const;
    const reply = await fetch(`${url}/${path}`, request).catch((error: unknown) => {
      throw new PinionError("CONFLICT", ofConnection(error, url));
    });
    const json = (await reply.json().catch(() => undefined)) as Record<string, unknown> | undefined;
    if (!reply.ok) throw new PinionError("CONFLICT", ofAnswer(reply.status, url, textOf(json?.["detail"])));
    if (json === undefined) throw new PinionError("CONFLICT", notPinion(url));
    return json;
  };
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

async function readText(file = ""): Promise<string> {
  return await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new PinionError(
      "BAD_REQUEST",
      `${file} cannot be read (${error.code}): name the file with the certificate chain, the leaf first.`,
    );
  });
}
