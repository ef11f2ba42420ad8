import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callsOf, describeVerdict, dieEverywhere, nameOf, type Dying } from "./crash.ts";
import { byAcme } from "./dying-acme.ts";
import { byHand, byPrivateCa, openHolder } from "./dying.ts";
import { quickCertificate, firstKey, names } from "./first.ts";
import { certificateRotated, keyRotated } from "./promises.ts";
import { watchNetwork } from "./process.ts";
import { openWorld, type World } from "./world.ts";

// Promise 2 for what the vault makes itself: the process dies before, in and after every outside call of a rotation.

let unwatch: () => void;
beforeAll(() => void (unwatch = watchNetwork(nameOf)));
afterAll(async () => {
  unwatch();
  for (const { close } of Object.values(dying)) await close?.();
});

// Making an RSA key takes longer than everything else.
const key = { type: "EC", curve: "P-256" };
const selfSigned = { kind: "certificate-self-signed", strategy: "dual", target: {} };

const dying: Readonly<Record<string, Dying>> = {
  "a certificate that is staged": {
    object: { kind: "certificate", certificate: { names, key }, rotator: selfSigned },
    first: quickCertificate,
    faults: certificateRotated,
  },
  "a certificate that the vault makes in the object": {
    object: { kind: "certificate", certificate: { names, key, exportable: false }, rotator: selfSigned },
    first: async (at, name) => await quickCertificate(at, name, false),
    faults: certificateRotated,
  },
  "a certificate from a private authority": byPrivateCa({ exportable: true, key }),
  "a certificate from a private authority, in the object": byPrivateCa({ exportable: false, key }),
  "a certificate through ACME": byAcme({ exportable: true, key }),
  "a certificate through ACME, in the object": byAcme({ exportable: false, key }),
  "an account at a CA whose key has a new version": byAcme({ exportable: false, key, turned: true }),
  "a certificate by hand": byHand({ exportable: true, key }),
  "a certificate by hand, in the object": byHand({ exportable: false, key }),
  "a key": {
    object: { kind: "key", rotator: { kind: "key", strategy: "dual", target: {} } },
    first: async (at, name) => await firstKey(at, name, "EC"),
    faults: keyRotated,
  },
  "a key that a storage account holds": openHolder(),
};

describe.each(Object.entries(dying))("%s", (_name, one) => {
  // Each life takes an hour and more of the vault's clock, and the authorities go by this machine's.
  let world: World;
  beforeAll(async () => {
    world = await openWorld();
    // The file takes long, and what authorities sign now must be valid by the vault's clock.
    world.clock.advance(Math.max(0, Date.now() - world.clock.now()));
  });
  afterAll(async () => await world.close());

  test("one version and no leftovers, wherever the process dies", { timeout: 1_200_000 }, async () => {
    const calls = await callsOf(world, one);
    expect(calls.length).toBeGreaterThan(20);
    const verdicts = await dieEverywhere(world, one, calls);
    expect(verdicts.filter(({ faults }) => faults.length > 0).map(describeVerdict)).toEqual([]);
    expect(verdicts.filter(({ reached }) => !reached).map(describeVerdict)).toEqual([]);
  });

  test("one version and no leftovers, wherever the task hub is lost", { timeout: 1_200_000 }, async () => {
    const calls = await callsOf(world, one);
    const verdicts = await dieEverywhere(world, one, calls, "hub");
    expect(verdicts.filter(({ faults }) => faults.length > 0).map(describeVerdict)).toEqual([]);
    expect(verdicts.filter(({ reached }) => !reached).map(describeVerdict)).toEqual([]);
  });
});
