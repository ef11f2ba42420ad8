import type { Moment, VaultObject, VersionRecord } from "./model.ts";

/** What a change to an object leaves in the journal: its state and the versions that are new or changed; null: purged. */
export interface ObjectRecord<V> {
  readonly kind: string;
  readonly name: string;
  readonly state: Omit<VaultObject<V>, "name" | "versions"> | null;
  readonly versions?: readonly V[];
}

/** All secrets (or keys, or certificates) of a vault, live and deleted alike: a name stays taken until it is purged. */
export interface Collection<V extends VersionRecord> {
  /** By name, in any spelling. */
  readonly find: (name: string) => VaultObject<V> | undefined;
  /** Lower-case names in order. */
  readonly names: () => readonly string[];
  /** Makes `object` the state of its name; `changed` are those of its versions that differ from before. */
  readonly write: (object: VaultObject<V>, changed: readonly V[]) => void;
  readonly remove: (name: string) => void;
  /** Records that the event of a version's moment was handed over; nothing when the version is gone. */
  readonly announce: (name: string, id: string, moment: Moment) => void;
  /** Grows with every change. */
  readonly revision: () => number;
  /** Removes what has been deleted for the whole retention. */
  readonly purgeDue: (now: number) => void;
  readonly replay: (record: ObjectRecord<V>) => void;
  readonly snapshot: () => ObjectRecord<V>[];
}

/** Makes an empty collection that hands every change to `append` before it takes effect. */
export function createCollection<V extends VersionRecord>(
  kind: string,
  append: (record: ObjectRecord<V>) => void,
): Collection<V> {
  const objects = new Map<string, VaultObject<V>>();
  let sorted: string[] | undefined;
  let nextPurge = Infinity;
  let revision = 0;

  const put = (object: VaultObject<V>) => {
    revision += 1;
    const key = object.name.toLowerCase();
    if (!objects.has(key)) sorted = undefined;
    objects.set(key, object);
    if (object.deleted) nextPurge = Math.min(nextPurge, object.deleted.purgeAt);
  };
  const drop = (name: string) => {
    revision += 1;
    if (objects.delete(name.toLowerCase())) sorted = undefined;
  };
  const remove = (name: string) => {
    append({ kind, name, state: null });
    drop(name);
  };
  const find = (name: string) => objects.get(name.toLowerCase());
  const write = (object: VaultObject<V>, changed: readonly V[]) => {
    append({ kind, name: object.name, state: stateOf(object), versions: changed });
    put(object);
  };

  return {
    find,
    names: () => (sorted ??= [...objects.keys()].sort()),
    revision: () => revision,
    write,
    remove,
    announce(name, id, moment) {
      const object = find(name);
      const version = object?.versions.find((one) => one.id === id);
      if (!object || !version) return;
      const told = { ...version, announced: [...version.announced, moment] };
      write({ ...object, versions: withVersion(object.versions, told) }, [told]);
    },
    purgeDue(now) {
      if (now < nextPurge) return;
      nextPurge = Infinity;
      for (const { name, deleted } of objects.values()) {
        if (!deleted) continue;
        if (deleted.purgeAt <= now) remove(name);
        else nextPurge = Math.min(nextPurge, deleted.purgeAt);
      }
    },
    replay(record) {
      if (!record.state) return drop(record.name);
      let versions = objects.get(record.name.toLowerCase())?.versions ?? [];
      for (const version of record.versions ?? []) versions = withVersion(versions, version);
      return put({ name: record.name, versions, ...record.state });
    },
    snapshot: () =>
      [...objects.values()].map((object) => ({
        kind,
        name: object.name,
        state: stateOf(object),
        versions: object.versions,
      })),
  };
}

const stateOf = ({ deleted, settledAt }: VaultObject<unknown>) => ({ deleted, settledAt });

/** The newest version: the last one made. */
export function latest<V>(object: VaultObject<V>): V {
  return object.versions.at(-1)!;
}

/** `versions` with `version` in the place of the one with its id, or at the end. */
export function withVersion<V extends VersionRecord>(versions: readonly V[], version: V): readonly V[] {
  const at = versions.findIndex(({ id }) => id === version.id);
  return at < 0 ? [...versions, version] : versions.with(at, version);
}

/** Where an object is in its life. Deletions and recoveries take a while, as the service's do. */
export type Life = "absent" | "live" | "deleting" | "deleted" | "recovering";

/** The life of `object` at the instant `now`. */
export function lifeOf(object: VaultObject<unknown> | undefined, now: number): Life {
  if (!object) return "absent";
  const settled = now >= (object.settledAt ?? 0);
  if (object.deleted) return settled ? "deleted" : "deleting";
  return settled ? "live" : "recovering";
}
