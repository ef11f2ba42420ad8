import { madeIn, objectKey } from "./activities/deps.ts";
import { readPermissionsRole } from "./azure/permissions.ts";
import { type AzureRole, type Need, subscriptionOf } from "./azure/role.ts";
import { collectionsOf, inventoryRoles, objectRoles } from "./azure/vault-roles.ts";
import type { Consumer } from "./consumer.ts";
import { findTopicsRole, readEventsRole } from "./doctor/roles.ts";
import type { ManagedObject, Policy } from "./policy.ts";
import type { ConsumerKind } from "./policy-consumers.ts";
import type { Rotator } from "./rotator.ts";
import { stagingName } from "./vault/staging.ts";

// What a policy needs in Azure, at which places. Preflight asks for it, onboarding grants it: both by this one list.

/** The rotators and consumers of this version. */
export interface Registries {
  rotator(kind: string, strategy: string): Rotator<unknown>;
  consumer(kind: ConsumerKind): Consumer;
}

interface Actions {
  readonly actions: readonly string[];
  readonly dataActions: readonly string[];
}

/** One role that an object's rotation needs at one place. */
export interface Place {
  readonly role: AzureRole;
  readonly part: "object" | "staging" | "target" | "consumer";
  /** For people. */
  readonly what: string;
  /** The ARM id at which it is used; an address (`https://...`) where the policy does not tell the ARM id. */
  readonly scope: string;
  /** The ARM id at which it is granted: the same, or the vault of an object that is not there before the first rotation. */
  readonly grantAt: string;
  /** Of the role, what is used there. */
  readonly used: Actions;
  /** Of that, what preflight asks about. */
  readonly asked: Actions;
  /** The ARM id of the vault that it is in. */
  readonly vault?: string;
}

/** A role assignment. */
export interface Grant {
  /** The key of the role. */
  readonly role: string;
  /** An ARM id. */
  readonly scope: string;
  /** The client id of the trust zone's identity; undefined: the app's own. */
  readonly identity: string | undefined;
  /** What it is for: ids of objects, or a sentence. */
  readonly for: readonly string[];
}

/** What nobody can grant by the policy alone, since it has an address and no ARM id. */
export interface Unplaced {
  readonly role: string;
  readonly address: string;
  readonly for: readonly string[];
}

/** Whether Azure can be asked about a place. */
export const isPlaced = ({ scope }: Pick<Place, "scope">): boolean => scope.startsWith("/");

/** Whether preflight asks about a place. */
export const isAsked = ({ asked }: Pick<Place, "asked">): boolean =>
  asked.actions.length + asked.dataActions.length > 0;

/** What a role is used for at a place, and what of it is asked about. */
function usesOf({ unasked = [] }: AzureRole, { actions = [], dataActions = [] }: Partial<Actions>) {
  const isAsked = (action: string) => !unasked.includes(action);
  return {
    used: { actions, dataActions },
    asked: { actions: actions.filter(isAsked), dataActions: dataActions.filter(isAsked) },
  };
}

/** Everything that an object's rotation needs. Its vault must be in the policy, as every sound object's is. */
export function placesOf(vaults: Policy["vaults"], object: ManagedObject, find: Registries): readonly Place[] {
  const { kind, name, id } = object;
  const vault = vaults[object.vault];
  if (vault === undefined) return [];
  const rotator = find.rotator(object.rotator.kind, object.rotator.strategy);
  const inside = madeIn(object, rotator) === "object";
  const made = rotator.madeInObject?.(object.rotator.target) === true ? "renewed" : "inside";
  const { object: own, staging } = objectRoles[kind === "certificate" && inside ? made : kind];
  const at = { vault: vault.resourceId, kind, name, part: "object", what: id } as const;
  const beside = (vault.staging === undefined ? vault : (vaults[vault.staging] ?? vault)).resourceId;
  const sibling = { vault: beside, kind, name: stagingName(objectKey(vault, object)) } as const;
  const outside = (needs: readonly Need[], part: "target" | "consumer", what?: string) =>
    needs.map((need) => placeOf(need, vaults, part, what));
  return [
    ...own.flatMap((role) => placesInVault(role, at)),
    ...(staging === undefined || inside
      ? []
      : placesInVault(staging, { ...sibling, part: "staging", what: `its staging ${kind}` })),
    ...outside(rotator.needs?.(object.rotator.target) ?? [], "target"),
    ...object.consumers.flatMap((consumer) => {
      const reader = find.consumer(consumer.kind);
      const retention = object.disableOld ? reader.retentionNeeds?.(consumer) : undefined;
      return outside([...reader.needs(consumer), ...(retention ?? [])], "consumer", consumer.id);
    }),
  ];
}

/** The list of a kind of objects of a vault, which the sweep reads. */
export function listPlace(vault: string, kind: ManagedObject["kind"]): Place {
  const role = inventoryRoles[kind];
  const what = `the list of ${kind}s`;
  return { role, part: "object", what, scope: vault, grantAt: vault, ...usesOf(role, role), vault };
}

/** A role at the ARM ids that an object of a vault has: the secret and the key of a certificate have ids of their own. */
function placesInVault(
  role: AzureRole,
  at: { vault: string; kind: ManagedObject["kind"]; name: string; part: "object" | "staging"; what: string },
): readonly Place[] {
  return [...collectionsOf(role)].map(([collection, dataActions]) => {
    const scope = `${at.vault}/${collection}/${at.name}`;
    return {
      role,
      part: at.part,
      what: collection === `${at.kind}s` ? at.what : `the ${collection.slice(0, -1)} of ${at.what}`,
      scope,
      grantAt: at.part === "staging" ? at.vault : scope,
      ...usesOf(role, { dataActions }),
      vault: at.vault,
    };
  });
}

/** A role at what a target or a consumer names. */
function placeOf({ role, at }: Need, vaults: Policy["vaults"], part: "target" | "consumer", what?: string): Place {
  const found = at.startsWith("/") ? { scope: at } : inVaults(at, vaults);
  const scope = found?.scope ?? at;
  return {
    role,
    part,
    what: what ?? scope.split("/").slice(-2).join("/"),
    scope,
    grantAt: scope,
    ...usesOf(role, role),
    ...(found !== undefined && "vault" in found ? { vault: found.vault } : {}),
  };
}

/** The object that an address means, with or without a version, where the policy knows its vault. */
function inVaults(address: string, vaults: Policy["vaults"]): { scope: string; vault: string } | undefined {
  const { origin, pathname } = new URL(address);
  const [, collection = "", name = ""] = pathname.split("/");
  const vault = Object.values(vaults).find(({ uri }) => uri.toLowerCase() === origin);
  return vault && { scope: `${vault.resourceId}/${collection}/${name}`, vault: vault.resourceId };
}

export interface GrantOptions {
  /** Of the objects in this vault only, by its name in the policy. */
  readonly vault?: string;
  /**
   * Where rights on staging objects are given: at their vault (default), or at the very objects, which are not there before the first
   * rotation. Unconfirmed: whether Azure takes an assignment there.
   */
  readonly siblings?: "vault" | "object";
}

/** Every role assignment that the objects of a policy need, at the smallest scope, each once and in an order that does not change. */
export function grantsOf(
  policy: Policy,
  find: Registries,
  { vault, siblings = "vault" }: GrantOptions = {},
): { readonly grants: readonly Grant[]; readonly unplaced: readonly Unplaced[] } {
  const objects = policy.objects.filter((object) => vault === undefined || object.vault === vault);
  const inventories = Object.entries(policy.vaults).flatMap(([name, one]) => {
    if (vault !== undefined && name !== vault) return [];
    const kinds = new Set(objects.filter((object) => object.vault === name).map(({ kind }) => kind));
    return [
      ...[...kinds].map((kind) => granted(inventoryRoles[kind], one.resourceId, one.identity, `the sweep of ${name}`)),
      granted(readEventsRole, one.resourceId, undefined, `the doctor's look at ${name}`),
      // A vault's one system topic may be in any group of its subscription: only who sees them all knows that there is none.
      granted(findTopicsRole, subscriptionOf(one.resourceId), undefined, `the doctor's look at ${name}`),
    ];
  });
  const needed = objects.flatMap((object) => {
    const identity = policy.vaults[object.vault]?.identity;
    const places = placesOf(policy.vaults, object, find);
    const asked = places.filter((place) => isPlaced(place) && isAsked(place));
    return [
      ...places.map((place) =>
        granted(place.role, siblings === "object" ? place.scope : place.grantAt, identity, object.id),
      ),
      // At a whole vault: there it tells also of an object whose own assignment is missing.
      ...asked.map((place) => granted(readPermissionsRole, place.vault ?? place.scope, identity, object.id)),
    ];
  });
  const all = merged([...needed, ...inventories]);
  return {
    grants: all.filter(isPlaced),
    unplaced: all
      .filter((one) => !isPlaced(one))
      .map(({ role, scope, for: why }) => ({ role, address: scope, for: why })),
  };
}

const granted = ({ key }: AzureRole, scope: string, identity: string | undefined, why: string): Grant => ({
  role: key,
  scope,
  identity,
  for: [why],
});

/** Azure compares ids without case. */
const keyOf = ({ scope, role, identity = "" }: Grant): string =>
  `${scope.toLowerCase()} ${role} ${identity.toLowerCase()}`;

function merged(grants: readonly Grant[]): readonly Grant[] {
  const same = Map.groupBy(grants, keyOf);
  return [...same]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, [first, ...others]]) => {
      const why = new Set([first!, ...others].flatMap((one) => one.for));
      return { ...first!, for: [...why].toSorted() };
    });
}
