import type { AnyCollection, Collection } from "./collection.ts";
import { latest, lifeOf } from "./collection.ts";
import type { Call, Json, ObjectType, Vault, VaultObject, VersionRecord } from "./model.ts";
import { Refusal, conflict } from "./refusal.ts";

// What secrets, keys and certificates have in common goes by a kind: look-ups here, the rest in lists.ts, soft-delete.ts
// and backup.ts.

/** Members of a JSON body. */
export type Fields = { readonly [key: string]: Json };

/** What a reply depends on beside the object it shows: newer versions of the protocol show more. */
export type View = Pick<Call, "vault" | "apiVersion">;

/** What sets one kind of object apart from the others. */
export interface Kind<V extends VersionRecord, O extends VaultObject<V> = VaultObject<V>> {
  readonly type: ObjectType;
  readonly collection: (vault: Vault) => Collection<V, O>;
  /** Collections whose objects of the same name live and die with one of this kind: a certificate's key and secret. */
  readonly companions?: (vault: Vault) => readonly AnyCollection[];
  /** What a reply says of a version (of a secret: all but the value). */
  readonly bundle: (view: View, object: O, version: V) => Fields;
  /** What a list says of a version, under the given id. */
  readonly item: (view: View, object: O, version: V, id: string) => Fields;
  /** Text of the 404 of a live object: `name` or `name/version`. */
  readonly notFound: (id: string) => string;
}

/** `secret`, `key`, `certificate`: as operations and texts have it; with an s as paths have it. */
export const nounOf = ({ type }: { readonly type: ObjectType }): string => type.toLowerCase();

/** The base id of an object, or with a version the id of that. */
export function idOf(kind: { readonly type: ObjectType }, vault: Vault, name: string, version?: string): string {
  return `${vault.url}/${nounOf(kind)}s/${name}${version ? `/${version}` : ""}`;
}

/** The usual text of a 404. */
export const notFoundText = (noun: string, id: string): string =>
  `A ${noun} with (name/id) ${id} was not found in this key vault. If you recently deleted this ${noun} you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182`;

/** The live object and the version that the call means: the one it names, else the newest. */
export function readLive<V extends VersionRecord, O extends VaultObject<V>>(kind: Kind<V, O>, call: Call): [O, V] {
  const { vault, now, name, version: id } = call;
  const object = kind.collection(vault).find(name);
  const live = object && lifeOf(object, now) === "live" ? object : undefined;
  const version = live && (id ? live.versions.find((one) => one.id === id) : latest(live));
  if (live && version) return [live, version];
  throw new Refusal(404, `${kind.type}NotFound`, kind.notFound(id ? `${name}/${id}` : name));
}

/** The soft-deleted object that the call names. */
export function readDeleted<V extends VersionRecord, O extends VaultObject<V>>(kind: Kind<V, O>, call: Call): O {
  const object = kind.collection(call.vault).find(call.name);
  if (object && lifeOf(object, call.now) === "deleted") return object;
  throw new Refusal(404, `${kind.type}NotFound`, `Deleted ${kind.type} not found: ${call.name}`);
}

/** The object under the call's name, if any; refuses when a deletion or recovery holds the name. */
export function readFree<V extends VersionRecord, O extends VaultObject<V>>(
  kind: Kind<V, O>,
  { vault, now, name }: Pick<Call, "vault" | "now" | "name">,
): O | undefined {
  const object = kind.collection(vault).find(name);
  refuseTaken(kind.type, object, now);
  // A certificate that is still being made has no key and secret yet, but holds their names.
  if (kind.type !== "Certificate" && vault.certificates.find(name)) throw managed(kind.type, "set");
  return object;
}

/** Refuses to write under a name that a deletion or recovery holds. */
export function refuseTaken(type: ObjectType, object: VaultObject<unknown> | undefined, now: number): void {
  const life = lifeOf(object, now);
  if (!object || life === "live") return;
  if (life === "deleting") throw beingDeleted(type);
  if (life === "recovering") {
    throw conflict(
      `${type} ${object.name} is currently being recovered and cannot be re-created; retry later.`,
      "ObjectIsBeingRecovered",
    );
  }
  throw conflict(
    `${type} ${object.name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the ${type.toLowerCase()} can only be recovered or purged.`,
    "ObjectIsDeletedButRecoverable",
  );
}

/** The 409 while a deletion runs. */
export const beingDeleted = (type: ObjectType): Refusal =>
  conflict(`${type} is currently being deleted.`, "ObjectIsBeingDeleted");

/** Refuses an operation on a disabled version. Certificates hold nothing but public parts: disabled ones can be read. */
export function refuseDisabled(kind: { readonly type: ObjectType }, version: VersionRecord, operation = "get"): void {
  if (version.enabled || kind.type === "Certificate") return;
  const text = `Operation ${operation} is not allowed on a disabled ${nounOf(kind)}.`;
  throw new Refusal(403, "Forbidden", text, `${kind.type}Disabled`);
}

/** Refuses an operation on a certificate's key or secret, which changes with its certificate only. */
export function refuseManaged(
  kind: { readonly type: ObjectType },
  object: VaultObject<VersionRecord> | undefined,
  operation: string,
): void {
  if (object && latest(object).managed) throw managed(kind.type, operation);
}

function managed(type: ObjectType, operation: string): Refusal {
  const text = `Operation "${operation}" is not allowed as this object's lifetime is managed by Key Vault.`;
  return new Refusal(403, "Forbidden", text, `${type}ManagedByKeyVault`);
}
