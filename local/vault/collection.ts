import type { Moment, VaultObject, VersionRecord } from "./model.ts";

/** What a change to an object leaves in the journal: its state and the versions that are new or changed; null: purged. */
export interface ObjectRecord<V = unknown> {
  readonly kind: string;
  readonly name: string;
  /** All that the object has beside its name and versions. */
  readonly state: Pick<VaultObject<V>, "deleted" | "settledAt"> | null;
  readonly versions?: readonly V[];
}

/** A change that is not made yet: what the journal must hold of it, and how it then takes effect. */
export interface Change {
  readonly record: ObjectRecord;
  readonly apply: () => void;
}

/** Makes changes that belong together: after a kill, all of them are there or none. */
export type Commit = (changes: readonly Change[]) => void;

/** What can be done with a collection whatever kind of object it holds. */
export interface AnyCollection {
  /** `secrets`, `keys`, `certificates`: as in the path of ids. */
  readonly kind: string;
  /** By name, in any spelling. */
  readonly find: (name: string) => VaultObject<VersionRecord> | undefined;
  /** Lower-case names in order. */
  readonly names: () => readonly string[];
  /** The change that deletes or recovers an object, which must be there. */
  readonly settling: (name: string, life: Pick<VaultObject<unknown>, "deleted" | "settledAt">) => Change;
  readonly removing: (name: string) => Change;
  /** The change that brings back what a record holds. */
  readonly restoring: (record: ObjectRecord) => Change;
  /** A whole object as a record. */
  readonly record: (name: string) => ObjectRecord<VersionRecord> | undefined;
  /** Records that the event of a version's moment was handed over; nothing when the version is gone. */
  readonly announce: (name: string, id: string, moment: Moment) => void;
  /** Grows with every change. */
  readonly revision: () => number;
  /** Removes what has been deleted for the whole retention. */
  readonly purgeDue: (now: number) => void;
  readonly clear: () => void;
  readonly replay: (record: ObjectRecord) => void;
  readonly snapshot: () => ObjectRecord[];
}

/** All secrets (or keys, or certificates) of a vault, live and deleted alike: a name stays taken until it is purged. */
export interface Collection<V extends VersionRecord, O extends VaultObject<V> = VaultObject<V>> extends AnyCollection {
  readonly find: (name: string) => O | undefined;
  /** The change that makes `object` the state of its name; `changed` are those of its versions that differ from before. */
  readonly writing: (object: O, changed: readonly V[]) => Change;
  /** Makes that change, alone. */
  readonly write: (object: O, changed: readonly V[]) => void;
}

/** Makes an empty collection that hands every change to `commit`. */
export function createCollection<V extends VersionRecord, O extends VaultObject<V> = VaultObject<V>>(
  kind: string,
  commit: Commit,
): Collection<V, O> {
  const objects = new Map<string, O>();
  let sorted: string[] | undefined;
  let nextPurge = Infinity;
  let revision = 0;

  const put = (object: O) => {
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
  const find = (name: string) => objects.get(name.toLowerCase());
  const recordOf = ({ name, versions, ...state }: O) => ({ kind, name, state, versions });
  const removing = (name: string): Change => ({ record: { kind, name, state: null }, apply: () => drop(name) });
  const writing = (object: O, versions: readonly V[]): Change => ({
    record: { ...recordOf(object), versions },
    apply: () => put(object),
  });
  const replay = (record: ObjectRecord) => {
    if (!record.state) return drop(record.name);
    let versions: readonly V[] = find(record.name)?.versions ?? [];
    for (const version of (record.versions ?? []) as readonly V[]) versions = withVersion(versions, version);
    return put({ name: record.name, versions, ...record.state } as O);
  };

  return {
    kind,
    find,
    names: () => (sorted ??= [...objects.keys()].sort()),
    revision: () => revision,
    writing,
    write: (object, changed) => commit([writing(object, changed)]),
    settling: (name, life) => writing({ ...find(name)!, ...life }, []),
    removing,
    restoring: (record) => ({ record, apply: () => replay(record) }),
    record(name) {
      const object = find(name);
      return object && recordOf(object);
    },
    announce(name, id, moment) {
      const object = find(name);
      const version = object?.versions.find((one) => one.id === id);
      if (!object || !version) return;
      const told = { ...version, announced: [...version.announced, moment] };
      commit([writing({ ...object, versions: withVersion(object.versions, told) }, [told])]);
    },
    purgeDue(now) {
      if (now < nextPurge) return;
      nextPurge = Infinity;
      for (const { name, deleted } of objects.values()) {
        if (!deleted) continue;
        if (deleted.purgeAt <= now) commit([removing(name)]);
        else nextPurge = Math.min(nextPurge, deleted.purgeAt);
      }
    },
    clear() {
      commit([...objects.keys()].map(removing));
    },
    replay,
    snapshot: () => [...objects.values()].map(recordOf),
  };
}

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
