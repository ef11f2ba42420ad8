import { afterAll, beforeAll, expect, test } from "vitest";
import { identities } from "../../local/cloud/cloud.ts";
import { type Bench, openBench } from "./app.ts";

// A trust zone: the policy names an identity for the vault, and the app's own has no right there, nor on the sites that read it.

let bench: Bench;
beforeAll(async () => {
  bench = await openBench({
    policy: (policy) => {
      const [name = ""] = Object.keys(policy.vaults);
      const zone = { ...policy.vaults[name as keyof typeof policy.vaults], identity: identities.zone.clientId };
      return { ...policy, vaults: { ...policy.vaults, [name]: zone } };
    },
  });
}, 120_000);
afterAll(() => bench?.close());

/** Gives an identity its rights on vaults and on ARM, or takes them for good. */
function allow({ objectId }: { readonly objectId: string }, allowed: boolean): void {
  for (const plane of ["vault", "arm"] as const) bench.cloud.azure.rights.deny(objectId, plane, allowed ? 0 : 1e9);
}

test("a rotation is done by the zone's identity, from preflight to revoke, where the app's own may do nothing", async () => {
  allow(identities.app, false);
  const rotationId = await bench.start("orders-db");
  expect(await bench.end("orders-db", rotationId)).toMatchObject({ outcome: "rotated" });
  expect(await bench.sweep()).toMatch(/0 not readable/);
}, 120_000);

test("and the zone's identity without its rights is refused, whatever the app's own may", async () => {
  allow(identities.app, true);
  allow(identities.zone, false);
  expect(await bench.sweep()).toMatch(/[12] not readable/);
  expect(bench.log()).toContain("VAULT_FORBIDDEN");
});
