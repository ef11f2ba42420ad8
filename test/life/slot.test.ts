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

async function slotFor(name: string, exportable: boolean) {
  const sourceVersion = await firstCertificate(world, name, exportable);
  const object = openObject(world, {
    name,
    object: {
      kind: "certificate",
      certificate: { names, exportable, key: { type: "EC" } },
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
  return { slot, made: exportable ? stagingName(object.key) : name, first: exportable ? 0 : 1 };
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
