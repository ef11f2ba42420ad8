import { afterAll, beforeAll, expect, test } from "vitest";
import { acmeObject, firstForAcme, openOutside, type Outside } from "./dying-acme.ts";
import { certificateVersions } from "./first.ts";
import { live } from "./live.ts";
import { stagingName } from "../../src/vault/staging.ts";
import { openObject, openWorld, type LifeObject, type World } from "./world.ts";

// Turned back in the midst of an order: nothing of it is left, and the object is as it was.

let world: World;
let outside: Outside;
beforeAll(async () => {
  world = await openWorld();
  outside = await openOutside(world);
});
afterAll(async () => {
  await outside.close();
  await world.close();
});

const key = { type: "EC", curve: "P-256" };

/** Where the rotation waits, as the vault, the zone and the notes have it. */
const left = async (object: LifeObject, exportable: boolean) => ({
  values: outside.zone.left().length,
  notes: Object.keys(object.state().notes ?? {}).filter((note) => /order|values/.test(note)).length,
  operation: await world.certificates.getCertificateOperation(exportable ? stagingName(object.key) : object.id).then(
    (poller) => poller.getOperationState().certificateOperation?.status,
    () => undefined,
  ),
});

const slow = { looks: 1000, retryAfter: "60" };

test.each([
  ["while the names are proven", true, { hidden: true }, { values: 2, notes: 2 }],
  ["while the CA signs", true, { slow }, { values: 2, notes: 2, operation: "inProgress" }],
  ["while the CA signs, in the object", false, { slow }, { values: 2, notes: 2, operation: "inProgress" }],
] as const)("%s", { timeout: 120_000 }, async (what, exportable, manners, meanwhile) => {
  const name = `turned-${what.replaceAll(/\W+/g, "-")}`.toLowerCase();
  const source = await firstForAcme(world, name, exportable);
  const former = await world.certificates.getCertificate(name);
  const object = openObject(world, { name, object: acmeObject(world, name, outside, { exportable, key }) });
  outside.hidden = "hidden" in manners;
  outside.ca.manners.slow = "slow" in manners ? manners.slow : { looks: 0 };
  let asked = false;
  const lived = await live(world, object, source, {
    async meanwhile({ fault }) {
      if (fault?.code !== "ISSUANCE_PENDING" || asked) return false;
      expect(await left(object, exportable)).toMatchObject(meanwhile);
      asked = true;
      object.command({ verb: "rollback", rotationId: object.state().rotationId ?? "", version: source });
      return true;
    },
  });
  expect([lived.outcome, lived.fault, asked]).toEqual(["rolled-back", undefined, true]);
  expect(await left(object, exportable)).toMatchObject({ values: 0, notes: 0 });
  expect((await left(object, exportable)).operation).not.toBe("inProgress");
  // Also for those who read the certificate itself, whose newest version was a placeholder for a while.
  const after = await world.certificates.getCertificate(name);
  expect(Buffer.from(after.cer ?? [])).toEqual(Buffer.from(former.cer!));
  expect(after.properties.enabled).toBe(true);

  // The next rotation makes an order of its own, and one version.
  outside.hidden = false;
  outside.ca.manners.slow = { looks: 0 };
  const before = (await certificateVersions(world, name)).length;
  world.clock.advance(86_400_000);
  const again = await live(world, object, after.properties.version ?? "");
  expect(again.outcome).toBe("rotated");
  expect(await certificateVersions(world, name)).toHaveLength(before + 1);
});
