import type { Clock } from "../clock.ts";
import type { Tls } from "../tls.ts";
import type { Access } from "./access.ts";
import type { Authorize, VaultEvent, VaultOptions } from "./model.ts";

/** Where the vaults live and whom they talk to. */
export interface VaultsOptions {
  readonly clock: Clock;
  /** Folder for `<vault>.journal` (all values sealed) and `ports.json`. */
  readonly stateDir: string;
  /** 32 bytes that seal the values; absent: `sealingKey()`. */
  readonly key?: Buffer;
  readonly tls: Pick<Tls, "cert" | "key">;
  readonly vaults: readonly VaultOptions[];
  /** Absent: any bearer token is taken. */
  readonly authorize?: Authorize;
  /** The roles and access policies that `authorize` goes by, for the controls. */
  readonly access?: Access;
  /** What the challenge names: `https://login.windows.net/<tenant id>`. */
  readonly authority?: string;
  /** Takes each event over; called again a second later when it rejects, and after a kill. */
  readonly onEvent?: (event: VaultEvent) => void | Promise<void>;
  /** Instant (ms) of the event subscription: only versions created from then on make events. Absent: none do. */
  readonly subscribedSince?: number;
  /** Real milliseconds between two looks at the clock (50). */
  readonly tickMs?: number;
  /** Real milliseconds in which a request must have come whole (30,000). */
  readonly requestTimeoutMs?: number;
}

/** The sentence that says why Azure has no vault of this name; undefined: it may. */
export function nameFault(name: string): string | undefined {
  if (!/^[0-9a-zA-Z-]*$/.test(name)) return `${name} is no name of a vault: only letters, digits and hyphens are.`;
  if (name.length < 3 || name.length > 24) {
    return `${name} is no name of a vault: it has ${name.length} characters, Azure takes 3 to 24.`;
  }
  if (!/^[a-zA-Z]/.test(name)) return `${name} is no name of a vault: it must begin with a letter.`;
  if (name.endsWith("-")) return `${name} is no name of a vault: it must end with a letter or a digit.`;
  if (name.includes("--")) return `${name} is no name of a vault: it has two hyphens in a row.`;
  return undefined;
}

/** Throws a RangeError on vaults that Azure would not make. */
export function checkVaults(vaults: readonly VaultOptions[]): void {
  const seen = new Set<string>();
  for (const { name, retentionDays = 90 } of vaults) {
    const fault = nameFault(name);
    if (fault !== undefined) throw new RangeError(fault);
    if (seen.has(name.toLowerCase())) throw new RangeError(`There are two vaults ${name}.`);
    seen.add(name.toLowerCase());
    if (!Number.isInteger(retentionDays) || retentionDays < 7 || retentionDays > 90) {
      throw new RangeError(`The retention of vault ${name} must be 7 to 90 days.`);
    }
  }
}
