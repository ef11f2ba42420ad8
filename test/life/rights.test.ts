import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { stagingName } from "../../src/vault/staging.ts";
import { memoryTarget } from "../review/fakes.ts";
import { certificateVersions, firstCertificate, firstKey, keyVersions, names } from "./first.ts";
import { everywhere, grantsFor, openRights } from "./granted.ts";
import { live, type LifeOptions } from "./live.ts";
import { type LifeObject, openObject, openWorld, type World } from "./world.ts";

// Least privilege: a rotation runs with the role assignments that onboarding makes for its policy, each at its scope, and uses every one
// of the data actions that preflight asks for; where one of them is missing, preflight says so, before anything is changed. The vault
// refuses here by the same list that ARM tells.

const rights = openRights();
let world: World;
beforeAll(async () => void (world = await openWorld({ authorize: rights.authorize })));
afterAll(async () => await world.close());
beforeEach(() => {
  rights.all();
  rights.used = new Set();
});

const { rotator: inMemory } = memoryTarget("source-value");
const selfSigned = { kind: "certificate-self-signed", strategy: "dual", target: {} };
const byKey = { kind: "key", strategy: "dual", target: {} };
const ec = { type: "EC", curve: "P-256" };

async function firstSecret(at: World, name: string): Promise<string> {
  const { properties } = await at.secrets.setSecret(name, "source-value");
  at.clock.advance(60_000);
  return properties.version ?? "";
}

interface Case {
  readonly object: Parameters<typeof openObject>[1]["object"];
  readonly first: (name: string) => Promise<string>;
  readonly actions: readonly string[];
}

const cases: Readonly<Record<string, Case>> = {
  "a secret": {
    object: {
      kind: "secret",
      rotator: { kind: "db", strategy: "in-place", target: {} },
      acceptGap: true,
      format: { type: "plain" },
    },
    first: (name) => firstSecret(world, name),
    actions: [
      "secrets/getSecret/action",
      "secrets/readMetadata/action",
      "secrets/setSecret/action",
      "secrets/update/action",
    ],
  },
  "a certificate that is staged": {
    object: { kind: "certificate", certificate: { names, key: ec }, rotator: selfSigned },
    first: (name) => firstCertificate(world, name),
    actions: [
      "certificates/create/action",
      "certificates/import/action",
      "certificates/read",
      "certificates/update/action",
      "keys/read",
      "secrets/getSecret/action",
    ],
  },
  "a certificate that is made in the object": {
    object: { kind: "certificate", certificate: { names, key: ec, exportable: false }, rotator: selfSigned },
    first: (name) => firstCertificate(world, name, false),
    actions: [
      "certificates/create/action",
      "certificates/read",
      "certificates/update/action",
      "keys/read",
      "keys/sign/action",
      "secrets/getSecret/action",
    ],
  },
  "an RSA key": {
    object: { kind: "key", rotator: byKey },
    first: (name) => firstKey(world, name, "RSA"),
    actions: [
      "keyrotationpolicies/read",
      "keyrotationpolicies/write",
      "keys/read",
      "keys/rotate/action",
      "keys/unwrap/action",
      "keys/update/action",
      "keys/wrap/action",
    ],
  },
  "an EC key": {
    object: { kind: "key", rotator: byKey },
    first: (name) => firstKey(world, name, "EC"),
    actions: [
      "keyrotationpolicies/read",
      "keyrotationpolicies/write",
      "keys/read",
      "keys/rotate/action",
      "keys/sign/action",
      "keys/update/action",
      "keys/verify/action",
    ],
  },
};

let count = 0;
async function open({ object, first }: Case): Promise<{ object: LifeObject; source: string; name: string }> {
  const name = `rights-${(count += 1)}`;
  const source = await first(name);
  return { object: openObject(world, { name, object, arm: rights.arm, rotator: inMemory }), source, name };
}

async function versionsOf(name: string, object: LifeObject): Promise<readonly string[]> {
  const { kind } = object.parsed.policy!.objects[0]!;
  const seen = async (of: string) => {
    if (kind === "key") return (await keyVersions(world, of)).map((one) => JSON.stringify(one));
    if (kind === "certificate") return (await certificateVersions(world, of)).map((one) => JSON.stringify(one));
    const found: string[] = [];
    for await (const one of world.secrets.listPropertiesOfSecretVersions(of)) found.push(JSON.stringify(one));
    return found;
  };
  return [...(await seen(name)), ...(await seen(stagingName(object.key)).catch(() => []))];
}

const inMiddle = (object: LifeObject, version: string): LifeOptions => {
  let asked = false;
  return {
    async meanwhile({ step }) {
      if (step !== "grace" || asked) return false;
      asked = true;
      object.command({ verb: "rollback", rotationId: object.state().rotationId ?? "", version });
      return true;
    },
  };
};

describe.each(Object.entries(cases))("%s", (_name, one) => {
  test.each(["vault", "object"] as const)(
    "a rotation, and its way back, need what is given: staged by rights at the %s",
    async (siblings) => {
      for (const ending of ["rotated", "rolled-back"]) {
        const { object, source } = await open(one);
        const { needed, asking } = grantsFor(object, { siblings }, inMemory);
        rights.granted = [...needed, ...asking];
        const lived = await live(world, object, source, ending === "rotated" ? {} : inMiddle(object, source));
        const failures = lived.failures.filter((failure) => !failure.includes("ISSUANCE_PENDING"));
        expect([lived.outcome, failures]).toEqual([ending, []]);
        rights.all();
      }
    },
  );

  test("it uses what is asked for and nothing else", async () => {
    const { object, source } = await open(one);
    rights.used = new Set();
    await live(world, object, source);
    expect([...rights.used].toSorted()).toEqual(one.actions);
  });

  test("without any one of the assignments it is refused before anything is changed", async () => {
    const { object, source, name } = await open(one);
    const before = await versionsOf(name, object);
    const { needed, asking } = grantsFor(object, { siblings: "object" }, inMemory);
    expect(needed.length).toBeGreaterThan(0);
    for (const missing of needed) {
      rights.granted = [...asking, ...needed.filter((given) => given !== missing)];
      const lived = await live(world, object, source);
      rights.all();
      expect([missing.role, lived.outcome, lived.fault?.code]).toEqual([missing.role, "refused", "VAULT_FORBIDDEN"]);
      expect(await versionsOf(name, object)).toEqual(before);
    }
  });

  test.each(one.actions)("without %s it is refused before anything is changed", async (missing) => {
    const { object, source, name } = await open(one);
    const before = await versionsOf(name, object);
    const policy = async () =>
      object.parsed.policy!.objects[0]!.kind === "key"
        ? JSON.stringify(await world.keys.getKeyRotationPolicy(name).catch(() => undefined))
        : "";
    const policyBefore = await policy();
    rights.granted = everywhere(...one.actions.filter((action) => action !== missing));
    const lived = await live(world, object, source);
    rights.all();
    expect([lived.outcome, lived.fault?.code, new Set(lived.steps)]).toEqual([
      "refused",
      "VAULT_FORBIDDEN",
      new Set(["preflight!VAULT_FORBIDDEN", "record"]),
    ]);
    expect(await versionsOf(name, object)).toEqual(before);
    expect(await policy()).toEqual(policyBefore);
  });
});
