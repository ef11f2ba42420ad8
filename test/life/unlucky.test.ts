import { afterAll, beforeAll, expect, test } from "vitest";
import { certificateManual } from "../../rotators/certificate-manual.ts";
import { certificateSelfSigned } from "../../rotators/certificate-self-signed.ts";
import { key as keyRotator } from "../../rotators/key.ts";
import { PinionError } from "../../src/errors.ts";
import type { Rotator } from "../../src/rotator.ts";
import { stagingName } from "../../src/vault/staging.ts";
import { storageAccount } from "./account.ts";
import { certificateVersions, firstCertificate, firstKey, names } from "./first.ts";
import { live } from "./live.ts";
import { day, openObject, openWorld, type World } from "./world.ts";

// What goes wrong beside a rotation's own steps: issuers, strangers, and what earlier rotations left behind.

let world: World;
beforeAll(async () => void (world = await openWorld()));
afterAll(async () => await world.close());

const key = { type: "EC", curve: "P-256" };
const by = (kind: string, target: object = {}) => ({ kind, strategy: "dual", target });
const certificate = (rotator: object, more: object = {}) => ({
  kind: "certificate" as const,
  certificate: { names, key, ...more },
  rotator,
});
const never = <T>(rotator: T, more: object): Rotator<unknown> =>
  ({ ...rotator, ...more }) as unknown as Rotator<unknown>;
const pendingOf = async (name: string) =>
  await world.certificates.getCertificateOperation(name).then(
    (poller) => poller.getOperationState().certificateOperation?.status,
    () => "none",
  );

test("an issuer that refuses is asked once, and its reason is told", async () => {
  const name = "refused";
  const source = await firstCertificate(world, name);
  await world.certificates.createIssuer("contoso-ca", "Test");
  world.control.set({ issuerDelayMs: 60_000, issuerError: { code: "Request rejected", message: "No such customer." } });
  const issuer = by("certificate-integrated-issuer", { issuer: "contoso-ca" });
  const object = openObject(world, { name, object: certificate(issuer) });
  const lived = await live(world, object, source);
  world.control.set({ issuerDelayMs: 0, issuerError: undefined });
  expect([lived.outcome, lived.fault?.code]).toEqual(["failed", "TARGET_REFUSED"]);
  expect(lived.fault?.message).toContain("No such customer.");
  // One placeholder: nobody was asked again.
  expect(await certificateVersions(world, stagingName(object.key))).toHaveLength(1);
});

test("what a rotation leaves elsewhere for good keeps nothing in the vault", async () => {
  const name = "left-elsewhere";
  const source = await firstCertificate(world, name, false);
  const abandon = async () => {
    throw new PinionError("TARGET_FORBIDDEN", "The DNS provider's token is dead.");
  };
  const object = openObject(world, {
    name,
    object: { ...certificate(by("certificate-manual"), { exportable: false }), issueWithin: "PT1H" },
    rotator: never(certificateManual, { abandon }),
  });
  const lived = await live(world, object, source);
  expect([lived.outcome, lived.fault?.code]).toEqual(["failed", "ISSUANCE_PENDING"]);
  expect(await pendingOf(name)).not.toBe("inProgress");
  expect((await world.certificates.getCertificate(name)).properties.enabled).toBe(true);
  expect([...object.evidence.values()].join()).toContain("token is dead");
});

test("an operation that an earlier rotation left is taken away, and is nobody else's", async () => {
  const name = "leftover";
  const source = await firstCertificate(world, name);
  const object = openObject(world, { name, object: certificate(by("certificate-self-signed")) });
  await world.certificates.beginCreateCertificate(
    stagingName(object.key),
    { issuerName: "Unknown", subject: "CN=left" },
    { tags: { "pinion-rotation": "r-000000000-00000000", "pinion-stage-for": object.key } },
  );
  world.clock.advance(60_000);
  expect((await live(world, object, source)).outcome).toBe("rotated");
});

test("somebody else's operation is left alone, and nobody waits a week for it", async () => {
  const name = "strangers";
  const source = await firstCertificate(world, name, false);
  const started = world.clock.now();
  let begun = false;
  const observe: Rotator<unknown>["observe"] = async (step, current, options) => {
    const seen = await certificateSelfSigned.observe(step as never, current, options);
    if (!begun) await world.certificates.beginCreateCertificate(name, { issuerName: "Unknown", subject: "CN=theirs" });
    begun = true;
    return seen;
  };
  const object = openObject(world, {
    name,
    object: certificate(by("certificate-self-signed"), { exportable: false }),
    rotator: never(certificateSelfSigned, { observe }),
  });
  const lived = await live(world, object, source);
  expect([lived.outcome, lived.fault?.code]).toEqual(["failed", "OUT_OF_BAND_CHANGE"]);
  expect(await pendingOf(name)).toBe("inProgress");
  expect(world.clock.now() - started).toBeLessThan(day);
});

test("a staging certificate that was deleted is recovered", async () => {
  const name = "deleted";
  const source = await firstCertificate(world, name);
  const object = openObject(world, { name, object: certificate(by("certificate-self-signed")) });
  expect((await live(world, object, source)).outcome).toBe("rotated");
  await (await world.certificates.beginDeleteCertificate(stagingName(object.key), { intervalInMs: 5 })).pollUntilDone();
  world.clock.advance(day);
  const current = (await world.certificates.getCertificate(name)).properties.version ?? "";
  expect((await live(world, object, current)).outcome).toBe("rotated");
});

test("a staged certificate that will not be published is disabled: its key can be exported", async () => {
  const name = "unpublished";
  const source = await firstCertificate(world, name);
  const create: Rotator<unknown>["create"] = async (step, seen) => {
    await certificateSelfSigned.create(step as never, seen).catch(() => undefined);
    world.clock.advance(60_000);
    await certificateSelfSigned.create(step as never, seen);
    throw new PinionError("TARGET_REFUSED", "It came, and then something else went wrong.");
  };
  const object = openObject(world, {
    name,
    object: certificate(by("certificate-self-signed")),
    rotator: never(certificateSelfSigned, { create }),
  });
  expect((await live(world, object, source)).outcome).toBe("failed");
  const staged = await certificateVersions(world, stagingName(object.key));
  expect(staged.map(({ enabled }) => enabled)).toEqual([false]);
});

test("a certificate that expired meanwhile does not hide why its successor was refused", async () => {
  const name = "expired";
  const source = await firstCertificate(world, name);
  world.clock.advance(400 * day);
  const validate = async () => [{ name: "its names are those of the policy", ok: false, detail: "missing: x" }];
  const object = openObject(world, {
    name,
    object: certificate(by("certificate-self-signed")),
    rotator: never(certificateSelfSigned, { validate }),
  });
  const lived = await live(world, object, source);
  expect([lived.outcome, lived.fault?.code]).toEqual(["failed", "CANDIDATE_LOGIN_FAILED"]);
  const staged = await certificateVersions(world, stagingName(object.key));
  expect(staged.map(({ enabled }) => enabled)).toEqual([false]);
});

test("readers of the newest are not waited for when they are to get another version", async () => {
  const name = "reissued";
  const source = await firstKey(world, name, "EC");
  // It never moves on by itself, nor by us: the candidate is bad.
  const account = storageAccount(world.uri, name, source, { newest: async () => source });
  const started = world.clock.now();
  const validate = async () => [{ name: "it is another key", ok: false }];
  const object = openObject(world, {
    name,
    arm: account.arm,
    object: {
      kind: "key",
      rotator: by("key"),
      rollback: "reissue",
      consumers: [account.consumer],
    },
    rotator: never(keyRotator, { validate }),
  });
  const lived = await live(world, object, source);
  expect(lived.outcome).toBe("rolled-back");
  expect(world.clock.now() - started).toBeLessThan(day);
  const { version } = (await world.keys.getKey(name)).properties;
  expect(object.state()).toMatchObject({ phase: "idle", publishedVersion: version, remembered: { version } });
});
