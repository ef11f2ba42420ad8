import { afterAll, beforeAll, expect, test } from "vitest";
import { storageAccount } from "./account.ts";
import { certificateVersions, firstCertificate, firstKey, keyVersions, names } from "./first.ts";
import { live, type LifeOptions } from "./live.ts";
import { type LifeObject, openObject, openWorld, type World } from "./world.ts";

let world: World;
beforeAll(async () => void (world = await openWorld()));
afterAll(async () => await world.close());

/** A person asks to turn back in the grace. */
function turnedBack(object: LifeObject, version: string): LifeOptions {
  let asked = false;
  return {
    async meanwhile({ step }) {
      if (step !== "grace" || asked) return false;
      asked = true;
      object.command({ verb: "rollback", rotationId: object.state().rotationId ?? "", version });
      return true;
    },
  };
}

const selfSigned = { kind: "certificate-self-signed", strategy: "dual", target: {} };

test("a key: its consumers are moved back, the candidate stays enabled, and the former version is current again", async () => {
  const name = "back-key";
  const source = await firstKey(world, name);
  const account = storageAccount(world.uri, name, source);
  const object = openObject(world, {
    name,
    arm: account.arm,
    object: { kind: "key", rotator: { kind: "key", strategy: "dual", target: {} }, consumers: [account.consumer] },
  });
  const lived = await live(world, object, source, turnedBack(object, source));
  expect([lived.outcome, lived.failures]).toEqual(["rolled-back", []]);
  const [candidate, former] = await keyVersions(world, name);
  expect(account.moves).toEqual([candidate?.version, source]);
  expect(candidate).toMatchObject({ enabled: true, tags: { "pinion-withdrawn-for": source } });
  expect(former).toMatchObject({ version: source, enabled: true });

  // The next rotation begins at the version that is current, and makes another one: the withdrawn one is never taken for its own.
  world.clock.advance(86_400_000);
  const again = await live(world, object, source);
  expect([again.outcome, again.failures]).toEqual(["rotated", []]);
  const versions = await keyVersions(world, name);
  expect(versions).toHaveLength(3);
  expect(account.uses()).toBe(versions[0]?.version);
  expect(versions[0]?.tags).toMatchObject({ "pinion-rotation": again.rotationId, "pinion-previous": source });
  expect(versions[0]?.tags).not.toHaveProperty("pinion-withdrawn-for");
});

test("a certificate whose key can be exported: the newest version carries the former one again", async () => {
  const name = "back-staged";
  const source = await firstCertificate(world, name);
  const object = openObject(world, {
    name,
    object: { kind: "certificate", certificate: { names }, rotator: selfSigned },
  });
  const before = await world.certificates.getCertificate(name);
  const lived = await live(world, object, source, turnedBack(object, source));
  expect(lived.outcome).toBe("rolled-back");
  const after = await world.certificates.getCertificate(name);
  expect(Buffer.from(after.cer!)).toEqual(Buffer.from(before.cer!));
  expect(after.properties).toMatchObject({ enabled: true, tags: { "pinion-rollback-of": source } });
  // Readers of the secret get key and certificate together.
  expect((await world.secrets.getSecret(name)).properties.version).toBe(after.properties.version);
});

test("a certificate whose key stays in the vault: the former version is current, the candidate stays whole", async () => {
  const name = "back-inside";
  const source = await firstCertificate(world, name, false);
  const object = openObject(world, {
    name,
    object: { kind: "certificate", certificate: { names, exportable: false }, rotator: selfSigned },
  });
  const lived = await live(world, object, source, turnedBack(object, source));
  expect(lived.outcome).toBe("rolled-back");
  const [candidate, former] = await certificateVersions(world, name);
  expect(candidate).toMatchObject({ enabled: true, tags: { "pinion-withdrawn-for": source } });
  expect(former).toMatchObject({ version: source, enabled: true });
});
