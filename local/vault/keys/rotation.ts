import type { JsonWebKey } from "node:crypto";
import type { Clock } from "../../clock.ts";
import { seconds } from "../attributes.ts";
import { createClockwork } from "../clockwork.ts";
import type { Clockwork } from "../clockwork.ts";
import { latest, lifeOf } from "../collection.ts";
import { durationMs } from "./durations.ts";
import { generateKey, specOf } from "./material.ts";
import { addVersion, keyKind } from "./keys.ts";
import { readLive, refuseManaged } from "../kind.ts";
import type { Call, Key, KeyVersion, Operation, Reply, Vault } from "../model.ts";
import { Refusal } from "../refusal.ts";

// New versions of keys: on request, and by the policy as the clock goes on.

async function rotate(call: Call): Promise<Reply> {
  const [before, version] = readLive(keyKind, call);
  refuseManaged(keyKind, before, "rotate");
  const jwk = await generateKey(specOf(version.jwk));
  const [key] = readLive(keyKind, call);
  return { status: 200, body: keyKind.bundle(call, ...addRotated(call, key, jwk)) };
}

/** A version like the newest one; only the policy gives it an expiry. */
function addRotated(call: Pick<Call, "vault" | "now" | "name">, key: Key, jwk: JsonWebKey): [Key, KeyVersion] {
  const { keyOps, tags } = latest(key);
  const { expiryTime } = key.rotationPolicy ?? {};
  const exp = expiryTime && seconds(call.now + durationMs(expiryTime)!);
  return addVersion(call, { jwk, keyOps, ...(tags ? { tags } : {}), ...(exp ? { exp } : {}) });
}

/** When the policy has the newest version replaced: Infinity for never. */
function rotationAt(key: Key): number {
  const { created, exp, enabled } = latest(key);
  const action = key.rotationPolicy?.lifetimeActions.find(({ type }) => type === "Rotate");
  if (!action || !enabled) return Infinity;
  if (action.timeAfterCreate !== undefined) return created + durationMs(action.timeAfterCreate)!;
  return exp === undefined ? Infinity : exp * 1000 - durationMs(action.timeBeforeExpiry ?? "")!;
}

/** Starts to look at the clock every `tickMs` real milliseconds. A clock that jumps over several rotations causes one. */
export function createAutoRotation({ clock, tickMs }: { readonly clock: Clock; readonly tickMs: number }): Clockwork {
  const underway = new Set<Key>();

  const work = async (vault: Vault, key: Key) => {
    underway.add(key);
    try {
      const jwk = await generateKey(specOf(latest(key).jwk));
      // A key that was changed meanwhile is looked at again.
      if (clockwork.closed() || vault.keys.find(key.name) !== key) return;
      addRotated({ vault, now: clock.now(), name: key.name }, key, jwk);
    } catch (error) {
      if (!clockwork.closed() && !(error instanceof Refusal))
        console.error(error instanceof Error ? error.stack : error);
    } finally {
      underway.delete(key);
    }
  };

  const look = (vault: Vault, now: number): number => {
    let nextAt = Infinity;
    for (const name of vault.keys.names()) {
      const key = vault.keys.find(name);
      if (!key || key.deleted) continue;
      const at = lifeOf(key, now) === "live" ? rotationAt(key) : (key.settledAt ?? Infinity);
      if (now < at) nextAt = Math.min(nextAt, at);
      else if (!underway.has(key)) void work(vault, key);
    }
    return nextAt;
  };

  const clockwork = createClockwork({ clock, tickMs, collectionOf: ({ keys }) => keys, look });
  return clockwork;
}

/** Rotation on request. */
export const rotationOperations: readonly Operation[] = [
  { operation: "key.rotate", method: "POST", path: "keys/:name/rotate", run: rotate },
];
