import type { AzureRole, Need } from "../azure/role.ts";
import type { Consumer, ConsumerStep, Retention } from "../consumer.ts";
import { PinionError } from "../errors.ts";
import type { ConsumerOf, KeyHolderKind } from "../policy-consumers.ts";
import type { Proof } from "../rotator.ts";
import { probeHealth } from "./health.ts";

/** As much of a step as it takes to compare keys, and to name the consumer. */
type About = Pick<ConsumerStep, "object"> & { readonly consumer: { readonly id: string } };

/** How a resource holds the key that it is encrypted with, as its service tells. */
export interface HeldKey {
  /** The version that its configuration names; undefined when it follows the newest by itself. */
  readonly pinned: string | undefined;
  /** The version that it works with, where the service tells. */
  readonly active: string | undefined;
  /** What the service is still at, for people; undefined when it is done. */
  readonly pending: string | undefined;
  /** Its parts that name another version (servers of a failover group), for people. */
  readonly apart?: string | undefined;
}

/** What one service knows beside what all of them share. */
export interface KeyHolder<K extends KeyHolderKind, Held extends HeldKey> {
  readonly kind: K;
  readonly roles: readonly AzureRole[];
  needs(consumer: ConsumerOf<K>): readonly Need[];
  retentionNeeds?(consumer: ConsumerOf<K>): readonly Need[];
  /** Read only. Throws {@link misconfigured} when the resource does not use this key. */
  look(step: ConsumerStep<K>): Promise<Held>;
  /** Makes the resource use a version, and changes nothing else of it. */
  write(step: ConsumerStep<K>, version: string, held: Held): Promise<void>;
  retention?(step: ConsumerStep<K>, now: number): Promise<Retention | undefined>;
}

/**
 * A consumer that is encrypted with a key of the vault. Its reference is the key's URL, with the version that it is pinned to. One that
 * follows the newest version by itself is never raced: it is only proven on the version that it tells.
 */
export function holdsKey<K extends KeyHolderKind, Held extends HeldKey>(holder: KeyHolder<K, Held>): Consumer<K> {
  const { kind, roles, look, write, retention, retentionNeeds } = holder;
  return {
    kind,
    roles,
    needs: (consumer) => holder.needs(consumer),
    ...(retentionNeeds === undefined ? {} : { retentionNeeds }),
    resource: ({ resourceId }) => resourceId.toLowerCase(),
    ...(retention === undefined ? {} : { retention }),

    async read(step) {
      const { pinned, active } = await look(step);
      return {
        text: pinned === undefined ? step.object.baseUrl : `${step.object.baseUrl}/${pinned}`,
        ...(pinned === undefined ? {} : { pinned }),
        ...(active === undefined ? {} : { active }),
      };
    },

    reference: ({ consumer, object }, version) =>
      consumer.reads === "pinned" ? `${object.baseUrl}/${version}` : object.baseUrl,

    async move(step, text) {
      if (step.consumer.reads === "latest") return;
      const version = versionIn(step, text);
      if (version === undefined)
        throw misconfigured(step, "cannot be moved to another key, or to none of its versions");
      const held = await look(step);
      if (held.pinned === undefined) throw misconfigured(step, "now follows the newest version by itself");
      const moved = (seen: Held) => seen.pinned === version && seen.apart === undefined;
      if (moved(held)) return;
      if (held.pending !== undefined) throw notMoved(step, `its service is still at work (${held.pending})`);
      await write(step, version, held);
      if (!moved(await look(step))) throw notMoved(step, "its service does not show the new version");
    },

    async prove(step, version) {
      const { pinned, active, pending, apart } = await look(step);
      // Where the service does not tell what it uses, what it took is the proof; but not of one that follows the newest by itself.
      const used = active ?? pinned;
      const detail = [`names ${pinned ?? "none"}, uses ${active ?? "one that is not told"}`, pending, apart];
      const proof: Proof = {
        name: `${step.consumer.id} uses the version`,
        ok: [pinned ?? version, used].every((one) => one === version) && pending === undefined && apart === undefined,
        detail: detail.filter((part) => part !== undefined).join(", "),
      };
      const { health } = step.consumer;
      return health === undefined
        ? [proof]
        : [proof, await probeHealth(step.consumer.id, health, version, step.signal)];
    },
  };
}

/** A role for each way to read a key. */
export interface KeyRoles {
  readonly pinned: AzureRole;
  /** Of one that follows the newest version by itself nothing is ever written. */
  readonly latest: AzureRole;
}

/** The roles of a kind whose key is a property of the resource itself. */
export const wholeResource = (key: string, what: string, type: string): KeyRoles => ({
  pinned: {
    key,
    description: `Reads ${what} and writes which version of its key it is encrypted with.`,
    actions: [`${type}/read`, `${type}/write`],
  },
  latest: {
    key: `${key}-latest`,
    description: `Reads ${what}, and so which version of its key it is encrypted with.`,
    actions: [`${type}/read`],
  },
});

/** What such a kind needs: one role, at the resource. */
export const atResource = ({ pinned, latest }: KeyRoles) => ({
  roles: [pinned, latest],
  needs: ({ resourceId, reads }: Pick<ConsumerOf<KeyHolderKind>, "resourceId" | "reads">): readonly Need[] => [
    { role: reads === "pinned" ? pinned : latest, at: resourceId },
  ],
});

/** The version in a URL of the object's key; undefined when it names another key, or no version. */
export function versionIn(step: About, url: string): string | undefined {
  const version = partIn(step, url);
  return version === "" ? undefined : version;
}

/** Whether a URL, with or without a version, is that of the object's key. */
export const isOurs = (step: About, url: string): boolean => partIn(step, url) !== undefined;

/** Key Vault compares host and name without case; versions are 32 hex digits. */
function partIn({ object }: About, url: string): string | undefined {
  if (!URL.canParse(url)) return undefined;
  const given = new URL(url);
  const ours = new URL(object.baseUrl);
  const path = given.pathname.replace(/\/+$/, "").toLowerCase();
  const base = ours.pathname.toLowerCase();
  if (given.host !== ours.host) return undefined;
  if (path === base) return "";
  const version = path.startsWith(`${base}/`) ? path.slice(base.length + 1) : "";
  return /^[0-9a-f]{32}$/.test(version) ? version : undefined;
}

/** A key as services write it that keep vault, name and version apart. */
export const keyUrl = (vaultUri: string, name: string, version = ""): string =>
  `${vaultUri.replace(/\/+$/, "")}/keys/${name}${version === "" ? "" : `/${version}`}`;

/** What a resource does between a change and its end; undefined when nothing. */
export const unsettled = (provisioningState: string | undefined): string | undefined =>
  provisioningState === undefined || provisioningState === "Succeeded" ? undefined : `state ${provisioningState}`;

export const misconfigured = ({ consumer }: About, what: string): PinionError =>
  new PinionError("CONSUMER_MISCONFIGURED", `${consumer.id} ${what}: correct the resource or the policy.`);

export const notMoved = ({ consumer }: About, why: string): PinionError =>
  new PinionError("CONSUMER_NOT_MOVED", `${consumer.id}: ${why}; the step looks again.`, { class: "transient" });
