import { lookAt, type Looked } from "../activities/rights.ts";
import { findConsumer } from "../consumers/index.ts";
import { listPlace, type Place, placesOf } from "../grants.ts";
import type { Policy } from "../policy.ts";
import { type Context, zoneOf } from "./context.ts";
import { isAble } from "./identity.ts";
import { type Check, fault, ok, type Said, unknown } from "./finding.ts";

/** That each identity holds what its rotations use, at each vault, target and consumer. */
export const rights: Check<Context> = {
  id: "rights",
  area: "Vaults",
  about: "the identities hold the roles that the policy needs, at each object, vault, target and consumer",
  needs: ["settings", "identity", "policy"],
  async run(context, signal) {
    const { policy } = await context.policy();
    if (policy === undefined) return [];
    const byZone = Map.groupBy(placesIn(context, policy), ({ zone }) => zone);
    const looks = [...byZone].map(async ([zone, all]) => {
      if (!(await isAble(context, zone))) return [];
      return await lookAt(
        context.armAs(zone),
        all.map(({ place }) => place),
        signal,
      );
    });
    const looked = (await Promise.all(looks)).flat();
    const lacks = merged(
      looked.filter(({ missing = [] }) => missing.length > 0),
      context.place,
    );
    const untold = looked.filter(({ missing }) => missing === undefined);
    const said = [...lacks];
    if (untold.length > 0)
      said.push(
        unknown(
          `${untold.length} of ${looked.length} places`,
          "Azure does not tell what the identity may do there",
          "Give it Microsoft.Authorization/permissions/read there, which the roles of infra/roles.json have; with access policies nobody can tell.",
        ),
      );
    return said.length > 0 ? said : [ok("roles", `are there at ${looked.length} places`)];
  },
};

interface Zoned {
  readonly zone: string | undefined;
  readonly place: Place;
}

/** Every place of every object, and the lists that the sweep reads. */
function placesIn({ registry }: Context, policy: Policy): readonly Zoned[] {
  const find = { rotator: registry.find, consumer: findConsumer };
  const ofObjects = policy.objects.flatMap((object) => {
    const vault = policy.vaults[object.vault];
    const places = placesOf(policy.vaults, object, find);
    return places.map((place): Zoned => ({ zone: vault && zoneOf(vault), place }));
  });
  const lists = Object.entries(policy.vaults).flatMap(([name, vault]) => {
    const kinds = new Set(policy.objects.filter((object) => object.vault === name).map(({ kind }) => kind));
    return [...kinds].map((kind): Zoned => ({ zone: zoneOf(vault), place: listPlace(vault.resourceId, kind) }));
  });
  return [...ofObjects, ...lists];
}

/** One finding for each role at each scope, whatever it is needed for. */
function merged(looked: readonly Looked[], place: Context["place"]): readonly Said[] {
  const same = Map.groupBy(looked, ({ place }) => `${place.role.key} ${place.grantAt.toLowerCase()}`);
  return [...same.values()].map((all) => {
    const { role, grantAt } = all[0]!.place;
    const what = [...new Set(all.map(({ place }) => place.what))].join(", ");
    const missing = [...new Set(all.flatMap(({ missing = [] }) => missing))].join(", ");
    // A person need not have what the app needs.
    if (place === "laptop")
      return unknown(what, `your login lacks ${missing}, which says nothing of the app`, "Ask the app itself: --url.");
    return fault(
      what,
      `lacks ${missing}`,
      `Assign the role ${role.key} of infra/roles.json at ${grantAt} (infra/onboard.bicep does); an assignment takes up to ten minutes to count.`,
    );
  });
}
