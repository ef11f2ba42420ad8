import type { Clock } from "../clock.ts";
import { isRecord, parseJson } from "./http.ts";
import type { Handler } from "./http.ts";

/** Where a right is asked for. */
export type Plane = "arm" | "vault";

/** One role assignment's content, as `Microsoft.Authorization/permissions` lists it. */
export interface Permission {
  readonly actions: readonly string[];
  readonly notActions: readonly string[];
  readonly dataActions: readonly string[];
  readonly notDataActions: readonly string[];
  /** The ARM id that it is assigned at, for what is there and below; absent: everywhere. */
  readonly scope?: string;
}

const everything: Permission = { actions: ["*"], notActions: [], dataActions: ["*"], notDataActions: [] };

/** Takes rights away for a time, as when a role assignment has not yet reached every replica. */
export interface Rights {
  /** For `seconds` of the cloud's time from now the principal (`*`: all) is refused there; 0 gives the rights back. */
  readonly deny: (objectId: string, plane: Plane, seconds: number) => void;
  readonly allowed: (objectId: string, plane: Plane) => boolean;
  /** Gives a principal these permissions in place of all; undefined: all again. */
  readonly limit: (objectId: string, permissions: readonly Permission[] | undefined) => void;
  /** What assignments at `at`, an ARM id, and above give. */
  readonly permissions: (objectId: string, at: string) => readonly Permission[];
  /** Whether an action of the control plane is among the principal's permissions there. */
  readonly permits: (objectId: string, action: string, at: string) => boolean;
}

/** Everybody has rights until they are taken away. In memory: a restart gives them back. */
export function createRights(clock: Clock): Rights {
  const deniedUntil = new Map<string, number>();
  const limited = new Map<string, readonly Permission[]>();
  const permissions = (objectId: string, at: string) =>
    (limited.get(objectId) ?? [everything]).filter(({ scope }) => scope === undefined || isWithin(scope, at));
  return {
    limit: (objectId, given) => void (given ? limited.set(objectId, given) : limited.delete(objectId)),
    permissions,
    permits: (objectId, action, at) =>
      permissions(objectId, at).some(
        ({ actions, notActions }) =>
          actions.some((pattern) => fits(pattern, action)) && !notActions.some((pattern) => fits(pattern, action)),
      ),
    deny: (objectId, plane, seconds) => void deniedUntil.set(`${plane} ${objectId}`, clock.now() + seconds * 1000),
    allowed: (objectId, plane) =>
      [objectId, "*"].every((who) => (deniedUntil.get(`${plane} ${who}`) ?? 0) <= clock.now()),
  };
}

/** `POST /_emulator/rights {objectId, plane?, seconds}`; without `plane`: both. */
export function rightsHandler(rights: Rights): Handler {
  return ({ method, url, body }) => {
    if (method !== "POST" || url.pathname !== "/_emulator/rights") return undefined;
    return {
      operation: "_emulator.rights",
      run() {
        const value = parseJson(body);
        const { objectId, plane, seconds } = isRecord(value) ? value : {};
        if (typeof objectId !== "string" || typeof seconds !== "number" || !isPlane(plane)) {
          return { status: 400, body: "Expected {objectId, plane?: arm | vault, seconds}." };
        }
        const planes: readonly Plane[] = plane === undefined ? ["arm", "vault"] : [plane];
        for (const one of planes) rights.deny(objectId, one, seconds);
        return { status: 204 };
      },
    };
  };
}

function isPlane(value: unknown): value is Plane | undefined {
  return value === undefined || value === "arm" || value === "vault";
}

/** Ids are compared without case. */
const isWithin = (scope: string, at: string): boolean => `${at}/`.toLowerCase().startsWith(`${scope}/`.toLowerCase());

/** Actions are compared without case; `*` stands for anything. */
function fits(pattern: string, action: string): boolean {
  const text = pattern.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*");
  return new RegExp(`^${text}$`, "i").test(action);
}
