import type { Clock } from "../clock.ts";
import { isRecord, parseJson } from "./http.ts";
import type { Handler } from "./http.ts";

/** Where a right is asked for. */
export type Plane = "arm" | "vault";

/** Takes rights away for a time, as when a role assignment has not yet reached every replica. */
export interface Rights {
  /** For `seconds` of the cloud's time from now the principal (`*`: all) is refused there; 0 gives the rights back. */
  readonly deny: (objectId: string, plane: Plane, seconds: number) => void;
  readonly allowed: (objectId: string, plane: Plane) => boolean;
}

/** Everybody has rights until they are taken away. In memory: a restart gives them back. */
export function createRights(clock: Clock): Rights {
  const deniedUntil = new Map<string, number>();
  return {
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
