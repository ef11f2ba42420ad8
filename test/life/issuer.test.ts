import { X509Certificate } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { opensslVerify } from "../certificates/openssl.ts";
import { toPem } from "./edge.ts";
import { certificateVersions, names } from "./first.ts";
import { live } from "./live.ts";
import { day, type LifeObject, openObject, openWorld, type World } from "./world.ts";

// An issuer that is registered with the vault, which asks it by itself. What is played here is the vault's own test issuer.

const minute = 60_000;
let world: World;
beforeEach(async () => {
  world = await openWorld();
  await world.certificates.createIssuer("corp", "DigiCert", { accountId: "1", password: "not-kept" });
});
afterEach(async () => await world.close());

/** A first version from the issuer; its id, and the issuer's root. */
async function first(name: string, exportable = true, renewAtPercent?: number) {
  const [subject = "", ...others] = names;
  const poller = await world.certificates.beginCreateCertificate(
    name,
    {
      issuerName: "corp",
      subject: `CN=${subject}`,
      subjectAlternativeNames: { dnsNames: [subject, ...others] },
      exportable,
      keyType: "EC",
      keyCurveName: "P-256",
      keyUsage: ["digitalSignature"],
      contentType: "application/x-pem-file",
      validityInMonths: 3,
      lifetimeActions: [
        renewAtPercent === undefined
          ? { action: "EmailContacts", lifetimePercentage: 80 }
          : { action: "AutoRenew", lifetimePercentage: renewAtPercent },
      ],
    },
    { intervalInMs: 10, tags: { team: "web" } },
  );
  world.clock.advance(20_000);
  const { properties } = await poller.pollUntilDone();
  world.clock.advance(60_000);
  const { value = "" } = await world.secrets.getSecret(name);
  const [, root = ""] = value.match(/-----BEGIN CERTIFICATE-----[^]+?-----END CERTIFICATE-----/g) ?? [];
  return { source: properties.version ?? "", root };
}

const open = (
  name: string,
  root: string,
  { target = {}, certificate = {}, ...more }: Record<string, object | string> = {},
) =>
  openObject(world, {
    name,
    object: {
      kind: "certificate",
      certificate: {
        names,
        key: { type: "EC", curve: "P-256" },
        contentType: "application/x-pem-file",
        roots: [root],
        revocation: "ignore",
        ...(certificate as object),
      },
      rotator: {
        kind: "certificate-integrated-issuer",
        strategy: "dual",
        target: { issuer: "corp", intermediates: [root], ...(target as object) },
      },
      ...more,
    },
  });

const events = ({ told }: LifeObject) => told.map(({ type }) => type.split(".").at(-1));

/** What a reader sees: the version of the certificate, of its secret and of its key. */
const seen = async (name: string) => [
  (await world.certificates.getCertificate(name)).properties.enabled,
  (await world.secrets.getSecret(name)).properties.version,
  (await world.keys.getKey(name)).properties.version,
];

test.each([true, false])(
  "an issuer that answers after hours is waited for, and somebody is told (exportable: %s)",
  async (exportable) => {
    const name = `late-${exportable}`;
    const { source, root } = await first(name, exportable);
    world.control.set({ issuerDelayMs: 5 * 60 * minute });
    const object = open(name, root, { certificate: { exportable } });
    let waits = 0;
    const lived = await live(world, object, source, {
      async meanwhile({ fault }) {
        if (fault?.code !== "ISSUANCE_PENDING") return false;
        waits += 1;
        expect((await seen(name)).slice(1)).toEqual([source, source]);
        return false;
      },
    });
    expect(lived.outcome).toBe("rotated");
    expect(waits).toBeGreaterThan(1);
    expect(events(object)).toContain("Waiting");
    const versions = await certificateVersions(world, name);
    expect(versions.map(({ version, enabled }) => [version === source, enabled])).toEqual([
      [false, true],
      [true, false],
    ]);
    const newest = await world.certificates.getCertificate(name);
    expect(newest.properties.tags).toMatchObject({ "pinion-rotation": lived.rotationId, "pinion-previous": source });
    const leaf = new X509Certificate(newest.cer!).toString();
    for (const one of names)
      expect(await opensslVerify({ leaf, chain: "", roots: root, name: one, now: world.clock.now() })).toMatchObject({
        ok: true,
      });
  },
);

test.each([true, false])(
  "an issuer that refuses: the object is as it was, and the next try succeeds (exportable: %s)",
  async (exportable) => {
    const name = `refused-${exportable}`;
    const { source, root } = await first(name, exportable);
    const former = await world.certificates.getCertificate(name);
    world.control.set({ issuerError: { code: "Request rejected", message: "The account has no funds." } });
    const object = open(name, root, { certificate: { exportable } });
    const lived = await live(world, object, source);
    expect([lived.outcome, lived.fault?.code]).toEqual(["failed", "TARGET_REFUSED"]);
    expect(object.state()).toMatchObject({ phase: "idle", attempts: 1 });
    const after = await world.certificates.getCertificate(name);
    expect(Buffer.from(after.cer!)).toEqual(Buffer.from(former.cer!));
    expect(after.properties.enabled).toBe(true);
    expect(toPem((await world.secrets.getSecret(name)).value ?? "")).toContain(
      new X509Certificate(former.cer!).toString().trim(),
    );

    world.control.set({ issuerError: undefined });
    world.clock.advance(2 * day);
    const again = await live(world, object, after.properties.version ?? "");
    expect([again.outcome, again.failures.filter((one) => !one.includes("ISSUANCE_PENDING"))]).toEqual(["rotated", []]);
  },
);

test("the vault renews by itself: its version is adopted, marked, and made by nobody else", async () => {
  const name = "by-vault";
  const { source, root } = await first(name, true, 10);
  const object = open(name, root, { target: { start: "vault" }, issueWithin: "P20D" });
  const asked = () =>
    world.control.log().filter(({ operation, status }) => operation === "certificate.create" && status < 300);
  const before = asked().length;
  const lived = await live(world, object, source, {
    async meanwhile({ fault }) {
      if (fault?.code !== "ISSUANCE_PENDING") return false;
      world.clock.advance(2 * day);
      // The vault looks at its clock by itself, every little while.
      await new Promise((resolve) => setTimeout(resolve, 200));
      return false;
    },
  });
  expect([lived.outcome, lived.failures.filter((one) => !one.includes("ISSUANCE_PENDING"))]).toEqual(["rotated", []]);
  expect(asked().length).toBe(before);
  const versions = await certificateVersions(world, name);
  expect(versions).toHaveLength(2);
  expect(versions[0]).toMatchObject({
    enabled: true,
    tags: { team: "web", "pinion-rotation": lived.rotationId, "pinion-previous": source },
  });
  expect(versions[1]).toMatchObject({ version: source, enabled: false });
});

test("the vault never renews: the wait ends with issueWithin, and the object is as it was", async () => {
  const name = "never";
  const { source, root } = await first(name);
  const object = open(name, root, { target: { start: "vault" }, issueWithin: "P3D" });
  const from = world.clock.now();
  const lived = await live(world, object, source, { most: 3000 });
  expect([lived.outcome, lived.fault?.code]).toEqual(["failed", "ISSUANCE_PENDING"]);
  expect(world.clock.now() - from).toBeLessThan(4 * day);
  expect(await seen(name)).toEqual([true, source, source]);
  expect(await certificateVersions(world, name)).toHaveLength(1);
  expect(events(object)).toContain("Reminder");
});
