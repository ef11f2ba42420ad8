import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { replaceFile } from "./journal.ts";
import type { Entry, OpenVault } from "./open.ts";
import { seal, unseal } from "./seal.ts";

/** States of all vaults, kept by name in the state folder, sealed like everything there. */
export interface Snapshots {
  /** Keeps what all vaults hold now; replaces an older one of that name. */
  readonly save: (name: string) => void;
  /** Makes the vaults hold what they held then. False: there is no such snapshot. Throws when it is damaged. */
  readonly restore: (name: string) => boolean;
  readonly list: () => readonly string[];
  readonly remove: (name: string) => boolean;
}

const ending = ".snapshot";

/** `vaults` is asked anew each time; `name`s are letters, digits and hyphens. */
export function createSnapshots(stateDir: string, key: Buffer, vaults: () => readonly OpenVault[]): Snapshots {
  const folder = join(stateDir, "snapshots");
  const path = (name: string) => join(folder, `${name}${ending}`);
  const list = () =>
    existsSync(folder)
      ? readdirSync(folder)
          .filter((file) => file.endsWith(ending))
          .map((file) => file.slice(0, -ending.length))
          .sort()
      : [];
  return {
    list,
    save(name) {
      const held = Object.fromEntries(vaults().map(({ vault, dump }) => [vault.name, dump()]));
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      replaceFile(path(name), seal(key, "snapshot", JSON.stringify(held)));
    },
    restore(name) {
      if (!list().includes(name)) return false;
      const text = unseal(key, "snapshot", readFileSync(path(name)));
      if (text === undefined) throw new Error(`${path(name)} is damaged, or was sealed with another key.`);
      const held = new Map(Object.entries(JSON.parse(text) as Record<string, readonly Entry[]>));
      for (const { vault, load } of vaults()) load(held.get(vault.name) ?? []);
      return true;
    },
    remove(name) {
      if (!list().includes(name)) return false;
      rmSync(path(name));
      return true;
    },
  };
}
