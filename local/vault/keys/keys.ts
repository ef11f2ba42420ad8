import type { JsonWebKey } from "node:crypto";
import { isFrom } from "../api-version.ts";
import { attributesOf, readAttributes, readTags } from "../attributes.ts";
import { backupOperations } from "../backup.ts";
import { readArray, readObject } from "../body.ts";
import type { Body } from "../body.ts";
import { latest, withVersion } from "../collection.ts";
import { curveOf } from "./curves.ts";
import { generateKey, readJwk, readKeySpec } from "./material.ts";
import { idOf, notFoundText, readFree, readLive, refuseDisabled, refuseManaged } from "../kind.ts";
import type { Fields, Kind, View } from "../kind.ts";
import { listOperations } from "../lists.ts";
import type { Call, Json, Key, KeyVersion, Operation, Reply } from "../model.ts";
import { badParameter } from "../refusal.ts";
import { softDeleteOperations } from "../soft-delete.ts";
import { newVersion } from "../version.ts";

// The keys of a vault: https://learn.microsoft.com/rest/api/keyvault/keys. What is done with them is in crypto.ts, their
// rotation in rotation.ts.

const maxTagLength = 256;
const signingOps = ["sign", "verify"];
/** In the order in which the service names them. */
const rsaOps = ["encrypt", "decrypt", ...signingOps, "wrapKey", "unwrapKey"];

/** Keys, to everything that all kinds share. */
export const keyKind: Kind<KeyVersion, Key> = {
  type: "Key",
  collection: (vault) => vault.keys,
  bundle(view, key, version) {
    const id = idOf(keyKind, view.vault, key.name, version.id);
    return { key: publicPart(version, id), ...common(view, version) };
  },
  item: (view, _, version, kid) => ({ kid, ...common(view, version) }),
  notFound: (id) => notFoundText("key", id),
};

function common(view: View, version: KeyVersion): Fields {
  const { apiVersion } = view;
  const attributes = {
    ...attributesOf(view.vault, version),
    ...(isFrom(apiVersion, "7.4") ? { exportable: false } : {}),
    ...(isFrom(apiVersion, "7.5") ? { hsmPlatform: "0" } : {}),
  };
  return { attributes, tags: version.tags, ...(version.managed ? { managed: true } : {}) };
}

function publicPart({ jwk, keyOps }: KeyVersion, kid: string): Json {
  const { n, e, x, y } = jwk;
  return jwk.kty === "RSA"
    ? { kid, kty: "RSA", key_ops: keyOps, n, e }
    : { kid, kty: "EC", key_ops: keyOps, crv: curveOf(jwk).name, x, y };
}

/** A key that is to become a version: what a creation, an import and a rotation have in common. */
export type NewKey = Pick<KeyVersion, "jwk" | "keyOps"> & Partial<Pick<KeyVersion, "enabled" | "nbf" | "exp" | "tags">>;

/** Makes a version, whether the name is new or not. */
export function addVersion(call: Pick<Call, "vault" | "now" | "name">, made: NewKey): [Key, KeyVersion] {
  const { vault, now, name } = call;
  const before = readWritable(call);
  // A key may have taken long to make, while others were written: the newest version is never older than one before it.
  const created = before ? Math.max(now, latest(before).created) : now;
  const version: KeyVersion = { ...newVersion(created), ...made };
  const key: Key = { ...before, name: before?.name ?? name, versions: [...(before?.versions ?? []), version] };
  vault.keys.write(key, [version]);
  vault.created("Key", key, version);
  return [key, version];
}

function readWritable(call: Pick<Call, "vault" | "now" | "name">): Key | undefined {
  const before = readFree(keyKind, call);
  refuseManaged(keyKind, before, "create");
  return before;
}

async function create(call: Call): Promise<Reply> {
  const body = call.body();
  const spec = readKeySpec(body);
  const keyOps = readKeyOps(body, spec.kty) ?? defaultOps(spec.kty);
  const rest = readRest(body);
  readWritable(call);
  return {
    status: 200,
    body: keyKind.bundle(call, ...addVersion(call, { jwk: await generateKey(spec), keyOps, ...rest })),
  };
}

function importKey(call: Call): Reply {
  const body = call.body();
  const hsm = body["Hsm"] ?? body["hsm"] ?? false;
  if (hsm !== false) throw badParameter("Property 'Hsm' has invalid value: this vault keeps no keys in an HSM.\r\n");
  const given: Body = readObject(body, "key") ?? {};
  const jwk = readJwk(body);
  const keyOps = readKeyOps(given, jwk.kty) ?? defaultOps(jwk.kty);
  return { status: 200, body: keyKind.bundle(call, ...addVersion(call, { jwk, keyOps, ...readRest(body) })) };
}

/** A disabled version hides its public part too; nbf and exp do not matter here. */
function get(call: Call): Reply {
  const [key, version] = readLive(keyKind, call);
  refuseDisabled(keyKind, version);
  return { status: 200, body: keyKind.bundle(call, key, version) };
}

function update(call: Call): Reply {
  const { vault, now } = call;
  const body = call.body();
  const { tags, ...attributes } = readRest(body);
  const [key, before] = readLive(keyKind, call);
  const keyOps = readKeyOps(body, before.jwk.kty);
  refuseManaged(keyKind, key, "update");
  const version: KeyVersion = {
    ...before,
    ...attributes,
    ...(keyOps === undefined ? {} : { keyOps }),
    ...(tags === undefined ? {} : { tags }),
    updated: now,
  };
  const changed: Key = { ...key, versions: withVersion(key.versions, version) };
  vault.keys.write(changed, [version]);
  return { status: 200, body: keyKind.bundle(call, changed, version) };
}

/** Attributes and tags. A key in software is not exportable, so it has no release policy either. */
function readRest(body: Body) {
  const attributes = readAttributes(body);
  const exportable = readObject(body, "attributes")?.["exportable"] ?? false;
  if (typeof exportable !== "boolean") throw badParameter("The parameter attributes.exportable is not a boolean.");
  if (exportable) throw badParameter("Exportable keys are not supported by this vault: they must be kept in an HSM.");
  if (readObject(body, "release_policy")) {
    throw badParameter("AKV.SKR.1005: Non-exportable keys must not have release policy");
  }
  const tags = readTags(body, maxTagLength);
  return { ...attributes, ...(tags === undefined ? {} : { tags }) };
}

const opsOf = (kty: JsonWebKey["kty"]): readonly string[] => (kty === "RSA" ? rsaOps : signingOps);

const defaultOps = opsOf;

function readKeyOps(body: Body, kty: JsonWebKey["kty"]): readonly string[] | undefined {
  const given = readArray(body, "key_ops");
  const wrong = given?.filter((one) => typeof one !== "string" || !opsOf(kty).includes(one)) ?? [];
  if (wrong.length > 0) {
    // What is no text is not shown: it may be nested deeper than the stack is.
    const list = (ops: readonly unknown[]) =>
      ops.map((op) => (typeof op === "string" ? JSON.stringify(op) : "(not a string)")).join(", ");
    throw badParameter(`Unsupported key operation(s): ${list(wrong)}. Supported values are ${list(opsOf(kty))}.`);
  }
  return given && [...new Set(given as string[])];
}

/** The operations on keys that are not cryptography or rotation. */
export const keyOperations: readonly Operation[] = [
  ...listOperations(keyKind),
  { operation: "key.get", method: "GET", path: "keys/:name", run: get },
  { operation: "key.get", method: "GET", path: "keys/:name/:version", run: get },
  { operation: "key.create", method: "POST", path: "keys/:name/create", run: create },
  { operation: "key.import", method: "PUT", path: "keys/:name", run: importKey },
  { operation: "key.update", method: "PATCH", path: "keys/:name", run: update },
  { operation: "key.update", method: "PATCH", path: "keys/:name/:version", run: update },
  ...softDeleteOperations(keyKind),
  ...backupOperations(keyKind),
];
