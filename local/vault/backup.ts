import { latest } from "./collection.ts";
import type { AnyCollection, ObjectRecord } from "./collection.ts";
import { nounOf, readLive, refuseManaged, refuseTaken } from "./kind.ts";
import type { Kind } from "./kind.ts";
import type { Call, Moment, ObjectType, Operation, Reply, Vault, VaultObject, VersionRecord } from "./model.ts";
import { Refusal, badParameter, conflict } from "./refusal.ts";
import { seal, unseal } from "./seal.ts";

const maxVersions = 500;

const types: Readonly<Record<string, ObjectType>> = { secrets: "Secret", keys: "Key", certificates: "Certificate" };

/** Backups: sealed, of all versions and of the companions too; any vault with the same key can restore them. */
export function backupOperations<V extends VersionRecord, O extends VaultObject<V>>(kind: Kind<V, O>): Operation[] {
  const noun = nounOf(kind);
  const purpose = `${kind.type} backup`;

  const collections = (vault: Vault): readonly AnyCollection[] => [
    kind.collection(vault),
    ...(kind.companions?.(vault) ?? []),
  ];

  function backup(call: Call): Reply {
    const { vault } = call;
    const [object] = readLive(kind, call);
    refuseManaged(kind, object, "backup");
    const { name, versions } = object;
    if (versions.length > maxVersions) {
      throw badParameter(`The ${noun} has ${versions.length} versions; at most ${maxVersions} can be backed up.`);
    }
    const records = collections(vault).flatMap((one) => one.record(name) ?? []);
    const blob = seal(vault.key, purpose, JSON.stringify(records));
    return { status: 200, body: { value: blob.toString("base64url") } };
  }

  /** Brings all versions back under their ids. They are not new, so no event says that they were created. */
  function restore(call: Call): Reply {
    const { vault, now } = call;
    const value = call.body()["value"];
    if (typeof value !== "string") throw badParameter("The parameter value is missing or not a string.");
    const text = unseal(vault.key, purpose, Buffer.from(value, "base64url"));
    if (text === undefined) throw new Refusal(400, "Malformed backup blob", "The backup blob is malformed.");
    const changes = (JSON.parse(text) as ObjectRecord<VersionRecord>[]).map((record) => {
      const collection = collections(vault).find((one) => one.kind === record.kind)!;
      refuseExisting(types[record.kind]!, collection.find(record.name), now);
      const versions = record.versions!.map((one) => ({
        ...one,
        announced: [...new Set<Moment>([...one.announced, "NewVersionCreated"])],
      }));
      return collection.restoring({ ...record, state: { ...record.state, settledAt: undefined }, versions });
    });
    vault.commit(changes);
    const object = kind.collection(vault).find(changes[0]!.record.name)!;
    return { status: 200, body: kind.bundle(call, object, latest(object)) };
  }

  return [
    { operation: `${noun}.backup`, method: "POST", path: `${noun}s/:name/backup`, run: backup },
    { operation: `${noun}.restore`, method: "POST", path: `${noun}s/restore`, run: restore },
  ];
}

function refuseExisting(type: ObjectType, object: VaultObject<unknown> | undefined, now: number): void {
  refuseTaken(type, object, now);
  if (object) throw conflict(`${type} ${object.name} already exists in this key vault; it cannot be restored over.`);
}
