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

/**
 * That everything which the rotation will do may be done, so that a missing role is found before anything changes. Refuses with `VAULT_FORBIDDEN`, `TARGET_FORBIDDEN` or `CONSUMER_FORBIDDEN` (propagation).
 */
export async function proveRights({ deps, subject, signal }: Scene): Promise<readonly Proof[]> {
  const places = placesOf(subject.vaults, subject.object, deps);
  const asked = places
    .filter((place) => isPlaced(place) && isAsked(place))
    .map((place) => ({ ...place, ...place.asked }));
  const told = await Promise.all(asked.map((one) => lacking(subject.zone.arm, one, signal)));
  // A vault goes by roles for all that is in it, or for nothing.
  const byRoles = new Set(asked.filter((_, at) => told[at] !== undefined).map(({ vault }) => vault));
  const look = async (one: Place, at: number) => {
    const known = one.vault !== undefined && byRoles.has(one.vault);
    const missing = told[at] ?? (known ? await lacking(subject.zone.arm, one, signal, { byRoles: true }) : undefined);
    // Not told is not proven: then there is no proof, and what is lacking shows when it is used.
    if (missing === undefined) return [];
    const proof = { name: `${one.what} may be used as its rotation does`, ok: missing.length === 0 };
    return [{ asked: one, proof: missing.length === 0 ? proof : { ...proof, detail: missing.join(", ") } }];
  };
  const looks = (await Promise.all(asked.map(look))).flat();
  return demand(
    looks.map(({ proof }) => proof),
    (failed) => {
      const { part = "object", scope = "" } = looks.find(({ proof }) => proof === failed)?.asked ?? {};
      return new PinionError(
        codes[part],
        `The app's identity lacks ${failed.detail ?? ""} at ${scope}: assign it a role that has them; nothing was changed.`,
        { class: "propagation" },
      );
    },
  );
}
