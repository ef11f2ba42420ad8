import { afterAll, beforeAll, expect, test } from "vitest";
import type { Arm } from "../../src/azure/arm.ts";
import { stagingName } from "../../src/vault/staging.ts";
import { certificateVersions, firstCertificate, names } from "./first.ts";
import { live } from "./live.ts";
import { openObject, openWorld, vaultName, type World } from "./world.ts";

// Roles at nothing but the very objects: a certificate, its secret and its key have ARM ids of their own.

let world: World;
beforeAll(async () => void (world = await openWorld()));
afterAll(async () => await world.close());

const certificates = ["read", "create/action", "update/action", "import/action"].map((verb) => `certificates/${verb}`);

/** Azure's own account of what is assigned at each id below the vault. */
const telling =
  (assigned: Readonly<Record<string, readonly string[]>>): Arm =>
  async ({ path }) => {
    const [, id = ""] = /\/vaults\/[^/]+\/(.+)\/providers\/Microsoft\.Authorization\/permissions$/.exec(path) ?? [];
    const dataActions = (assigned[id] ?? []).map((action) => `Microsoft.KeyVault/vaults/${action}`);
    return { value: [{ actions: [], notActions: [], dataActions, notDataActions: [] }] };
  };

/** A rotation of a certificate whose candidate is made in the object, or beside it, with roles at single objects. */
async function rotate(name: string, exportable: boolean, without?: string) {
  const sibling = stagingName(`${vaultName}--certificate--${name}`);
  const all: Readonly<Record<string, readonly string[]>> = {
    [`certificates/${name}`]: certificates,
    [`secrets/${name}`]: ["secrets/getSecret/action"],
    ...(exportable
      ? {
          [`certificates/${sibling}`]: certificates,
          [`secrets/${sibling}`]: ["secrets/getSecret/action"],
          [`keys/${sibling}`]: ["keys/read"],
        }
      : { [`keys/${name}`]: ["keys/read", "keys/sign/action"] }),
  };
  const assigned = Object.entries(all).map(([id, actions]) => [
    id.replace(sibling, "sibling"),
    id,
    actions.filter((action) => `${id.replace(sibling, "sibling")}: ${action}` !== without),
  ]);
  const source = await firstCertificate(world, name, exportable);
  const object = openObject(world, {
    name,
    arm: telling(Object.fromEntries(assigned.map(([, id, actions]) => [id, actions])) as typeof all),
    object: {
      kind: "certificate",
      certificate: { names, exportable, key: { type: "RSA" } },
      rotator: { kind: "certificate-self-signed", strategy: "dual", target: {} },
    },
  });
  return await live(world, object, source);
}

test.each([
  ["beside", true],
  ["inside", false],
])("%s: roles at the objects alone are enough", async (name, exportable) => {
  const { outcome, fault } = await rotate(name, exportable);
  expect([outcome, fault]).toEqual(["rotated", undefined]);
});

test.each([
  ["secret", true, "secrets/lacks-secret: secrets/getSecret/action"],
  ["sibling-key", true, "keys/sibling: keys/read"],
  ["sign", false, "keys/lacks-sign: keys/sign/action"],
  ["import", true, "certificates/lacks-import: certificates/import/action"],
])("without a right it is refused before anything changes: %s", async (what, exportable, without) => {
  const name = `lacks-${what}`;
  const { outcome, fault } = await rotate(name, exportable, without);
  const [id = "", action = ""] = without.split(": ");
  expect([outcome, fault?.code]).toEqual(["refused", "VAULT_FORBIDDEN"]);
  expect(fault?.message).toContain(action);
  expect(fault?.message).toContain(`/${id.split("/")[0]}/`);
  expect(await certificateVersions(world, name)).toHaveLength(1);
});
