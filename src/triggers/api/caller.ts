import type { HttpRequest } from "@azure/functions";
import { z } from "zod";
import type { Access } from "../../config.ts";
import { PinionError } from "../../errors.ts";
import type { Actor } from "../../store/types.ts";

/**
 * What a route takes. Behind App Service authentication: the reader's role to read, the operator's for everything else, and each may read.
 * Without it whoever holds a function key may read and start; a command takes more than a key.
 */
export type Right = "read" | "start" | "command";

// Another identity provider could vouch for a claim of the same name, so only Entra ID's own principal counts.
const principal = z.object({
  auth_typ: z.literal("aad"),
  claims: z.array(z.object({ typ: z.string(), val: z.string() })).max(1000),
});

const objectIdClaims = ["http://schemas.microsoft.com/identity/claims/objectidentifier", "oid"];
const subjectClaims = ["http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier", "sub"];
const roleClaims = ["roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"];

/**
 * Who calls; undefined for a stranger. App Service authentication puts the caller into a header and removes one that came from outside;
 * without it anybody can send that header, so then its mere presence is refused. There a caller without it holds a function key, which the
 * host has checked; behind authentication the host checks none, and such a caller is nobody.
 */
export function callerOf(request: HttpRequest, { appServiceAuth }: Access): Actor | undefined {
  const header = request.headers.get("x-ms-client-principal");
  if (header === null) return appServiceAuth ? undefined : { kind: "key", id: "function key", roles: [] };
  if (!appServiceAuth) {
    throw new PinionError(
      "UNAUTHORIZED",
      "The request has a principal header, but App Service authentication is not on: nobody vouches for it. Leave the header out, or switch authentication on.",
    );
  }
  const parsed = principal.safeParse(decode(header));
  const claims = parsed.success ? parsed.data.claims : [];
  const one = (types: readonly string[]) => claims.find(({ typ }) => types.includes(typ))?.val;
  const id = one(objectIdClaims);
  if (id === undefined) throw new PinionError("UNAUTHORIZED", "The principal header names no Entra object id.");
  // A service principal's token names it as its own subject; the claim that says so outright is optional.
  const isApp = (one(["idtyp"]) ?? (one(subjectClaims) === id ? "app" : "user")) === "app";
  const roles = claims.filter(({ typ }) => roleClaims.includes(typ)).map(({ val }) => val);
  return { kind: isApp ? "app" : "person", id, roles };
}

/** Whether a caller has a right. */
export function may(actor: Actor, right: Right, { operatorRole, readerRole, commandAuthority }: Access): boolean {
  if (actor.kind === "key") return right !== "command" || commandAuthority === "keys";
  return actor.roles.includes(operatorRole) || (right === "read" && actor.roles.includes(readerRole));
}

/** The caller, where it has the right; `UNAUTHORIZED` for a stranger, `FORBIDDEN` with the role to ask for otherwise. */
export function requireRight(actor: Actor | undefined, right: Right, access: Access): Actor {
  if (actor === undefined)
    throw new PinionError("UNAUTHORIZED", "Sign in: the request needs an Entra token for this app, and has none.");
  if (may(actor, right, access)) return actor;
  const { operatorRole, readerRole } = access;
  throw new PinionError(
    "FORBIDDEN",
    right === "read"
      ? `Reading takes the Entra app role ${readerRole} (or ${operatorRole}): ask for it.`
      : `This command takes the Entra app role ${operatorRole}: ask for it, and call with App Service authentication.`,
  );
}

function decode(header: string): unknown {
  try {
    return JSON.parse(Buffer.from(header, "base64").toString("utf8"));
  } catch {
    return undefined;
  }
}
