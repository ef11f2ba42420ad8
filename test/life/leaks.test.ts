import { createPrivateKey, randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { keysEverHeld } from "../../local/canary/vault-keys.ts";
import { toPem } from "./edge.ts";
import { firstCertificate, names } from "./first.ts";
import { canariesOf, leaksOf } from "./leaks.ts";
import { live, type Lived } from "./live.ts";
import { openObject, openWorld, type LifeObject, type World } from "./world.ts";

// A life without leaks, and that the scan for them can fail.

let world: World;
let object: LifeObject;
let lived: Lived;
let pem: string;
let pfx: string;
const tsig = randomBytes(32).toString("base64");
beforeAll(async () => {
  world = await openWorld();
  await world.secrets.setSecret("tsig", tsig);
  pem = await secretOf("as-pem", "application/x-pem-file");
  pfx = await secretOf("as-pfx", "application/x-pkcs12");
  const source = await firstCertificate(world, "kept", false);
  object = openObject(world, {
    name: "kept",
    object: {
      kind: "certificate",
      certificate: { names, exportable: false },
      rotator: { kind: "certificate-self-signed", strategy: "dual", target: {} },
    },
  });
  lived = await live(world, object, source);
});
afterAll(async () => await world.close());

async function secretOf(name: string, contentType: string): Promise<string> {
  await firstCertificate(world, name, true, contentType, { keyType: "EC", keyCurveName: "P-256" });
  return (await world.secrets.getSecret(name)).value ?? "";
}

test("a whole life leaves records, commands, evidence, events, inputs, results and status, and no key or secret in any of them", () => {
  expect(lived.outcome).toBe("rotated");
  const places = new Set(object.traces.map(({ name }) => name));
  for (const name of ["record", "command", "evidence", "event", "status", "fleet", "input of stage", "result of stage"])
    expect(places).toContain(name);
  expect(leaksOf(world, object)).toEqual([]);
});

const keyOf = () => createPrivateKey(toPem(pfx));
const der = () => keyOf().export({ format: "der", type: "pkcs8" });

/** What somebody could write by mistake, and how it would come to stand there. */
const planted: Readonly<Record<string, () => unknown>> = {
  "the PEM of a secret": () => pem,
  "the PEM in a note, as JSON": () => ({ notes: { chain: pem } }),
  "the PEM in JSON in JSON": () => ({ message: JSON.stringify({ pem }) }),
  "the key's PEM without its first and last line": () => ({ key: pem.replaceAll(/-----.*\n/g, "") }),
  "the PFX of a secret": () => ({ result: pfx }),
  "the PFX as bytes": () => Buffer.from(pfx, "base64"),
  "the PFX as JSON shows bytes": () => ({ pfx: Buffer.from(pfx, "base64") }),
  "PKCS #8 in hex": () => der().toString("hex"),
  "PKCS #8 in base64url": () => ({ key: der().toString("base64url") }),
  "SEC 1 in base64": () => keyOf().export({ format: "der", type: "sec1" }).toString("base64"),
  "a JSON Web Key": () => keyOf().export({ format: "jwk" }),
  "a key that never left the vault": () => ({ d: keysEverHeld(world.stateDir).at(-1)?.toString("base64url") }),
  "a TSIG key": () => `tsig:${tsig}`,
  "a TSIG key as bytes in hex": () => Buffer.from(tsig, "base64").toString("hex"),
};

test.each(Object.entries(planted))("is seen: %s", (_what, plant) => {
  const before = object.traces.length;
  object.leave("planted", plant());
  const leaks = leaksOf(world, object);
  (object.traces as unknown[]).splice(before);
  expect(leaks.map(({ place }) => place)).toContain("planted");
});

test("canaries are the keys of all three certificates and of both versions of the last, and the secrets", () => {
  // A number of each EC key, three of each RSA key.
  expect(keysEverHeld(world.stateDir).length).toBeGreaterThanOrEqual(2 + 2 * 3);
  expect(canariesOf(world.stateDir)).toContain(tsig);
});
