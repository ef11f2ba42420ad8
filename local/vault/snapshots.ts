import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { replaceFile } from "./journal.ts";
import type { Access, KeptAccess } from "./access.ts";
import type { VaultSettings } from "./model.ts";
import { defaultSettings } from "./open.ts";
import type { Entry, OpenVault } from "./open.ts";
import { seal, unseal } from "./seal.ts";

/** States of all vaults, kept by name in the state folder, sealed like everything there. */
export interface Snapshots {
  /** Keeps what all vaults hold now, their settings and roles too; replaces an older one of that name. */
  readonly save: (name: string) => void;
  /** Makes the vaults hold what they held then. False: there is no such snapshot. Throws when it is damaged. */
  readonly restore: (name: string) => boolean;
  readonly list: () => readonly string[];
  readonly remove: (name: string) => boolean;
}

const ending = ".snapshot";

/** What a snapshot holds, sealed. */
interface Held {
  readonly vaults: Readonly<
    Record<string, { readonly entries: readonly Entry[]; readonly settings: Partial<VaultSettings> }>
  >;
  readonly access?: KeptAccess | undefined;
}

/** What snapshots are made of. */
export interface SnapshotParts {
  readonly stateDir: string;
  readonly key: Buffer;
  readonly access: Access | undefined;
  readonly vaults: () => readonly OpenVault[];
}

/** Names are letters, digits, `_` and `-`. */
export function createSnapshots({ stateDir, key, access, vaults }: SnapshotParts): Snapshots {
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
      const all = vaults().map(
        ({ vault, dump }) => [vault.name, { entries: dump(), settings: vault.settings }] as const,
      );
      const held: Held = { vaults: Object.fromEntries(all), access: access?.dump() };
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      replaceFile(path(name), seal(key, "snapshot", JSON.stringify(held)));
    },
    restore(name) {
      if (!list().includes(name)) return false;
      const text = unseal(key, "snapshot", readFileSync(path(name)));
      if (text === undefined) throw new Error(`${path(name)} is damaged, or was sealed with another key.`);
      const held = JSON.parse(text) as Held;
      for (const { vault, load } of vaults()) {
        const { entries, settings } = held.vaults[vault.name] ?? { entries: [], settings: {} };
        load(entries);
        Object.assign(vault.settings, defaultSettings, settings);
      }
      if (held.access) access?.load(held.access);
      return true;
    },
    remove(name) {
      if (!list().includes(name)) return false;
      rmSync(path(name));
      return true;
    },
  };
}
