import type { Clock } from "../clock.ts";
import { latest, lifeOf } from "./collection.ts";
import type { Collection } from "./collection.ts";
import type { Moment, ObjectType, Vault, VaultEvent, VaultObject, VersionRecord } from "./model.ts";

// Events of versions: new, near expiry (30 days before exp), expired. Facts: only versions created after the subscription;
// the last two only for the newest version; disabled ones too; each once per version.

/** A collection whose versions are watched. */
export interface Source {
  readonly vault: Pick<Vault, "name" | "url" | "resourceId">;
  readonly objectType: ObjectType;
  readonly collection: Pick<Collection<VersionRecord>, "find" | "names" | "announce" | "revision">;
}

export interface EventOptions {
  readonly clock: Clock;
  /** Instant (ms) from which on new versions are of interest; undefined: no subscription. */
  readonly subscribedSince: (vault: string) => number | undefined;
  /** Takes an event over; when it rejects, it is called again a second later. */
  readonly onEvent: (event: VaultEvent) => void | Promise<void>;
  /** Real milliseconds between two looks at the clock. */
  readonly tickMs: number;
}

export interface Events {
  readonly watch: (source: Source) => void;
  /** Tells of a version just written, at once. */
  readonly created: (source: Source, object: VaultObject<VersionRecord>, version: VersionRecord) => void;
  readonly close: () => void;
}

const nearMs = 30 * 86_400_000;
const retryMs = 1000;

/**
 * Starts watching. An event counts as given once `onEvent` has resolved, and is then recorded with the version; a process
 * killed in between gives it again: at least once, like Event Grid itself.
 */
export function createEvents({ clock, subscribedSince, onEvent, tickMs }: EventOptions): Events {
  const sources: Source[] = [];
  /** What is on its way or waits for another try, by version and moment; the value is the real time of the next try. */
  const pending = new Map<string, number>();
  let closed = false;

  const give = async (source: Source, name: string, version: VersionRecord, moment: Moment) => {
    const key = `${source.vault.name}/${source.objectType}/${name}/${version.id}/${moment}`;
    if ((pending.get(key) ?? 0) > performance.now()) return;
    pending.set(key, Infinity);
    try {
      await onEvent(eventOf(source, name, version, moment, clock.now()));
    } catch {
      pending.set(key, performance.now() + retryMs);
      return;
    }
    pending.delete(key);
    if (!closed) source.collection.announce(name, version.id, moment);
  };

  const look = (source: Source, now: number) => {
    const since = subscribedSince(source.vault.name);
    if (since === undefined) return;
    for (const name of source.collection.names()) {
      const object = source.collection.find(name)!;
      if (lifeOf(object, now) !== "live") continue;
      const newest = latest(object);
      if (newest.created < since) continue;
      for (const moment of due(newest, now)) void give(source, object.name, newest, moment);
    }
  };
  /** A version's birth is told when it is written; what a kill or a rejection kept back is told here. */
  const lookBack = (source: Source) => {
    const since = subscribedSince(source.vault.name);
    if (since === undefined) return;
    for (const name of source.collection.names()) {
      const object = source.collection.find(name)!;
      for (const version of object.versions) {
        if (version.created < since || version.announced.includes("NewVersionCreated")) continue;
        void give(source, object.name, version, "NewVersionCreated");
      }
    }
  };
  const tick = () => {
    if (closed) return;
    const now = clock.now();
    const retry = [...pending].some(([key, at]) => key.endsWith("/NewVersionCreated") && at <= performance.now());
    for (const source of sources) {
      if (retry) lookBack(source);
      look(source, now);
    }
  };
  const timer = setInterval(tick, tickMs).unref();

  return {
    watch(source) {
      sources.push(source);
      lookBack(source);
    },
    created(source, object, version) {
      const since = subscribedSince(source.vault.name);
      if (since === undefined || version.created < since) return;
      void give(source, object.name, version, "NewVersionCreated");
    },
    close() {
      closed = true;
      clearInterval(timer);
    },
  };
}

/** The moments of the newest version that have come and were not told. One born after its expiry was never near it. */
function due({ exp, created, announced }: VersionRecord, now: number): Moment[] {
  if (exp === undefined) return [];
  const end = exp * 1000;
  const moments: Moment[] = [];
  if (now >= end - nearMs && created < end && !announced.includes("NearExpiry")) moments.push("NearExpiry");
  if (now >= end && !announced.includes("Expired")) moments.push("Expired");
  return moments;
}

function eventOf(source: Source, name: string, version: VersionRecord, moment: Moment, now: number): VaultEvent {
  const { vault, objectType } = source;
  return {
    type: `Microsoft.KeyVault.${objectType}${moment}`,
    vaultName: vault.name,
    resourceId: vault.resourceId,
    objectType,
    objectName: name,
    version: version.id,
    id: `${vault.url}/${objectType.toLowerCase()}s/${name}/${version.id}`,
    ...(version.nbf === undefined ? {} : { nbf: version.nbf }),
    ...(version.exp === undefined ? {} : { exp: version.exp }),
    time: new Date(now).toISOString(),
  };
}
