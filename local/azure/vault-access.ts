import type { Authorize } from "../vault/model.ts";
import type { Rights } from "./rights.ts";
import type { Tokens } from "./tokens.ts";

const audience = "https://vault.azure.net";

/** Judges tokens for the Key Vault stand-in (`startVaults({ authorize })`); its words are the real vault's. */
export function vaultAccess({ tokens, rights }: { readonly tokens: Tokens; readonly rights: Rights }): Authorize {
  return async (token, vault, { operation = "" }) => {
    if (token === undefined) return refuse(401, "Unauthorized", "AKV10000: Request is missing a Bearer or PoP token.");
    const caller = await tokens.verify(token, audience);
    if ("fault" in caller) {
      const wrong = `AKV10022: Invalid audience. Expected ${audience}, found: ${caller.found ?? ""}.`;
      const expired = "AKV10066: Token has expired.";
      const message =
        caller.fault === "audience" ? wrong : caller.fault === "expired" ? expired : "AKV10046: Invalid token.";
      return refuse(401, "Unauthorized", message);
    }
    if (rights.allowed(caller.objectId, "vault")) return { ok: true, caller: caller.objectId };
    const lines = [
      "Caller is not authorized to perform action on resource.",
      "If role assignments, deny assignments or role definitions were changed recently, please observe propagation time.",
      `Caller: appid=${caller.appId};oid=${caller.objectId}`,
      `Action: '${operation}'`,
      `Resource: '${vault.resourceId}'`,
    ];
    return refuse(403, "Forbidden", lines.join("\r\n"));
  };
}

function refuse(status: number, code: string, message: string) {
  return { ok: false, status, code, message } as const;
}
