import { X509Certificate } from "node:crypto";
import { CertificationRequest } from "@peculiar/asn1-csr";
import { AsnConvert } from "@peculiar/asn1-schema";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openSlot } from "../../src/activities/certificate-slot.ts";
import { findSubject } from "../../src/activities/deps.ts";
import { stagingName } from "../../src/vault/staging.ts";
import { certificateVersions, firstCertificate, names } from "./first.ts";
import { openObject, openWorld, type World } from "./world.ts";

// What happens in the vault between two calls of a slot.

let world: World;
beforeAll(async () => void (world = await openWorld()));
afterAll(async () => await world.close());

async function slotFor(name: string, exportable: boolean, wanted: readonly string[] = names) {
  const sourceVersion = await firstCertificate(world, name, exportable);
  const object = openObject(world, {
    name,
    object: {
      kind: "certificate",
      certificate: { names: wanted, exportable, key: { type: "EC" } },
      rotator: { kind: "certificate-self-signed", strategy: "dual", target: {} },
    },
  });
  const subject = (await findSubject(object.app().deps, name))!;
  const noted = new Map<string, string>();
  const notes = {
    read: (note: string) => noted.get(note),
    write: async (note: string, text: string | undefined) =>
      void (text === undefined ? noted.delete(note) : noted.set(note, text)),
  };
  const signal = AbortSignal.timeout(60_000);
  const slot = openSlot({ subject, rotationId: "r-1", notes, sourceVersion, signal });
  return { slot, sourceVersion, made: exportable ? stagingName(object.key) : name, first: exportable ? 0 : 1 };
}

/** A version that signs itself, made past the slot. */
async function makeBeside(name: string, tags: Readonly<Record<string, string>>): Promise<string> {
  const [subject = "", ...others] = names;
  const poller = await world.certificates.beginCreateCertificate(
    name,
    {
      issuerName: "Self",
      subject: `CN=${subject}`,
      subjectAlternativeNames: { dnsNames: [subject, ...others] },
    },
    { intervalInMs: 10, tags },
  );
  world.clock.advance(20_000);
  return (await poller.pollUntilDone()).properties.version ?? "";
}

test.each([true, false])(
  "an operation that ends between two looks is not begun again (exportable: %s)",
  async (exportable) => {
    const { slot, made, first } = await slotFor(`between-${exportable}`, exportable);
    expect(await slot.made()).toBeUndefined();
    await slot.pending("Self");
    expect(await slot.made()).toBeUndefined();
    // The certificate comes here, and a caller that has just looked goes on to ask for it.
    world.clock.advance(20_000);
    await expect(slot.pending("Self")).rejects.toMatchObject({ code: "ISSUANCE_PENDING", class: "transient" });
    expect(await slot.made()).toMatchObject({ enabled: true });
    expect(await certificateVersions(world, made)).toHaveLength(first + 1);
  },
);

test.each([
  ["in the object, nobody's: whoever asked the vault for it", false, "", {}, true],
  ["in the object, this rotation's", false, "", { "pinion-rotation": "r-1" }, true],
  ["in the object, another rotation's", false, "", { "pinion-rotation": "r-0" }, false],
  ["in the object, turned back", false, "", { "pinion-rotation": "r-1", "pinion-withdrawn-for": "1" }, false],
  ["staged, this rotation's", true, "own", { "pinion-rotation": "r-1" }, true],
  ["staged, another rotation's", true, "own", { "pinion-rotation": "r-0" }, false],
  ["staged, nobody's", true, "own", {}, false],
  ["staged, for another object", true, "other", { "pinion-rotation": "r-1" }, false],
] as const)(
  "a newer version is the candidate or not by its marks: %s",
  async (what, exportable, stagedFor, marks, taken) => {
    const name = `marks-${what.replaceAll(/\W+/g, "-")}`;
    const { slot, made } = await slotFor(name, exportable);
    const key = `kv-life--certificate--${stagedFor === "own" ? name : "other"}`.toLowerCase();
    const version = await makeBeside(made, { ...marks, ...(stagedFor === "" ? {} : { "pinion-stage-for": key }) });
    expect((await slot.made())?.version).toBe(taken ? version : undefined);
  },
);

test("names that are all too long for a common name: a request has none, and what signs itself has one all the same", async () => {
  const long = ["a", "b"].map((first) => `${first}.${"a-rather-long-label.".repeat(4)}contoso.com`);
  const { slot } = await slotFor("long-request", true, long);
  const { csr } = await slot.pending();
  const { subject } = AsnConvert.parse(Buffer.from(csr), CertificationRequest).certificationRequestInfo;
  expect(subject).toHaveLength(0);
  const own = await slotFor("long-self", true, long);
  await own.slot.pending("Self");
  world.clock.advance(20_000);
  const { subject: name, subjectAltName } = new X509Certificate((await own.slot.made())!.leaf);
  expect(name).toBe("CN=certificate");
  expect(subjectAltName).toBe(long.map((one) => `DNS:${one}`).join(", "));
});
