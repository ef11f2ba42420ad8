import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { PinionError } from "../../src/errors.ts";

/** What the command line of `npm run dev` asks for. */
export interface DevOptions {
  /** The vault's origin. */
  readonly vault: string;
  readonly policy: string | undefined;
  /** Of the vault; undefined: it is looked up. */
  readonly resourceId: string | undefined;
  /** Of the API on 127.0.0.1; 0: a free one. */
  readonly port: number;
  readonly dir: string;
  /** End after the table. */
  readonly once: boolean;
}

export const usage = `npm run dev -- --vault https://<name>.vault.azure.net [options]: Pinion on this machine against a real development vault,
with the identity of \`az login\`. It only observes: nothing can be rotated.

  --policy FILE         a policy; only its objects in that vault are looked at, and they are only observed. Without it, one is made
                        of the vault's secrets (names and expiry; no value is read)
  --resource-id ID      the vault's ARM id, where az may not see its subscription
  --port N              of the API on 127.0.0.1 (0: a free one)
  --dir DIR             where storage, keys and logs are kept (.pinion/dev)
  --once                say what is due, and end
  --help                this`;

/** Reads the command line; `BAD_REQUEST` says what is wrong with it. */
export function parseOptions(args: readonly string[]): DevOptions {
  const { vault, port, policy, dir, once, "resource-id": resourceId } = read(args);
  if (vault === undefined)
    throw new PinionError("BAD_REQUEST", `--vault is missing: whose secrets are to be looked at.\n\n${usage}`);
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) throw new PinionError("BAD_REQUEST", "--port is 0 to 65535.");
  return {
    vault: originOf(vault),
    policy: policy === undefined ? undefined : resolve(policy),
    resourceId,
    port: Number(port),
    dir: resolve(dir),
    once,
  };
}

function read(args: readonly string[]) {
  const text = { type: "string" } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        vault: text,
        policy: text,
        "resource-id": text,
        port: { type: "string", default: "0" },
        dir: { type: "string", default: ".pinion/dev" },
        once: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    throw new PinionError("BAD_REQUEST", `${error instanceof Error ? error.message : "?"}\n\n${usage}`);
  }
}

function originOf(vault: string): string {
  const address = "--vault is the vault's address: https://<name>.vault.azure.net, without a path.";
  if (!URL.canParse(vault)) throw new PinionError("BAD_REQUEST", address);
  const { protocol, username, password, pathname, search, hash, origin } = new URL(vault);
  if (protocol !== "https:")
    throw new PinionError("BAD_REQUEST", `${address} It must be https: a token would travel openly.`);
  if (`${username}${password}${search}${hash}` !== "" || pathname !== "/")
    throw new PinionError("BAD_REQUEST", address);
  return origin;
}
