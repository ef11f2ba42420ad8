import { randomBytes } from "node:crypto";
import { attributesOf, readAttributes, readTags, readText } from "./attributes.ts";
import { latest, lifeOf, withVersion } from "./collection.ts";
import type { Call, Json, Operation, Reply, SecretVersion, Vault, VaultObject } from "./model.ts";
import { page } from "./paging.ts";
import { Refusal, badParameter, conflict, notFound } from "./refusal.ts";

// The secrets of a vault: https://learn.microsoft.com/rest/api/keyvault/secrets. Deleted ones are in deleted-secrets.ts.

export type Secret = VaultObject<SecretVersion>;

const maxValueBytes = 25 * 1024;
const maxContentType = 255;
const maxTagLength = 512;

/** Makes a version, whether the name is new or not. */
function set(call: Call): Reply {
  const { vault, now, name } = call;
  const body = call.body();
  const value = body["value"];
  if (typeof value !== "string") throw badParameter("The parameter value is missing or not a string.");
  if (Buffer.byteLength(value) > maxValueBytes) throw badParameter("The parameter value is larger than 25 KB.");
  const contentType = readText(body, "contentType", maxContentType);
  const tags = readTags(body, maxTagLength);
  const attributes = readAttributes(body);
  const before = vault.secrets.find(name);
  refuseTaken(before, now);
  const version: SecretVersion = {
    id: randomBytes(16).toString("hex"),
    created: now,
    updated: now,
    enabled: true,
    ...attributes,
    tags,
    contentType,
    value,
    announced: [],
  };
  const secret: Secret = { ...before, name: before?.name ?? name, versions: [...(before?.versions ?? []), version] };
  vault.secrets.write(secret, [version]);
  vault.created(secret, version);
  return { status: 200, body: { value, ...bundle(vault, secret, version) } };
}

/** The newest version decides alone: when it is disabled, no older one steps in. nbf and exp are information only. */
function get(call: Call): Reply {
  const [secret, version] = read(call);
  if (!version.enabled) throw disabled();
  return { status: 200, body: { value: version.value, ...bundle(call.vault, secret, version) } };
}

function update(call: Call): Reply {
  const { vault, now } = call;
  const body = call.body();
  const contentType = readText(body, "contentType", maxContentType);
  const tags = readTags(body, maxTagLength);
  const attributes = readAttributes(body);
  const [secret, before] = read(call);
  const version: SecretVersion = {
    ...before,
    ...attributes,
    ...(contentType === undefined ? {} : { contentType }),
    ...(tags === undefined ? {} : { tags }),
    updated: now,
  };
  const changed: Secret = { ...secret, versions: withVersion(secret.versions, version) };
  vault.secrets.write(changed, [version]);
  return { status: 200, body: bundle(vault, changed, version) };
}

function list(call: Call): Reply {
  const { vault, now } = call;
  return page(call, "secrets", vault.secrets.names(), (name) => {
    const secret = vault.secrets.find(name);
    if (!secret || lifeOf(secret, now) !== "live") return undefined;
    return { ...bundle(vault, secret, latest(secret)), id: `${vault.url}/secrets/${secret.name}` };
  });
}

/** In the order of version ids, which says nothing of their age. */
function listVersions(call: Call): Reply {
  const { vault, now, name } = call;
  const secret = vault.secrets.find(name);
  if (!secret || lifeOf(secret, now) !== "live") return { status: 200, body: { value: [], nextLink: null } };
  const byId = new Map(secret.versions.map((version) => [version.id, version]));
  return page(call, `secrets/${secret.name}/versions`, [...byId.keys()].sort(), (id) =>
    bundle(vault, secret, byId.get(id)!),
  );
}

/** A secret without its value. */
export function bundle(vault: Vault, secret: Secret, version: SecretVersion): { readonly [key: string]: Json } {
  return {
    id: `${vault.url}/secrets/${secret.name}/${version.id}`,
    contentType: version.contentType,
    attributes: attributesOf(vault, version),
    tags: version.tags,
  };
}

export const disabled = (): Refusal =>
  new Refusal(403, "Forbidden", "Operation get is not allowed on a disabled secret.", "SecretDisabled");

/** The live secret and the version that the call means: the one it names, else the newest. */
export function read({ vault, now, name, version: id }: Call): [Secret, SecretVersion] {
  const secret = vault.secrets.find(name);
  if (!secret || lifeOf(secret, now) !== "live") throw notFound(id ? `${name}/${id}` : name);
  const version = id ? secret.versions.find((one) => one.id === id) : latest(secret);
  if (!version) throw notFound(`${name}/${id}`);
  return [secret, version];
}

/** Refuses to write under a name that a deletion holds. */
export function refuseTaken(secret: Secret | undefined, now: number): void {
  const life = lifeOf(secret, now);
  if (!secret || life === "live") return;
  if (life === "deleting") throw beingDeleted();
  if (life === "recovering") {
    throw conflict(
      `Secret ${secret.name} is currently being recovered and cannot be re-created; retry later.`,
      "ObjectIsBeingRecovered",
    );
  }
  throw conflict(
    `Secret ${secret.name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the secret can only be recovered or purged.`,
    "ObjectIsDeletedButRecoverable",
  );
}

export const beingDeleted = (): Refusal => conflict("Secret is currently being deleted.", "ObjectIsBeingDeleted");

/** The operations on live secrets. */
export const secretOperations: readonly Operation[] = [
  { operation: "secret.list", method: "GET", path: "secrets", run: list },
  { operation: "secret.versions", method: "GET", path: "secrets/:name/versions", run: listVersions },
  { operation: "secret.get", method: "GET", path: "secrets/:name", run: get },
  { operation: "secret.get", method: "GET", path: "secrets/:name/:version", run: get },
  { operation: "secret.set", method: "PUT", path: "secrets/:name", run: set },
  { operation: "secret.update", method: "PATCH", path: "secrets/:name", run: update },
  { operation: "secret.update", method: "PATCH", path: "secrets/:name/:version", run: update },
];
