/** A built-in role of Azure: what its holder may do with the contents of a vault. */
export interface Role {
  readonly name: string;
  /** Of the role definition, the same in every tenant. */
  readonly id: string;
  /** Without the leading `Microsoft.KeyVault/vaults/`; a star stands for anything. */
  readonly dataActions: readonly string[];
}

const role = (name: string, id: string, ...dataActions: readonly string[]): Role => ({
  name: `Key Vault ${name}`,
  id,
  dataActions,
});

const crypto = (...verbs: readonly string[]) => verbs.map((verb) => `keys/${verb}/action`);

/** Facts: learn.microsoft.com/azure/role-based-access-control/built-in-roles/security. */
export const roles: readonly Role[] = [
  role("Administrator", "00482a5a-887f-4fb3-b363-3b7fe8e74483", "*"),
  role("Secrets Officer", "b86a8fe4-44ce-4948-aee5-eccb2c155cd7", "secrets/*"),
  role(
    "Secrets User",
    "4633458b-17de-408a-b874-0445c86b69e6",
    "secrets/getSecret/action",
    "secrets/readMetadata/action",
  ),
  role(
    "Certificates Officer",
    "a4417e6f-fecd-4de8-b567-7b0420556985",
    "certificatecas/*",
    "certificates/*",
    "certificatecontacts/write",
  ),
  role(
    "Certificate User",
    "db79e9a7-68ee-4b58-9aeb-b90e7c24fcba",
    "certificates/read",
    "secrets/getSecret/action",
    "secrets/readMetadata/action",
    "keys/read",
  ),
  role("Crypto Officer", "14b46e9e-c2b7-41b4-b07b-48a6ebf60603", "keys/*", "keyrotationpolicies/*"),
  role(
    "Crypto User",
    "12338af0-0e69-4776-bea7-57ae8d297424",
    "keys/read",
    ...crypto("update", "backup", "encrypt", "decrypt", "wrap", "unwrap", "sign", "verify"),
  ),
  role(
    "Crypto Service Encryption User",
    "e147488a-f6f5-4113-8e2d-b22465e65bf6",
    "keys/read",
    ...crypto("wrap", "unwrap"),
  ),
  role("Crypto Service Release User", "08bbd89e-9f13-488c-ac41-acfcb10c90ab", "keys/release/action"),
  role("Reader", "21090545-7ca7-4776-b22c-e363652d74d2", "*/read", "secrets/readMetadata/action"),
];

/** The role of that name (`Key Vault Reader`, or `Reader` for short) or id, in any spelling. */
export function findRole(nameOrId: string): Role | undefined {
  const wanted = nameOrId.toLowerCase();
  return roles.find(({ name, id }) => [id, name.toLowerCase(), name.toLowerCase().slice(10)].includes(wanted));
}

const byName = new Map(roles.map((one) => [one.name, one]));

/** The role of exactly that name; throws when there is none. */
export function roleNamed(name: string): Role {
  const found = byName.get(name);
  if (!found) throw new RangeError(`There is no role ${name} for the contents of a vault.`);
  return found;
}

/** Whether the role lets its holder do `action`, which is written like the role's own. */
export function permits({ dataActions }: Role, action: string): boolean {
  return dataActions.some((granted) => {
    const star = granted.indexOf("*");
    if (star < 0) return granted === action;
    return action.startsWith(granted.slice(0, star)) && action.endsWith(granted.slice(star + 1));
  });
}
