import type { Ports } from "../rotator.ts";
import type { Vault } from "./vault.ts";

/** Milliseconds of process time, so that neither a moved nor a wrong wall clock lengthens it. */
const lifetime = 60_000;

/**
 * What rotators read secrets through: by full URL, the newest version unless one is named. Each connection of a rotation needs
 * the administrator's password, so it stays in this process's memory for a minute; `fresh` asks the vault.
 */
export function openSecretPort(
  vault: (uri: string) => Pick<Vault, "latest" | "value">,
  now: () => number = () => performance.now(),
): Ports["secret"] {
  const known = new Map<string, { readonly value: string; readonly at: number }>();
  const read = async (url: string): Promise<string> => {
    const { origin, pathname } = new URL(url);
    const [, , name = "", version] = pathname.split("/");
    const signal = AbortSignal.timeout(20_000);
    if (version !== undefined && version !== "") return await vault(origin).value(name, version, signal);
    return (await vault(origin).latest(name, signal)).value;
  };
  return async (url, { fresh = false } = {}) => {
    for (const [other, { at }] of known) if (now() - at >= lifetime) known.delete(other);
    const found = known.get(url);
    if (found !== undefined && !fresh) return found.value;
    known.delete(url);
    const value = await read(url);
    known.set(url, { value, at: now() });
    return value;
  };
}
