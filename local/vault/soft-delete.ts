import { seconds } from "./attributes.ts";
import { latest, lifeOf } from "./collection.ts";
import type { AnyCollection } from "./collection.ts";
import { beingDeleted, idOf, nounOf, readDeleted, readLive, refuseDisabled, refuseManaged } from "./kind.ts";
import type { Fields, Kind, View } from "./kind.ts";
import type { Call, Operation, Reply, Vault, VaultObject, VersionRecord } from "./model.ts";
import { page } from "./paging.ts";
import { Refusal } from "./refusal.ts";

const day = 86_400_000;

/** Deletion, and what can be done with a deleted object: get, list, recover, purge. */
export function softDeleteOperations<V extends VersionRecord, O extends VaultObject<V>>(kind: Kind<V, O>): Operation[] {
  const noun = nounOf(kind);
  const deletedPath = `deleted${noun}s`;

  function remove(call: Call): Reply {
    const { vault, now } = call;
    refuseWhileDeleting(call);
    const [object] = readLive(kind, call);
    refuseManaged(kind, object, "delete");
    const at = seconds(now) * 1000;
    const life = {
      deleted: { at, purgeAt: at + vault.retentionDays * day },
      settledAt: now + vault.settings.deleteDelayMs,
    };
    vault.commit(belonging(vault, object.name).map((one) => one.settling(object.name, life)));
    return { status: 200, body: deletedBundle(call, { ...object, ...life }) };
  }

  function getDeleted(call: Call): Reply {
    const object = readDeleted(kind, call);
    refuseDisabled(kind, latest(object));
    return { status: 200, body: deletedBundle(call, object) };
  }

  function listDeleted(call: Call): Reply {
    const { vault, now } = call;
    const collection = kind.collection(vault);
    return page(call, deletedPath, collection.names(), (name) => {
      const object = collection.find(name);
      if (!object || lifeOf(object, now) !== "deleted") return undefined;
      const item = kind.item(call, object, latest(object), idOf(kind, vault, object.name));
      return { ...deletion(vault, object), ...item };
    });
  }

  function recover(call: Call): Reply {
    const { vault, now } = call;
    const object = readDeleted(kind, call);
    refuseManaged(kind, object, "recover");
    const life = { deleted: undefined, settledAt: now + vault.settings.deleteDelayMs };
    vault.commit(belonging(vault, object.name).map((one) => one.settling(object.name, life)));
    return { status: 200, body: kind.bundle(call, { ...object, ...life }, latest(object)) };
  }

  function purge(call: Call): Reply {
    const { vault } = call;
    refuseWhileDeleting(call);
    const { name } = readDeleted(kind, call);
    refuseManaged(kind, kind.collection(vault).find(name), "purge");
    if (vault.purgeProtection) {
      const text = `Operation "purge" is not allowed because purge protection is enabled for this vault. Key Vault service will automatically purge it after the retention period has passed.\r\nVault: ${vault.name};location=local`;
      throw new Refusal(403, "Forbidden", text);
    }
    vault.commit(belonging(vault, name).map((one) => one.removing(name)));
    return { status: 204 };
  }

  /** The collections that hold the object and its companions. */
  function belonging(vault: Vault, name: string): AnyCollection[] {
    const all: AnyCollection[] = [kind.collection(vault), ...(kind.companions?.(vault) ?? [])];
    return all.filter((one) => one.find(name));
  }

  function refuseWhileDeleting({ vault, now, name }: Call): void {
    if (lifeOf(kind.collection(vault).find(name), now) === "deleting") throw beingDeleted(kind.type);
  }

  function deletion(vault: Vault, { name, deleted }: O): Fields {
    return {
      recoveryId: `${vault.url}/${deletedPath}/${name}`,
      deletedDate: seconds(deleted!.at),
      scheduledPurgeDate: seconds(deleted!.purgeAt),
    };
  }

  const deletedBundle = (view: View, object: O): Fields => ({
    ...deletion(view.vault, object),
    ...kind.bundle(view, object, latest(object)),
  });

  return [
    { operation: `${noun}.delete`, method: "DELETE", path: `${noun}s/:name`, run: remove },
    { operation: `${noun}.listDeleted`, method: "GET", path: deletedPath, run: listDeleted },
    { operation: `${noun}.getDeleted`, method: "GET", path: `${deletedPath}/:name`, run: getDeleted },
    { operation: `${noun}.recover`, method: "POST", path: `${deletedPath}/:name/recover`, run: recover },
    { operation: `${noun}.purge`, method: "DELETE", path: `${deletedPath}/:name`, run: purge },
  ];
}
