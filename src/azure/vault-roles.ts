import type { AzureRole } from "./role.ts";

// What is done in vaults: with managed objects, with the siblings that their candidates are staged in, and with what targets and
// consumers name. No role deletes, purges, backs up or restores.

const inVault = (...actions: readonly string[]) => actions.map((action) => `Microsoft.KeyVault/vaults/${action}`);

const readValue = inVault("secrets/getSecret/action");
const writeValue = inVault("secrets/getSecret/action", "secrets/setSecret/action");
const writeVersions = [...writeValue, ...inVault("secrets/update/action")];
const readCertificate = inVault("certificates/read");
const tagCertificate = inVault("certificates/read", "certificates/update/action");
const makeCertificate = inVault("certificates/read", "certificates/create/action", "certificates/update/action");
const readKey = inVault("keys/read");
const recover = inVault("secrets/recover/action");
const recoverCertificate = inVault("certificates/recover/action");
const useKey = inVault("keys/sign/action", "keys/verify/action", "keys/wrap/action", "keys/unwrap/action");

/** At a secret that is rotated. */
export const secretRole: AzureRole = {
  key: "secret",
  description: "Reads a secret, writes its next version, and disables and tags its versions.",
  dataActions: [...writeVersions, ...inVault("secrets/readMetadata/action")],
};

/** Where candidates of secrets are staged. */
export const stagingSecretRole: AzureRole = {
  key: "staging-secret",
  description: "Stages candidates of secrets: reads, writes, disables and recovers secrets.",
  dataActions: [...writeVersions, ...recover],
  unasked: recover,
};

/** At a certificate whose candidate is staged beside it. */
export const certificateRole: AzureRole = {
  key: "certificate",
  description: "Reads a certificate, imports its next version, and disables and tags its versions.",
  dataActions: inVault("certificates/read", "certificates/import/action", "certificates/update/action"),
};

/** Where candidates of certificates are made and proven. */
export const stagingCertificateRole: AzureRole = {
  key: "staging-certificate",
  description: "Makes and recovers candidates of certificates, and reads them with their private keys.",
  dataActions: [...makeCertificate, ...recoverCertificate, ...readValue, ...readKey],
  unasked: recoverCertificate,
};

/** At a certificate whose candidate is made in itself. */
export const insideCertificateRole: AzureRole = {
  key: "inside-certificate",
  description: "Has a vault make the next version of a certificate, and disables and tags its versions.",
  dataActions: makeCertificate,
};

/** At a certificate that its vault renews by itself. */
export const renewedCertificateRole: AzureRole = {
  key: "renewed-certificate",
  description: "Reads a certificate that its vault renews, and disables and tags its versions.",
  dataActions: tagCertificate,
};

/** At a key that is rotated. What it may be used for the key itself says; preflight tries that. */
export const keyRole: AzureRole = {
  key: "key",
  description: "Rotates a key, keeps its rotation policy, disables and tags its versions, and shows that they work.",
  dataActions: [
    ...inVault(
      "keys/read",
      "keys/rotate/action",
      "keys/update/action",
      "keyrotationpolicies/read",
      "keyrotationpolicies/write",
    ),
    ...useKey,
  ],
  unasked: useKey,
};

/** At a secret that a target or a consumer names: an administrator's password, the token of an API. Also the value of a certificate. */
export const readSecretRole: AzureRole = {
  key: "read-secret",
  description: "Reads the value of a secret.",
  dataActions: readValue,
};

/** At a secret that is itself a target: the list of what a verifier accepts. */
export const verifierSecretRole: AzureRole = {
  key: "verifier-secret",
  description: "Reads a secret and writes its next version.",
  dataActions: writeValue,
};

/** At a key that signs for a rotation: an ACME account's, an authority's, and that of a certificate which never leaves its vault. */
export const signKeyRole: AzureRole = {
  key: "sign-key",
  description: "Reads the public part of a key, and signs with it.",
  dataActions: [...readKey, ...inVault("keys/sign/action")],
};

/** At a vault: what the sweep lists there. Values are not read. */
export const inventoryRoles = {
  secret: {
    key: "inventory-secret",
    description: "Lists the secrets of a vault, without their values.",
    dataActions: inVault("secrets/readMetadata/action"),
  },
  certificate: {
    key: "inventory-certificate",
    description: "Lists the certificates of a vault, without their private keys.",
    dataActions: readCertificate,
  },
  key: {
    key: "inventory-key",
    description: "Lists the keys of a vault, public parts only.",
    dataActions: readKey,
  },
} as const satisfies Readonly<Record<string, AzureRole>>;

/** What a rotation needs at an object, by what the object is, and where its candidate is staged. */
export const objectRoles: Readonly<
  Record<
    "secret" | "certificate" | "inside" | "renewed" | "key",
    { readonly object: readonly AzureRole[]; readonly staging?: AzureRole }
  >
> = {
  secret: { object: [secretRole], staging: stagingSecretRole },
  certificate: { object: [certificateRole, readSecretRole], staging: stagingCertificateRole },
  inside: { object: [insideCertificateRole, readSecretRole, signKeyRole] },
  // Whether its key may leave the vault is for the vault's own policy to say: where it may not, it signs.
  renewed: { object: [renewedCertificateRole, readSecretRole, signKeyRole] },
  key: { object: [keyRole] },
};

/**
 * The data actions of a role by the collection that they are about. The secret and the key of a certificate have its name, and ARM ids of
 * their own.
 */
export function collectionsOf({
  dataActions = [],
}: AzureRole): ReadonlyMap<"secrets" | "certificates" | "keys", readonly string[]> {
  return Map.groupBy(dataActions, (action) => {
    const [, collection] = /vaults\/(secrets|certificates)\//.exec(action) ?? [];
    return collection === "secrets" || collection === "certificates" ? collection : "keys";
  });
}
