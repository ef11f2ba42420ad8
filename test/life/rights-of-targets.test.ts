import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { byPrivateCa } from "./dying.ts";
import { certificateVersions, hmacBy } from "./first.ts";
import { grantsFor, openRights } from "./granted.ts";
import { live } from "./live.ts";
import { type ObjectOptions, openObject, openWorld, type World } from "./world.ts";

// What a target names in a vault: onboarding gives exactly that, and preflight misses it before anything is changed.

const rights = openRights();
let world: World;
beforeAll(async () => void (world = await openWorld({ authorize: rights.authorize })));
afterAll(async () => await world.close());

interface Case {
  readonly object: (world: World) => ObjectOptions["object"];
  readonly first: (world: World, name: string) => Promise<string>;
  /** The role at what the target names, and the name. */
  readonly role: string;
  readonly named: string;
}

const authority = byPrivateCa({ exportable: false, key: { type: "EC", curve: "P-256" } });
const secret = randomBytes(32).toString("base64");

const cases: Readonly<Record<string, Case>> = {
  "an authority's key": {
    object: (at) => (typeof authority.object === "function" ? authority.object(at, "") : authority.object),
    first: (at, name) => authority.first(at, name),
    role: "sign-key",
    named: "keys/issuing",
  },
  "a verifier's list": {
    object: ({ uri }) => hmacBy({ secret: `${uri}/secrets/accepted`, format: "json-array" }),
    async first({ secrets, clock }, name) {
      await secrets.setSecret("accepted", JSON.stringify([secret]));
      const { properties } = await secrets.setSecret(name, secret);
      clock.advance(60_000);
      return properties.version ?? "";
    },
    role: "verifier-secret",
    named: "secrets/accepted",
  },
};

let count = 0;
describe.each(Object.entries(cases))("%s", (_name, { object: shape, first, role, named }) => {
  const open = async () => {
    rights.all();
    const name = `targets-${(count += 1)}`;
    const source = await first(world, name);
    const object = openObject(world, { name, object: shape(world), arm: rights.arm });
    return { name, source, object, ...grantsFor(object, { siblings: "object" }) };
  };

  test("a whole rotation runs with what is given for it", async () => {
    const { source, object, needed, asking } = await open();
    rights.granted = [...needed, ...asking];
    const lived = await live(world, object, source);
    rights.all();
    const failures = lived.failures.filter((failure) => !/ISSUANCE_PENDING|NOT_SETTLED/.test(failure));
    expect([lived.outcome, failures]).toEqual(["rotated", []]);
  });

  test("without it preflight refuses, and names it", async () => {
    const { name, source, object, needed, asking } = await open();
    const missing = needed.filter((given) => given.role === role && given.scope.endsWith(named));
    expect(missing).toHaveLength(1);
    rights.granted = [...asking, ...needed.filter((given) => given !== missing[0])];
    const lived = await live(world, object, source);
    rights.all();
    // The rotator reads its target first, and may be refused there already.
    expect([lived.outcome, lived.fault?.code]).toEqual([
      "refused",
      expect.stringMatching(/^(TARGET|VAULT)_FORBIDDEN$/),
    ]);
    expect(lived.fault?.message).toContain(named.split("/")[1]);
    if (shape(world).kind === "certificate") expect(await certificateVersions(world, name)).toHaveLength(1);
  });
});
