import { PinionError } from "../errors.ts";
import type { Ports } from "../rotator.ts";
import type { Vault } from "./vault.ts";

/** Milliseconds for one request. */
const patience = 20_000;

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
    const signal = AbortSignal.timeout(patience);
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

/** Secrets that are themselves a target: read past every memory, written only on top of the version that was read. */
export function openTargetSecrets(
  vault: (uri: string) => Pick<Vault, "latest" | "write">,
): Pick<Ports, "newestSecret" | "writeSecret"> {
  const find = async (url: string) => {
    const { origin, pathname } = new URL(url);
    const [, , name = ""] = pathname.split("/");
    const newest = await vault(origin).latest(name, AbortSignal.timeout(patience));
    return { origin, name, newest };
  };
  return {
    async newestSecret(url) {
      const { version, value, tags } = (await find(url)).newest;
      return { version, value, tags };
    },
    async writeSecret(url, expectedVersion, value, tags = {}) {
      const { origin, name, newest } = await find(url);
      if (newest.version !== expectedVersion) {
        throw new PinionError(
          "OUT_OF_BAND_CHANGE",
          `Somebody else wrote version ${newest.version} of ${name}; nothing of it was overwritten: look at it, then start again.`,
        );
      }
      const next = {
        value,
        tags: { ...newest.tags, ...tags },
        ...(newest.contentType === undefined ? {} : { contentType: newest.contentType }),
        ...(newest.expiresOn === undefined ? {} : { expiresOn: newest.expiresOn }),
      };
      return (await vault(origin).write(name, next, AbortSignal.timeout(patience))).version;
    },
  };
}
