import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CertificateClient } from "@azure/keyvault-certificates";
import { CryptographyClient, KeyClient } from "@azure/keyvault-keys";
import { SecretClient } from "@azure/keyvault-secrets";
import { expect, test } from "vitest";
import { needOf } from "../../local/vault/actions.ts";
import { root } from "./harness/infra.ts";

// The custom roles hold what src/vault/ calls, and no more: its calls are read from the source, since only it speaks to Key Vault.

/** What each method of Azure's clients asks of the vault, as `needOf` names it. */
const operations: Readonly<Record<string, string>> = {
  getSecret: "secret.get",
  setSecret: "secret.set",
  updateSecretProperties: "secret.update",
  listPropertiesOfSecrets: "secret.list",
  listPropertiesOfSecretVersions: "secret.versions",
  beginRecoverDeletedSecret: "secret.recover",
  getCertificate: "certificate.get",
  getCertificateVersion: "certificate.get",
  getCertificatePolicy: "certificate.getPolicy",
  getCertificateOperation: "certificate.getOperation",
  deleteCertificateOperation: "certificate.deleteOperation",
  beginCreateCertificate: "certificate.create",
  mergeCertificate: "certificate.merge",
  importCertificate: "certificate.import",
  updateCertificateProperties: "certificate.update",
  listPropertiesOfCertificates: "certificate.list",
  listPropertiesOfCertificateVersions: "certificate.versions",
  beginRecoverDeletedCertificate: "certificate.recover",
  getKey: "key.get",
  rotateKey: "key.rotate",
  updateKeyProperties: "key.update",
  getKeyRotationPolicy: "key.getRotationPolicy",
  updateKeyRotationPolicy: "key.updateRotationPolicy",
  listPropertiesOfKeys: "key.list",
  listPropertiesOfKeyVersions: "key.versions",
  beginRecoverDeletedKey: "key.recover",
  sign: "key.sign",
  verify: "key.verify",
  wrapKey: "key.wrapKey",
  unwrapKey: "key.unwrapKey",
};

/** Calls that no role needs to hold, each with the reason. */
const unneeded: Readonly<Record<string, string>> = {
  beginRecoverDeletedKey: "every kind of vault can recover; a key is rotated in itself, so none of Pinion's is staged",
};

const methods = new Set(
  [SecretClient, KeyClient, CertificateClient, CryptographyClient].flatMap(({ prototype }) =>
    Object.getOwnPropertyNames(prototype).filter((name) => name !== "constructor" && name !== "vaultUrl"),
  ),
);

const called = new Set(
  globSync("src/vault/**/*.ts", { cwd: root }).flatMap((file) =>
    [...readFileSync(join(root, file), "utf8").matchAll(/\.(\w+)\(/g)]
      .map(([, name]) => name!)
      .filter((name) => methods.has(name)),
  ),
);

const roles = (
  JSON.parse(readFileSync(join(root, "infra/roles.json"), "utf8")) as {
    roles: Record<string, { actions: string[]; dataActions: string[] }>;
  }
).roles;
const granted = new Set(
  Object.values(roles)
    .flatMap(({ dataActions }) => dataActions)
    .filter((action) => action.startsWith("Microsoft.KeyVault/")),
);

test("every method that is called on a client of a vault is known", () => {
  expect([...called].filter((name) => operations[name] === undefined)).toEqual([]);
  expect(Object.keys(operations).filter((name) => !called.has(name))).toEqual([]);
});

test("each call's data action is in a role, and each data action of a role is of a call", () => {
  const needed = Object.entries(operations)
    .filter(([name]) => unneeded[name] === undefined)
    .map(([, operation]) => `Microsoft.KeyVault/vaults/${needOf(operation)!.action}`);
  expect([...granted].toSorted()).toEqual([...new Set(needed)].toSorted());
});
