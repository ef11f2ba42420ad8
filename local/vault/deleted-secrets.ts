import { seconds } from "./attributes.ts";
import { latest, lifeOf } from "./collection.ts";
import type { Call, Json, Operation, Reply, SecretVersion, Vault } from "./model.ts";
import { page } from "./paging.ts";
import { Refusal, badParameter, conflict, deletedNotFound } from "./refusal.ts";
import { seal, unseal } from "./seal.ts";
import { beingDeleted, bundle, disabled, read, refuseTaken } from "./secrets.ts";
import type { Secret } from "./secrets.ts";

// Soft delete, recovery, purge, backup and restore of secrets.

const day = 86_400_000;
const maxBackupVersions = 500;
const backupPurpose = "secret backup";

function remove(call: Call): Reply {
  const { vault, now, name } = call;
  if (lifeOf(vault.secrets.find(name), now) === "deleting") throw beingDeleted();
  const [secret] = read(call);
  const at = seconds(now) * 1000;
  const deleted: Secret = {
    ...secret,
    deleted: { at, purgeAt: at + vault.retentionDays * day },
    settledAt: now + vault.settings.deleteDelayMs,
  };
  vault.secrets.write(deleted, []);
  return { status: 200, body: deletedBundle(vault, deleted) };
}

function getDeleted(call: Call): Reply {
  const secret = readDeleted(call);
  if (!latest(secret).enabled) throw disabled();
  return { status: 200, body: deletedBundle(call.vault, secret) };
}

function listDeleted(call: Call): Reply {
  const { vault, now } = call;
  return page(call, "deletedsecrets", vault.secrets.names(), (name) => {
    const secret = vault.secrets.find(name);
    if (!secret || lifeOf(secret, now) !== "deleted") return undefined;
    return { ...deletedBundle(vault, secret), id: `${vault.url}/secrets/${secret.name}` };
  });
}

function recover(call: Call): Reply {
  const { vault, now } = call;
  const secret = readDeleted(call);
  const live: Secret = { ...secret, deleted: undefined, settledAt: now + vault.settings.deleteDelayMs };
  vault.secrets.write(live, []);
  return { status: 200, body: bundle(vault, live, latest(live)) };
}

function purge(call: Call): Reply {
  const { vault, now, name } = call;
  if (lifeOf(vault.secrets.find(name), now) === "deleting") throw beingDeleted();
  const secret = readDeleted(call);
  if (vault.purgeProtection) {
    throw new Refusal(
      403,
      "Forbidden",
      `Operation "purge" is not allowed because purge protection is enabled for this vault. Key Vault service will automatically purge it after the retention period has passed.\r\nVault: ${vault.name};location=local`,
    );
  }
  vault.secrets.remove(secret.name);
  return { status: 204 };
}

function backup(call: Call): Reply {
  const [{ name, versions }] = read(call);
  if (versions.length > maxBackupVersions) {
    throw badParameter(`The secret has ${versions.length} versions; at most ${maxBackupVersions} can be backed up.`);
  }
  const blob = seal(call.vault.key, backupPurpose, JSON.stringify({ name, versions } satisfies Secret));
  return { status: 200, body: { value: blob.toString("base64url") } };
}

/** Brings all versions back under their ids. They are not new, so no event says that they were created. */
function restore(call: Call): Reply {
  const { vault, now } = call;
  const value = call.body()["value"];
  if (typeof value !== "string") throw badParameter("The parameter value is missing or not a string.");
  const text = unseal(vault.key, backupPurpose, Buffer.from(value, "base64url"));
  if (text === undefined) throw new Refusal(400, "Malformed backup blob", "The backup blob is malformed.");
  const kept = JSON.parse(text) as Secret;
  const before = vault.secrets.find(kept.name);
  refuseTaken(before, now);
  if (before) throw conflict(`Secret ${before.name} already exists in this key vault; it cannot be restored over.`);
  const versions = kept.versions.map((one): SecretVersion => ({ ...one, announced: ["NewVersionCreated"] }));
  const secret: Secret = { name: kept.name, versions };
  vault.secrets.write(secret, versions);
  return { status: 200, body: bundle(vault, secret, latest(secret)) };
}

function readDeleted({ vault, now, name }: Call): Secret {
  const secret = vault.secrets.find(name);
  if (!secret || lifeOf(secret, now) !== "deleted") throw deletedNotFound(name);
  return secret;
}

function deletedBundle(vault: Vault, secret: Secret): { readonly [key: string]: Json } {
  return {
    recoveryId: `${vault.url}/deletedsecrets/${secret.name}`,
    deletedDate: seconds(secret.deleted!.at),
    scheduledPurgeDate: seconds(secret.deleted!.purgeAt),
    ...bundle(vault, secret, latest(secret)),
  };
}

/** Deletion and what follows it, and backups. */
export const deletedSecretOperations: readonly Operation[] = [
  { operation: "secret.delete", method: "DELETE", path: "secrets/:name", run: remove },
  { operation: "secret.listDeleted", method: "GET", path: "deletedsecrets", run: listDeleted },
  { operation: "secret.getDeleted", method: "GET", path: "deletedsecrets/:name", run: getDeleted },
  { operation: "secret.recover", method: "POST", path: "deletedsecrets/:name/recover", run: recover },
  { operation: "secret.purge", method: "DELETE", path: "deletedsecrets/:name", run: purge },
  { operation: "secret.backup", method: "POST", path: "secrets/:name/backup", run: backup },
  { operation: "secret.restore", method: "POST", path: "secrets/restore", run: restore },
];
