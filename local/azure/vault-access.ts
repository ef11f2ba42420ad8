import type { Access } from "../vault/access.ts";
import { needOf } from "../vault/actions.ts";
import type { Need } from "../vault/actions.ts";
import type { Authorization, Authorize } from "../vault/model.ts";
import type { Rights } from "./rights.ts";
import type { TokenClaims, Tokens, Verified } from "./tokens.ts";

const audience = "https://vault.azure.net";

/** Options of `vaultAccess`. */
export interface VaultAccessOptions {
  readonly tokens: Pick<Tokens, "verify" | "tenantId" | "issuer">;
  readonly rights?: Pick<Rights, "allowed">;
  /** Roles and access policies; absent: whoever has a valid token may do everything. */
  readonly access?: Access;
}

/** Judges tokens for the Key Vault stand-in (`startVaults({ authorize })`); its words are the real vault's. */
export function vaultAccess({ tokens, rights, access }: VaultAccessOptions): Authorize {
  return (token, vault, { operation = "", name = "" }) => {
    if (token === undefined) return refuse(401, "AKV10000: Request is missing a Bearer or PoP token.");
    const judge = (verified: Verified): Authorization => {
      if ("fault" in verified) return refuse(401, faultText(verified));
      return permit(verified, vault, operation, name);
    };
    const verified = tokens.verify(token, audience);
    return verified instanceof Promise ? verified.then(judge) : judge(verified);
  };

  function permit(
    caller: TokenClaims,
    vault: Parameters<Authorize>[1],
    operation: string,
    name: string,
  ): Authorization {
    const described = `appid=${caller.appId};oid=${caller.objectId};iss=${tokens.issuer}`;
    const need = needOf(operation);
    const resource = resourceOf(vault.resourceId, need, name);
    const may =
      // What is no operation needs no right: it is refused for what it is.
      need === undefined ||
      ((rights?.allowed(caller.objectId, "vault") ?? true) &&
        (access?.allowed(caller.objectId, need, vault.resourceId, resource) ?? true));
    if (may) return { ok: true, caller: caller.objectId, described };
    const refused = access?.policies(vault.resourceId) ? byPolicy(described, vault.name, need) : undefined;
    return {
      ...refuse(403, refused ?? byRole(described, vault.name, need.action, resource)),
      inner: refused ? "AccessDenied" : "ForbiddenByRbac",
      caller: caller.objectId,
      described,
    };
  }
}

function faultText({ fault, found = "" }: Exclude<Verified, TokenClaims>): string {
  if (fault === "audience") return `AKV10022: Invalid audience. Expected ${audience}, found: ${found}.`;
  return fault === "expired" ? "AKV10066: Token has expired." : "AKV10046: Invalid token.";
}

/** The object's ARM id where the operation is about one, else the vault's. */
function resourceOf(vaultId: string, need: Need | undefined, name: string): string {
  const collection = need?.action.split("/")[0];
  if (!name || collection === undefined) return vaultId;
  return `${vaultId}/${collection === "keyrotationpolicies" ? "keys" : collection}/${name}`;
}

const byRole = (described: string, vault: string, action: string, resource: string): string =>
  [
    "Caller is not authorized to perform action on resource.",
    "If role assignments, deny assignments or role definitions were changed recently, please observe propagation time.",
    `Caller: ${described}`,
    `Action: 'Microsoft.KeyVault/vaults/${action}'`,
    `Resource: '${resource.toLowerCase()}'`,
    "Assignment: (not found)",
    "DenyAssignmentId: null",
    "DecisionReason: null ",
    `Vault: ${vault};location=local`,
    "",
  ].join("\r\n");

const byPolicy = (described: string, vault: string, { group, permission }: Need): string =>
  `The user, group or application '${described}' does not have ${group} ${permission} permission on key vault '${vault};location=local'. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287`;

function refuse(status: 401 | 403, message: string): Extract<Authorization, { ok: false }> {
  return { ok: false, status, code: status === 401 ? "Unauthorized" : "Forbidden", message };
}
