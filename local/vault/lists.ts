import { latest, lifeOf } from "./collection.ts";
import { idOf, nounOf } from "./kind.ts";
import type { Kind } from "./kind.ts";
import type { Operation, VaultObject, VersionRecord } from "./model.ts";
import { page } from "./paging.ts";

/** The lists of live objects and of one's versions. */
export function listOperations<V extends VersionRecord, O extends VaultObject<V>>(kind: Kind<V, O>): Operation[] {
  const noun = nounOf(kind);
  return [
    {
      operation: `${noun}.list`,
      method: "GET",
      path: `${noun}s`,
      run(call) {
        const { vault, now } = call;
        const collection = kind.collection(vault);
        return page(call, `${noun}s`, collection.names(), (name) => {
          const object = collection.find(name);
          if (!object || lifeOf(object, now) !== "live") return undefined;
          return kind.item(call, object, latest(object), idOf(kind, vault, object.name));
        });
      },
    },
    {
      operation: `${noun}.versions`,
      method: "GET",
      path: `${noun}s/:name/versions`,
      /** In the order of version ids, which says nothing of their age. */
      run(call) {
        const { vault, now, name } = call;
        const object = kind.collection(vault).find(name);
        if (!object || lifeOf(object, now) !== "live") return { status: 200, body: { value: [], nextLink: null } };
        const byId = new Map(object.versions.map((version) => [version.id, version]));
        return page(call, `${noun}s/${object.name}/versions`, [...byId.keys()].sort(), (id) =>
          kind.item(call, object, byId.get(id)!, idOf(kind, vault, object.name, id)),
        );
      },
    },
  ];
}
