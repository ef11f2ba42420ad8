import { attributesOf, readAttributes, readTags, readText } from "./attributes.ts";
import { isFrom } from "./api-version.ts";
import { backupOperations } from "./backup.ts";
import { pemOf } from "./certificates/content.ts";
import { pemType, pkcs12Type } from "./certificates/model.ts";
import { withVersion } from "./collection.ts";
import { idOf, notFoundText, readFree, readLive, refuseDisabled, refuseManaged } from "./kind.ts";
import type { Kind, View } from "./kind.ts";
import { listOperations } from "./lists.ts";
import type { Call, Operation, Reply, SecretVersion, VaultObject } from "./model.ts";
import { badParameter } from "./refusal.ts";
import { softDeleteOperations } from "./soft-delete.ts";
import { newVersion } from "./version.ts";

// The secrets of a vault: https://learn.microsoft.com/rest/api/keyvault/secrets.

type Secret = VaultObject<SecretVersion>;

const maxValueBytes = 25 * 1024;
const maxContentType = 255;
const maxTagLength = 512;
/** The first version of the protocol (with its preview) that knows more of the secrets of certificates. */
const sinceDated = "2025-06-01";

/** Secrets, to everything that all kinds share. */
export const secretKind: Kind<SecretVersion> = {
  type: "Secret",
  collection: (vault) => vault.secrets,
  bundle: (view, secret, version) => ({
    ...describe(view, secret, version, idOf(secretKind, view.vault, secret.name, version.id)),
    previousVersion: previousOf(view, secret, version),
  }),
  item: describe,
  notFound: (id) => notFoundText("secret", id),
};

/** A secret without its value. A certificate's secret names the key that was made with it, under the same version. */
function describe({ vault }: View, { name }: Secret, version: SecretVersion, id: string) {
  const { contentType, tags, managed } = version;
  return {
    id,
    contentType,
    attributes: attributesOf(vault, version),
    tags,
    ...(managed ? { kid: idOf({ type: "Key" }, vault, name, version.id), managed } : {}),
  };
}

/** The certificate's version before; secrets of other kinds do not tell it. */
function previousOf({ apiVersion }: View, { versions }: Secret, { id, managed }: SecretVersion): string | undefined {
  if (!managed || !isFrom(apiVersion, sinceDated)) return undefined;
  return versions[versions.findIndex((one) => one.id === id) - 1]?.id;
}

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
  const before = readFree(secretKind, call);
  refuseManaged(secretKind, before, "set");
  const version: SecretVersion = { ...newVersion(now), ...attributes, tags, contentType, value };
  const secret: Secret = { ...before, name: before?.name ?? name, versions: [...(before?.versions ?? []), version] };
  vault.secrets.write(secret, [version]);
  vault.created("Secret", secret, version);
  return { status: 200, body: { value, ...secretKind.bundle(call, secret, version) } };
}

/** The newest version decides alone: when it is disabled, no older one steps in. nbf and exp are information only. */
function get(call: Call): Reply {
  const [secret, version] = readLive(secretKind, call);
  refuseDisabled(secretKind, version);
  const shown = converted(call, version);
  return { status: 200, body: { value: shown.value, ...secretKind.bundle(call, secret, shown) } };
}

/** As the reader asks for it by `outContentType`: PEM instead of PFX, which is the only conversion that there is. */
function converted({ apiVersion, query }: Call, version: SecretVersion): SecretVersion {
  const wanted = isFrom(apiVersion, sinceDated) ? query.get("outcontenttype") : undefined;
  if (wanted === undefined || wanted === version.contentType) return version;
  if (wanted !== pemType || version.contentType !== pkcs12Type) {
    throw badParameter(`The secret cannot be converted to ${wanted}: only ${pkcs12Type} to ${pemType} is supported.`);
  }
  return { ...version, value: pemOf(version.value), contentType: pemType };
}

function update(call: Call): Reply {
  const { vault, now } = call;
  const body = call.body();
  const contentType = readText(body, "contentType", maxContentType);
  const tags = readTags(body, maxTagLength);
  const attributes = readAttributes(body);
  const [secret, before] = readLive(secretKind, call);
  refuseManaged(secretKind, secret, "update");
  const version: SecretVersion = {
    ...before,
    ...attributes,
    ...(contentType === undefined ? {} : { contentType }),
    ...(tags === undefined ? {} : { tags }),
    updated: now,
  };
  const changed: Secret = { ...secret, versions: withVersion(secret.versions, version) };
  vault.secrets.write(changed, [version]);
  return { status: 200, body: secretKind.bundle(call, changed, version) };
}

/** All operations on secrets, live and deleted. */
export const secretOperations: readonly Operation[] = [
  ...listOperations(secretKind),
  { operation: "secret.get", method: "GET", path: "secrets/:name", run: get },
  { operation: "secret.get", method: "GET", path: "secrets/:name/:version", run: get },
  { operation: "secret.set", method: "PUT", path: "secrets/:name", run: set },
  { operation: "secret.update", method: "PATCH", path: "secrets/:name", run: update },
  { operation: "secret.update", method: "PATCH", path: "secrets/:name/:version", run: update },
  ...softDeleteOperations(secretKind),
  ...backupOperations(secretKind),
];
