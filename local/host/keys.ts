import { randomBytes, timingSafeEqual, createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The host's keys. `master` opens everything. */
export interface Keys {
  readonly master: string;
  /** The host's default key for functions. */
  readonly function: string;
  /** One for each extension that answers at `/runtime/webhooks/<extension>`. */
  readonly system: { readonly eventgrid_extension: string; readonly durabletask_extension: string };
}

/** Reads `keys.json` of the state folder, making it (mode 0600) at the first start. */
export function openKeys(state: string): Keys {
  const file = join(state, "keys.json");
  if (existsSync(file)) return JSON.parse(readFileSync(file, "utf8")) as Keys;
  const key = () => randomBytes(32).toString("base64url");
  const keys: Keys = {
    master: key(),
    function: key(),
    system: { eventgrid_extension: key(), durabletask_extension: key() },
  };
  mkdirSync(state, { recursive: true });
  const temporary = `${file}.${process.pid}.new`;
  writeFileSync(temporary, `${JSON.stringify(keys, null, 2)}\n`, { mode: 0o600 });
  renameSync(temporary, file);
  return keys;
}

/**
 * Whether a request carries one of `accepted`: the `x-functions-key` header or, without one, `?code=`. The comparison takes the
 * same time for every wrong key.
 */
export function hasKey(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  query: URLSearchParams,
  accepted: readonly string[],
): boolean {
  const header = headers["x-functions-key"];
  const given = typeof header === "string" ? header : query.get("code");
  if (!given) return false;
  return accepted.map((key) => timingSafeEqual(digest(given), digest(key))).includes(true);
}

/** Digests have one length, which the comparison needs. */
function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
