import type { Clock } from "../clock.ts";
import { latest, lifeOf } from "./collection.ts";
import type { AnyCollection } from "./collection.ts";
import type { Moment, ObjectType, Vault, VaultEvent, VaultObject, VersionRecord } from "./model.ts";

// Events of versions: new, near expiry (30 days before exp), expired. Facts: only versions created after the subscription;
// the last two only for the newest version; disabled ones too; each once per version.

/** A collection whose versions are watched. */
export interface Source {
  readonly vault: Pick<Vault, "name" | "url" | "resourceId">;
  readonly objectType: ObjectType;
  readonly collection: Pick<AnyCollection, "find" | "names" | "announce" | "revision">;
  /** Resolves when what was written so far is on the disk: no event speaks of anything else. */
  readonly durable: () => Promise<void> | undefined;
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

/** A source with what the last look at it saw, so that the next one need not look at every object again. */
interface Watched extends Source {
  revision: number;
  since: number | undefined;
  /** When, with no change, the next look is due. */
  nextAt: number;
}

/**
 * Starts watching. An event counts as given once `onEvent` has resolved, and is then recorded with the version; a process
 * killed in between gives it again: at least once, like Event Grid itself.
 */
export function createEvents({ clock, subscribedSince, onEvent, tickMs }: EventOptions): Events {
  const sources: Watched[] = [];
  /** Events that are on their way or wait for another try. */
  const underway = new Set<string>();
  let closed = false;

  const give = (source: Source, name: string, version: VersionRecord, moment: Moment) => {
    const event = eventOf(source, name, version, moment, clock.now());
    const key = `${event.type} ${event.id}`;
    if (underway.has(key)) return;
    underway.add(key);
    const attempt = async () => {
      if (closed) return;
      try {
        await source.durable();
        await onEvent(event);
        if (closed) return;
        source.collection.announce(name, version.id, moment);
        underway.delete(key);
      } catch {
        setTimeout(() => void attempt(), retryMs).unref();
      }
    };
    void attempt();
  };

  /** Tells of births that a kill kept back; those of running vaults are told as they happen. */
  const lookBack = (source: Watched, since: number) => {
    for (const object of objects(source)) {
      for (const version of object.versions) {
        if (version.created < since || version.announced.includes("NewVersionCreated")) continue;
        give(source, object.name, version, "NewVersionCreated");
      }
    }
  };

  const look = (source: Watched, since: number, now: number) => {
    source.nextAt = Infinity;
    for (const object of objects(source)) {
      const newest = latest(object);
      if (newest.created < since) continue;
      const life = lifeOf(object, now);
      if (life === "recovering") source.nextAt = Math.min(source.nextAt, object.settledAt ?? Infinity);
      if (life !== "live") continue;
      for (const { moment, at } of ahead(newest)) {
        if (now >= at) give(source, object.name, newest, moment);
        else source.nextAt = Math.min(source.nextAt, at);
      }
    }
  };

  const tick = () => {
    const now = clock.now();
    for (const source of sources) {
      const since = subscribedSince(source.vault.name);
      const revision = source.collection.revision();
      if (source.since === since && source.revision === revision && now < source.nextAt) continue;
      if (since !== undefined) {
        if (source.since !== since) lookBack(source, since);
        look(source, since, now);
      }
      Object.assign(source, { since, revision });
    }
  };
  const timer = setInterval(tick, tickMs).unref();

  return {
    watch: (source) => void sources.push({ ...source, revision: -1, since: undefined, nextAt: -Infinity }),
    created(source, object, version) {
      const since = subscribedSince(source.vault.name);
      if (since !== undefined && version.created >= since) give(source, object.name, version, "NewVersionCreated");
    },
    close() {
      closed = true;
      clearInterval(timer);
    },
  };
}

function* objects({ collection }: Source): Iterable<VaultObject<VersionRecord>> {
  for (const name of collection.names()) {
    const object = collection.find(name);
    if (object) yield object;
  }
}

/** The moments of the newest version that were not told yet. One born after its expiry was never near it. */
function ahead({ exp, created, announced }: VersionRecord): { readonly moment: Moment; readonly at: number }[] {
  if (exp === undefined) return [];
  const end = exp * 1000;
  const near = { moment: "NearExpiry", at: end - nearMs } as const;
  const both = [...(created < end ? [near] : []), { moment: "Expired", at: end } as const];
  return both.filter(({ moment }) => !announced.includes(moment));
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
