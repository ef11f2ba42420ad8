import type { HttpRequest } from "@azure/functions";
import { z } from "zod";
import type { Config } from "../../config.ts";
import { PinionError } from "../../errors.ts";
import type { Actor } from "../../store/types.ts";

// Another identity provider could vouch for a claim of the same name, so only Entra ID's own principal counts.
const principal = z.object({
  auth_typ: z.literal("aad"),
  claims: z.array(z.object({ typ: z.string(), val: z.string() })).max(1000),
});

const objectIdClaims = ["http://schemas.microsoft.com/identity/claims/objectidentifier", "oid"];
const roleClaims = ["roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"];

/**
 * Who calls. App Service authentication puts the caller into a header and removes one that came from outside; without it anybody can
 * send that header, so then its mere presence is refused. A caller without it holds a function key, which the host has checked.
 */
export function callerOf(request: HttpRequest, config: Config): Actor {
  const header = request.headers.get("x-ms-client-principal");
  if (header === null) return { kind: "key", id: "function key", roles: [] };
  if (!config.appServiceAuth) {
    throw new PinionError(
      "UNAUTHORIZED",
      "The request has a principal header, but App Service authentication is not on: nobody vouches for it. Leave the header out, or switch authentication on.",
    );
  }
  const parsed = principal.safeParse(decode(header));
  const claims = parsed.success ? parsed.data.claims : [];
  const id = claims.find(({ typ }) => objectIdClaims.includes(typ))?.val;
  if (id === undefined) throw new PinionError("UNAUTHORIZED", "The principal header names no Entra object id.");
  return { kind: "person", id, roles: claims.filter(({ typ }) => roleClaims.includes(typ)).map(({ val }) => val) };
}

/** Whether a caller may roll back and finish: with the operator's Entra role; with a key only where the settings say so (a cloud on this machine). */
export function isOperator(actor: Actor, config: Config): boolean {
  return actor.roles.includes(config.operatorRole) || (config.commandAuthority === "keys" && actor.kind === "key");
}

/** `FORBIDDEN` for everybody else. */
export function requireOperator(actor: Actor, config: Config): void {
  if (isOperator(actor, config)) return;
  throw new PinionError(
    "FORBIDDEN",
    `This command takes the Entra app role ${config.operatorRole}: ask for it, and call with App Service authentication.`,
  );
}

function decode(header: string): unknown {
  try {
    return JSON.parse(Buffer.from(header, "base64").toString("utf8"));
  } catch {
    return undefined;
  }
}
