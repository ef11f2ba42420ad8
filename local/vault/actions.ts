/** What a caller needs for an operation, in both of Azure's permission models. */
export interface Need {
  /** Data action, without the leading `Microsoft.KeyVault/vaults/`. */
  readonly action: string;
  /** Whose permission an access policy must hold. */
  readonly group: "secrets" | "keys" | "certificates";
  /** In an access policy, e.g. `get`. */
  readonly permission: string;
}

/** Verbs that every kind has, with the data action and the permission; `read` differs by kind. */
const common: Readonly<Record<string, readonly [action: string, permission: string]>> = {
  get: ["read", "get"],
  list: ["read", "list"],
  versions: ["read", "list"],
  getDeleted: ["read", "get"],
  listDeleted: ["read", "list"],
  delete: ["delete", "delete"],
};

/** Where the data action has another name than the operation. */
const secretActions: Readonly<Record<string, readonly [action: string, permission: string]>> = {
  ...common,
  get: ["getSecret/action", "get"],
  list: ["readMetadata/action", "list"],
  versions: ["readMetadata/action", "list"],
  getDeleted: ["readMetadata/action", "get"],
  listDeleted: ["readMetadata/action", "list"],
  set: ["setSecret/action", "set"],
  update: ["update/action", "set"],
};

const keyActions: typeof secretActions = {
  ...common,
  wrapKey: ["wrap/action", "wrapKey"],
  unwrapKey: ["unwrap/action", "unwrapKey"],
  rng: ["read", "get"],
  attestation: ["read", "get"],
};

/** By docs, the running operation goes by the permissions of the certificate; merging is creating. */
const certificateActions: typeof secretActions = {
  ...common,
  getPolicy: ["read", "get"],
  updatePolicy: ["update/action", "update"],
  getOperation: ["read", "get"],
  updateOperation: ["update/action", "update"],
  deleteOperation: ["update/action", "update"],
  merge: ["create/action", "create"],
};

const reads = /^(get|list)/;

/**
 * What the caller of an operation (named `kind.verb`, e.g. `secret.get`) needs. Facts: Azure's list of data actions of
 * Microsoft.KeyVault; access policies by learn.microsoft.com/rest/api/keyvault. Undefined: no operation at all.
 */
export function needOf(operation: string): Need | undefined {
  if (!needs.has(operation)) needs.set(operation, find(operation));
  return needs.get(operation);
}

/** Those found before: there are few operations. */
const needs = new Map<string, Need | undefined>();

function find(operation: string): Need | undefined {
  const [kind = "", verb = ""] = operation.split(".");
  if (!verb) return undefined;
  if (/contact/i.test(operation)) return certificate("certificatecontacts/write", "managecontacts");
  if (/issuer/i.test(operation)) return issuerNeed(verb);
  if (/rotationpolicy/i.test(verb)) {
    const read = reads.test(verb);
    return {
      action: `keyrotationpolicies/${read ? "read" : "write"}`,
      group: "keys",
      permission: read ? "getrotationpolicy" : "setrotationpolicy",
    };
  }
  if (kind === "secret") return need("secrets", secretActions, verb);
  if (kind === "key") return need("keys", keyActions, verb);
  return need("certificates", certificateActions, verb);
}

function need(group: Need["group"], named: typeof secretActions, verb: string): Need {
  const [action, permission] = named[verb] ?? [`${verb}/action`, verb];
  return { action: `${group}/${action}`, group, permission };
}

const certificate = (action: string, permission: string): Need => ({ action, group: "certificates", permission });

function issuerNeed(verb: string): Need {
  if (/^(list|issuers)/.test(verb)) return certificate("certificatecas/read", "listissuers");
  if (verb.startsWith("get")) return certificate("certificatecas/read", "getissuers");
  if (verb.startsWith("delete")) return certificate("certificatecas/delete", "deleteissuers");
  return certificate("certificatecas/write", "setissuers");
}
