import { needOf } from "../../local/vault/actions.ts";
import type { Call } from "./judge.ts";

// What Azure asks of a caller, by its documentation; unconfirmed by Azure itself. Not what the local cloud asks: that is code of ours too.

/**
 * Operations that Azure lists for its providers (azure-docs, articles/role-based-access-control/permissions: compute, databases,
 * integration, networking, storage, web-and-mobile), of those that Pinion has a use for. A call that is none of them cannot be in a
 * custom role.
 */
const listed = new Set(
  Object.entries({
    "Microsoft.Authorization": ["permissions/read"],
    "Microsoft.Compute": ["diskEncryptionSets/read", "diskEncryptionSets/write"],
    "Microsoft.DocumentDB": ["databaseAccounts/read", "databaseAccounts/write"],
    "Microsoft.EventHub": ["namespaces/read", "namespaces/write"],
    "Microsoft.Network": ["dnsZones/TXT/read", "dnsZones/TXT/write", "dnsZones/TXT/delete"],
    "Microsoft.ServiceBus": ["namespaces/read", "namespaces/write"],
    "Microsoft.Sql": [
      ...["servers", "managedInstances"].flatMap((type) =>
        [
          "read",
          "keys/read",
          "keys/write",
          "encryptionProtector/read",
          "encryptionProtector/write",
          "databases/read",
          "databases/backupShortTermRetentionPolicies/read",
          "databases/backupLongTermRetentionPolicies/read",
          "restorableDroppedDatabases/read",
        ].map((operation) => `${type}/${operation}`),
      ),
      "servers/failoverGroups/read",
      "locations/instanceFailoverGroups/read",
      "locations/longTermRetentionServers/longTermRetentionBackups/read",
      "locations/longTermRetentionManagedInstances/longTermRetentionManagedInstanceBackups/read",
    ],
    "Microsoft.Storage": ["storageAccounts/read", "storageAccounts/write"],
    "Microsoft.Web": ["sites", "sites/slots"].flatMap((type) =>
      ["config/list/action", "config/read", "config/write", "config/appsettings/read"].map((one) => `${type}/${one}`),
    ),
  }).flatMap(([provider, operations]) => operations.map((operation) => `${provider}/${operation}`.toLowerCase())),
);

/** By the method (azure-docs, articles/role-based-access-control/role-definitions: what an action's last part stands for). */
const verbs: Readonly<Record<string, string>> = { GET: "read", PUT: "write", PATCH: "write", DELETE: "delete" };

/** Calls whose operation the method and the path do not tell. */
const named: readonly (readonly [call: RegExp, operations: (type: string) => readonly string[]])[] = [
  // Rest API "Web Apps - List Application Settings": a POST, since it shows secrets.
  [/^POST (.+)\/config\/appsettings\/list$/, (type) => [`${type}/config/list/action`]],
  // "Get App Setting Key Vault Reference": which of the two Azure asks for is unconfirmed, so both are held.
  [
    /^GET (.+)\/config\/configreferences\/appsettings\/[^/]+$/,
    (type) => [`${type}/config/read`, `${type}/config/appsettings/read`],
  ],
];

/** Calls that Azure lists no operation for; the action is what its rule would make of the path. */
const unlisted: typeof named = [
  [
    /^POST (.+)\/config\/configreferences\/appsettings\/refresh$/,
    (type) => [`${type}/config/configreferences/appsettings/refresh/action`],
  ],
];

/** What a request to Azure Resource Manager asks for. Throws where Azure lists no such operation. */
export function ofArm(method: string, path: string): readonly Call[] {
  const [id = ""] = path.split("?");
  const [, above = "", provider = "", rest = ""] = /^(.*)\/providers\/([^/]+)\/(.*)$/.exec(id) ?? [];
  const typeOf = (some: string) => [provider, ...some.split("/").filter((_, at) => at % 2 === 0)].join("/");
  const found = (table: typeof named) =>
    table.flatMap(([pattern, operations]) => {
      const [, resource] = pattern.exec(`${method} ${rest}`) ?? [];
      return resource === undefined ? [] : operations(typeOf(resource));
    });
  // What the app itself may do at a resource is asked of that resource.
  const scope = provider === "Microsoft.Authorization" ? above : id;
  const [free] = found(unlisted);
  if (free !== undefined) return [{ action: free, scope, unlisted: true }];
  const known = found(named);
  const actions = known.length > 0 ? known : [`${typeOf(rest)}/${verbs[method] ?? method}`];
  const unknown = actions.filter((action) => !listed.has(action.toLowerCase()));
  if (unknown.length > 0) throw new Error(`Azure lists no operation ${unknown.join(", ")}, for ${method} ${id}.`);
  return actions.map((action) => ({ action, scope }));
}

/**
 * Data operations on blobs (Rest API, "Authorize with Microsoft Entra ID", permissions for Blob service operations). A Put Blob that makes a
 * new one could do with `add/action`; one that may find it there takes `write`.
 */
export const ofBlob: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries({ GET: "read", PUT: "write", DELETE: "delete" }).map(([method, verb]) => [
    method,
    `Microsoft.Storage/storageAccounts/blobServices/containers/blobs/${verb}`,
  ]),
);

/** Data action and ARM id of what a request to a vault is about; undefined where a vault asks for no right. */
export function ofVault(vault: string, operation: string, name = ""): Call | undefined {
  const action = needOf(operation)?.action;
  if (action === undefined) return undefined;
  const collection = /^(secrets|certificates)\//.exec(action)?.[1] ?? "keys";
  return {
    action: `Microsoft.KeyVault/vaults/${action}`,
    scope: name === "" ? vault : `${vault}/${collection}/${name}`,
  };
}
