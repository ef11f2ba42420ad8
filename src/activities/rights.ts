import type { Arm } from "../azure/arm.ts";
import { lacking } from "../azure/permissions.ts";
import { type ErrorCode, PinionError } from "../errors.ts";
import { isAsked, isPlaced, type Place, placesOf } from "../grants.ts";
import type { Proof } from "../rotator.ts";
import { demand } from "./credentials.ts";
import type { Scene } from "./step.ts";

const codes: Readonly<Record<Place["part"], ErrorCode>> = {
  object: "VAULT_FORBIDDEN",
  staging: "VAULT_FORBIDDEN",
  target: "TARGET_FORBIDDEN",
  consumer: "CONSUMER_FORBIDDEN",
};

/** What an identity lacks at a place; `missing` is undefined where Azure does not tell. */
export interface Looked {
  readonly place: Place;
  readonly missing: readonly string[] | undefined;
}

/** Asks Azure about places, but for those that it cannot be asked about, or where nothing has to be asked. */
export async function lookAt(arm: Arm, places: readonly Place[], signal: AbortSignal): Promise<readonly Looked[]> {
  const asked = places
    .filter((place) => isPlaced(place) && isAsked(place))
    .map((place) => ({ ...place, ...place.asked }));
  const told = await Promise.all(asked.map((one) => lacking(arm, one, signal)));
  // A vault goes by roles for all that is in it, or for nothing.
  const byRoles = new Set(asked.filter((_, at) => told[at] !== undefined).map(({ vault }) => vault));
  const looks = asked.map(async (place, at) => {
    const known = place.vault !== undefined && byRoles.has(place.vault);
    return { place, missing: told[at] ?? (known ? await lacking(arm, place, signal, { byRoles: true }) : undefined) };
  });
  return await Promise.all(looks);
}

/**
 * That everything which the rotation will do may be done, so that a missing role is found before anything changes. Refuses with `VAULT_FORBIDDEN`, `TARGET_FORBIDDEN` or `CONSUMER_FORBIDDEN` (propagation).
 */
export async function proveRights({ deps, subject, signal }: Scene): Promise<readonly Proof[]> {
  const looked = await lookAt(subject.zone.arm, placesOf(subject.vaults, subject.object, deps), signal);
  const looks = looked.flatMap(({ place, missing }) => {
    // Not told is not proven: then there is no proof, and what is lacking shows when it is used.
    if (missing === undefined) return [];
    const proof = { name: `${place.what} may be used as its rotation does`, ok: missing.length === 0 };
    return [{ place, proof: missing.length === 0 ? proof : { ...proof, detail: missing.join(", ") } }];
  });
  return demand(
    looks.map(({ proof }) => proof),
    (failed) => {
      const { part = "object", scope = "" } = looks.find(({ proof }) => proof === failed)?.place ?? {};
      return new PinionError(
        codes[part],
        `The app's identity lacks ${failed.detail ?? ""} at ${scope}: assign it a role that has them; nothing was changed.`,
        { class: "propagation" },
      );
    },
  );
}
