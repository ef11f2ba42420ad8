import { randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import type { Clock } from "../clock.ts";
import type { Need } from "./actions.ts";
import { replaceFile } from "./journal.ts";
import { findRole, permits, roleNamed } from "./roles.ts";

/** A role that an identity holds at a scope. */
export interface Assignment {
  readonly id: string;
  /** The identity's object id. */
  readonly principalId: string;
  /** A role's name or id, as `findRole` takes it. */
  readonly role: string;
  /** ARM id of a vault, of an object in it (`.../vaults/kv/secrets/name`), or of what the vault is in. */
  readonly scope: string;
  /** Milliseconds by the cloud's clock: from when and until when it counts. */
  readonly from: number;
  readonly until?: number | undefined;
}

/** What an access policy grants: permissions in lower or upper case, `all` for all of a group. */
export type Permissions = Readonly<Partial<Record<Need["group"], readonly string[]>>>;

/** Access policies of a vault by object id; a vault that has none goes by roles. */
export type AccessPolicies = Readonly<Record<string, Permissions>>;

/** Who may do what, as Azure keeps it. */
export interface Access {
  /** Counts after the propagation delay. Throws a RangeError when there is no such role. */
  readonly assign: (given: Pick<Assignment, "principalId" | "role" | "scope">) => Assignment;
  /** Assigns, at once, what is not assigned yet. */
  readonly ensure: (given: readonly Pick<Assignment, "principalId" | "role" | "scope">[]) => void;
  /** Takes an assignment away; it counts until the delay is over. False: there is none. */
  readonly unassign: (id: string) => boolean;
  /** Those that count now or will. */
  readonly assignments: () => readonly Assignment[];
  /** Milliseconds of the cloud's clock from a change of roles until it counts (0). */
  readonly setDelay: (milliseconds: number) => void;
  readonly delay: () => number;
  /** Makes a vault (by ARM id) go by access policies; undefined: by roles again. */
  readonly setPolicies: (vaultId: string, policies: AccessPolicies | undefined) => void;
  readonly policies: (vaultId: string) => AccessPolicies | undefined;
  /** Whether the identity may do it with the resource (an ARM id), which belongs to the vault. */
  readonly allowed: (objectId: string, need: Need, vaultId: string, resource: string) => boolean;
  readonly dump: () => KeptAccess;
  readonly load: (kept: KeptAccess) => void;
}

/** All of it, as it is kept. */
export interface KeptAccess {
  readonly delay: number;
  readonly assignments: readonly Assignment[];
  readonly policies: Readonly<Record<string, AccessPolicies>>;
}

/** Opens what `file` keeps of it; without a file it lives in memory. There are no secrets in it. */
export function createAccess({ clock, file }: { readonly clock: Clock; readonly file?: string }): Access {
  let kept: KeptAccess = { delay: 0, assignments: [], policies: {} };
  if (file !== undefined && existsSync(file)) kept = JSON.parse(readFileSync(file, "utf8")) as KeptAccess;
  const change = (next: Partial<KeptAccess>) => {
    kept = { ...kept, ...next };
    if (file !== undefined) replaceFile(file, JSON.stringify(kept));
  };
  const lasting = () => kept.assignments.filter(({ until }) => until === undefined || until > clock.now());
  const add = ({ principalId, role, scope }: Pick<Assignment, "principalId" | "role" | "scope">, from: number) => {
    const known = findRole(role);
    if (!known) throw new RangeError(`There is no role ${role} for the contents of a vault.`);
    const assignment = { id: randomUUID(), principalId, role: known.name, scope, from };
    change({ assignments: [...lasting(), assignment] });
    return assignment;
  };

  return {
    assign: (given) => add(given, clock.now() + kept.delay),
    ensure(given) {
      for (const one of given) {
        const same = (other: Assignment) =>
          other.until === undefined &&
          other.principalId === one.principalId &&
          other.role === findRole(one.role)?.name &&
          other.scope.toLowerCase() === one.scope.toLowerCase();
        if (!kept.assignments.some(same)) add(one, 0);
      }
    },
    unassign(id) {
      const found = kept.assignments.find((one) => one.id === id && one.until === undefined);
      if (!found) return false;
      const ended = { ...found, until: clock.now() + kept.delay };
      change({ assignments: kept.assignments.map((one) => (one === found ? ended : one)) });
      return true;
    },
    assignments: lasting,
    setDelay: (delay) => change({ delay }),
    delay: () => kept.delay,
    setPolicies(vaultId, policies) {
      const { [vaultId.toLowerCase()]: _, ...others } = kept.policies;
      change({ policies: policies === undefined ? others : { ...others, [vaultId.toLowerCase()]: policies } });
    },
    dump: () => kept,
    load: change,
    policies: (vaultId) => kept.policies[vaultId.toLowerCase()],
    allowed(objectId, need, vaultId, resource) {
      const policies = kept.policies[vaultId.toLowerCase()];
      if (policies) return granted(policies[objectId], need);
      const now = clock.now();
      const place = resource.toLowerCase();
      return kept.assignments.some(
        ({ principalId, role, scope, from, until = Infinity }) =>
          principalId === objectId &&
          from <= now &&
          now < until &&
          within(place, scope) &&
          permits(roleNamed(role), need.action),
      );
    },
  };
}

/** Whether a place (in lower case) is the scope or lies in it. */
function within(place: string, scope: string): boolean {
  const lower = scope.toLowerCase();
  const outer = lower.endsWith("/") ? lower.replace(/\/+$/, "") : lower;
  return place.startsWith(outer) && (place.length === outer.length || place[outer.length] === "/");
}

function granted(permissions: Permissions | undefined, { group, permission }: Need): boolean {
  const given = (permissions?.[group] ?? []).map((one) => one.toLowerCase());
  if (given.includes("all") || given.includes(permission.toLowerCase())) return true;
  return permission.endsWith("issuers") && given.includes("manageissuers");
}
