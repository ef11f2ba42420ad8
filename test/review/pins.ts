import type { Consumer } from "../../src/consumer.ts";
import { key, stage } from "./fakes.ts";

// One pinned consumer in memory, in a rotation that is being undone.

export const given = { objectId: "db", rotationId: "r-1", instanceId: key, turningBack: true } as const;

/** A reference's text. */
export const pinnedTo = (version: string): string => `https://kv-orders/secrets/db/${version}`;

/** The steps, with a consumer whose reference is `now`; it was pinned to `former`, and the rotation published `ours`. */
export function moved(now: string, prove: Consumer["prove"] = async () => []) {
  let text = now;
  const consumer: Consumer = {
    kind: "app-service",
    roles: [],
    needs: () => [],
    resource: () => "site",
    read: async () => ({ text, pinned: text.split("/").at(-1) ?? "" }),
    reference: (_step, version) => pinnedTo(version),
    move: async (_step, next) => void (text = next),
    prove,
  };
  const site =
    "/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/rg/providers/Microsoft.Web/sites/api";
  const consumers = [{ kind: "app-service", id: "api", resourceId: site, setting: "DB", reads: "pinned", lag: "PT0S" }];
  const { steps, records } = stage({ consumer: () => consumer, object: { consumers } });
  records.become({ phase: "rolling-back", publishedVersion: "ours" });
  return {
    steps,
    text: () => text,
    before: [{ id: "api", reads: "pinned", text: pinnedTo("former"), pinned: "former" }] as const,
  };
}
