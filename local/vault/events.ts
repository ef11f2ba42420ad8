import { createHash, randomUUID } from "node:crypto";
import type { Clock } from "../clock.ts";
import { latest, lifeOf } from "./collection.ts";
import type { AnyCollection } from "./collection.ts";
import type { Moment, ObjectType, Vault, VaultEvent, VaultObject, VersionRecord } from "./model.ts";

// Events of versions: new, near expiry, expired. Facts: only versions created after the subscription;
// the last two only for the newest version; disabled ones too; each once per version.

/** A collection whose versions are watched. */
export interface Source {
  readonly vault: Pick<Vault, "name" | "url" | "resourceId">;
  readonly objectType: ObjectType;
  readonly collection: Pick<AnyCollection, "find" | "names" | "announce" | "revision">;
  /** Milliseconds before its expiry at which an object of that name is near it, where they are not 30 days. */
  readonly nearBefore?: (name: string) => number | undefined;
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
  /** Tells that a vault's access policies, or its permission model, changed. A kill may swallow it. */
  readonly accessChanged: (vault: Source["vault"]) => void;
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

  const hand = (event: VaultEvent, before: () => Promise<void> | undefined, after: () => void) => {
    if (underway.has(event.eventId)) return;
    underway.add(event.eventId);
    const attempt = async () => {
      if (closed) return;
      try {
        await before();
        await onEvent(event);
        if (closed) return;
        after();
        underway.delete(event.eventId);
      } catch {
        setTimeout(() => void attempt(), retryMs).unref();
      }
    };
    void attempt();
  };

  const give = (source: Source, name: string, version: VersionRecord, moment: Moment) =>
    hand(eventOf(source, name, version, moment, clock.now()), source.durable, () =>
      source.collection.announce(name, version.id, moment),
    );

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
      for (const { moment, at } of ahead(newest, source.nearBefore?.(object.name) ?? nearMs)) {
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
    accessChanged(vault) {
      if (subscribedSince(vault.name) === undefined) return;
      const event: VaultEvent = {
        type: "Microsoft.KeyVault.VaultAccessPolicyChanged",
        eventId: randomUUID(),
        vaultName: vault.name,
        resourceId: vault.resourceId,
        objectType: "Vault",
        objectName: vault.name,
        id: vault.url,
        time: new Date(clock.now()).toISOString(),
      };
      hand(
        event,
        () => undefined,
        () => undefined,
      );
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
function ahead(
  { exp, created, announced }: VersionRecord,
  nearBefore: number,
): { readonly moment: Moment; readonly at: number }[] {
  if (exp === undefined) return [];
  const end = exp * 1000;
  const near = { moment: "NearExpiry", at: end - nearBefore } as const;
  const both = [...(created < end ? [near] : []), { moment: "Expired", at: end } as const];
  return both.filter(({ moment }) => !announced.includes(moment));
}

function eventOf(source: Source, name: string, version: VersionRecord, moment: Moment, now: number): VaultEvent {
  const { vault, objectType } = source;
  const type = `Microsoft.KeyVault.${objectType}${moment}` as const;
  const id = `${vault.url}/${objectType.toLowerCase()}s/${name}/${version.id}`;
  return {
    type,
    eventId: uuidOf(`${type} ${id}`),
    vaultName: vault.name,
    resourceId: vault.resourceId,
    objectType,
    objectName: name,
    version: version.id,
    id,
    ...(version.nbf === undefined ? {} : { nbf: version.nbf }),
    ...(version.exp === undefined ? {} : { exp: version.exp }),
    time: new Date(now).toISOString(),
  };
}

/** The same for the same text: an event given twice, even over a kill, is one event. */
function uuidOf(text: string): string {
  const hex = createHash("sha256").update(text).digest("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    "-",
  );
}
