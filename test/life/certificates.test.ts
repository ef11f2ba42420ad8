import { X509Certificate } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { certificateVersions, firstCertificate, names } from "./first.ts";
import { live } from "./live.ts";
import { openObject, openWorld, start, day, type World } from "./world.ts";

let world: World;
beforeAll(async () => void (world = await openWorld()));
afterAll(async () => await world.close());

const selfSigned = (more: object = {}) => ({
  kind: "certificate" as const,
  certificate: { names, ...more },
  rotator: { kind: "certificate-self-signed", strategy: "dual", target: {} },
});

test("a certificate that signs itself is made beside, proven, and then published", async () => {
  const source = await firstCertificate(world, "self");
  const object = openObject(world, { name: "self", object: selfSigned() });
  const lived = await live(world, object, source);
  expect([lived.outcome, lived.failures.filter((one) => !one.includes("ISSUANCE_PENDING"))]).toEqual(["rotated", []]);
  const versions = await certificateVersions(world, "self");
  expect(versions).toHaveLength(2);
  const newest = await world.certificates.getCertificate("self");
  expect(newest.properties).toMatchObject({
    enabled: true,
    tags: { team: "web", "pinion-rotation": lived.rotationId },
  });
  expect(new X509Certificate(newest.cer!).subjectAltName).toBe(names.map((one) => `DNS:${one}`).join(", "));
  expect(versions.find(({ version }) => version === source)?.enabled).toBe(false);
});

test("a key that never leaves the vault: the vault makes the version in the object", async () => {
  const source = await firstCertificate(world, "inside", false);
  const object = openObject(world, { name: "inside", object: selfSigned({ exportable: false }) });
  const lived = await live(world, object, source);
  expect([lived.outcome, lived.failures.filter((one) => !one.includes("ISSUANCE_PENDING"))]).toEqual(["rotated", []]);
  expect(await certificateVersions(world, "inside")).toHaveLength(2);
  const newest = await world.certificates.getCertificate("inside");
  expect(newest.properties.tags).toMatchObject({ "pinion-rotation": lived.rotationId, "pinion-previous": source });
  expect(start + 60 * day).toBeLessThan(newest.properties.expiresOn!.getTime());
});
