import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { firstCertificate, names } from "../life/first.ts";
import { live } from "../life/live.ts";
import { openObject, openWorld, type World } from "../life/world.ts";
import { readFile, tableOf } from "./page.ts";

// What readers see, by the table of docs/certificates.md: read by official clients while a request is pending, and after it was cancelled.

const table = tableOf(readFile("docs/certificates.md"), "who reads");
const pem = "application/x-pem-file";
let world: World;
beforeAll(async () => void (world = await openWorld()));
afterAll(async () => await world.close());

/** What each kind of reader gets, in the page's words and in the order of its rows. */
async function readAll(name: string, source: string): Promise<readonly string[]> {
  const { certificates, secrets, keys } = world;
  const former = await certificates.getCertificateVersion(name, source);
  const [pinnedSecret, pinnedKey, secret, key] = await Promise.all([
    secrets.getSecret(name, { version: source }),
    keys.getKey(name, { version: source }),
    secrets.getSecret(name),
    keys.getKey(name),
  ]);
  const whole = [pinnedSecret, pinnedKey, secret, key, former].every(({ properties }) => properties.enabled);
  const unmoved = [secret, key].every(({ properties }) => properties.version === source);
  const alike = secret.value === pinnedSecret.value && Buffer.from(key.key!.n!).equals(Buffer.from(pinnedKey.key!.n!));
  const newest = await certificates.getCertificate(name);
  const same = newest.cer !== undefined && Buffer.from(newest.cer).equals(Buffer.from(former.cer!));
  const unknown = "something else";
  return [
    whole ? "the former version" : unknown,
    unmoved ? "the former version" : alike ? "the former certificate and key" : unknown,
    former.cer ? "the former version" : unknown,
    newest.properties.version === source
      ? "the former version"
      : same && newest.properties.enabled
        ? "the former certificate, as a new version"
        : !newest.properties.enabled && newest.cer === undefined
          ? "the placeholder"
          : unknown,
  ];
}

/** A rotation that waits for a person and is turned back: what was read meanwhile, and after it. */
async function waitAndCancel(name: string, exportable: boolean) {
  const source = await firstCertificate(world, name, exportable, pem);
  const object = openObject(world, {
    name,
    object: {
      kind: "certificate",
      certificate: { names, exportable, contentType: pem },
      rotator: { kind: "certificate-manual", strategy: "dual", target: {} },
    },
  });
  let pending: readonly string[] | undefined;
  const lived = await live(world, object, source, {
    async meanwhile({ fault }) {
      if (fault?.code !== "ISSUANCE_PENDING" || pending !== undefined) return false;
      pending = await readAll(name, source);
      object.command({ verb: "rollback", rotationId: object.state().rotationId ?? "", version: source });
      return true;
    },
  });
  expect(lived.outcome).toBe("rolled-back");
  return { pending, after: await readAll(name, source) };
}

describe("what readers see", () => {
  const column = (at: number) => table.map((row) => row[at]);

  test("made beside: the former version, while it is pending and after it was cancelled", async () => {
    const { pending, after } = await waitAndCancel("beside", true);
    expect(pending).toEqual(column(1));
    expect(after).toEqual(column(1));
  });

  test("made in the object: only who reads the certificate's newest version meets the placeholder, until it is covered", async () => {
    const { pending, after } = await waitAndCancel("in-the-object", false);
    expect(pending).toEqual(column(2));
    expect(after).toEqual(column(3));
  });
});
