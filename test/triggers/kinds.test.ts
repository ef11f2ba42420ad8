import { CertificateClient } from "@azure/keyvault-certificates";
import { KeyClient } from "@azure/keyvault-keys";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { findRotator, rotators } from "../../rotators/index.ts";
import type { Deps } from "../../src/activities/deps.ts";
import { rotatorFacts } from "../../src/compose.ts";
import { openPorts, openVaults, type Zone } from "../../src/zone.ts";
import { PinionError } from "../../src/errors.ts";
import { parsePolicy } from "../../src/policy-file.ts";
import type { ObjectState } from "../../src/store/types.ts";
import { handleEvent } from "../../src/triggers/key-vault-events.ts";
import { sweep } from "../../src/triggers/sweep.ts";
import { stagingName } from "../../src/vault/staging.ts";
import type { ObjectKind } from "../../src/vault/vault.ts";
import { eventOf, objectOf, openTriggers, vaultId, vaultName } from "./bench.ts";

// Secrets, certificates and keys of one vault: which object an event means, and what the sweep finds due.

const day = 86_400_000;
const hour = 3_600_000;
const credential = { getToken: async () => ({ token: "anybody", expiresOnTimestamp: Date.now() + day }) };

let bench: Awaited<ReturnType<typeof openTriggers>>;
let keys: KeyClient;
let certificates: CertificateClient;
let deps: Deps;
/** Objects and their state by kind. */
let inventories: string[] = [];
let renewAt: (() => Promise<string | undefined>) | undefined;
beforeAll(async () => {
  bench = await openTriggers();
  const options = { disableChallengeResourceVerification: true };
  keys = new KeyClient(bench.local.uri, credential, options);
  certificates = new CertificateClient(bench.local.uri, credential, options);
});
afterAll(async () => await bench.close());

const selfSigned = { kind: "certificate-self-signed", strategy: "dual", target: {} };
const declared = (kind: ObjectKind, name: string, more: object = {}) =>
  kind === "secret"
    ? objectOf(name, more)
    : {
        id: `${kind}-${name}`,
        vault: "main",
        kind,
        name,
        validity: "P90D",
        rotateBefore: "P30D",
        consumers: [],
        ...(kind === "key"
          ? { rotator: { kind: "key", strategy: "dual", target: {} } }
          : { rotator: selfSigned, certificate: { names: ["www.contoso.com"], key: { type: "EC", curve: "P-256" } } }),
        ...more,
      };
function setPolicy(...objects: readonly object[]) {
  const parsed = parsePolicy(
    {
      version: 1,
      mode: "rotate",
      limits: { concurrent: 500, perDay: 5000 },
      vaults: { main: { uri: bench.local.uri, resourceId: vaultId } },
      objects,
    },
    rotatorFacts({ rotators, find: findRotator }),
  );
  expect(parsed.faults).toEqual([]);
  const vaults = openVaults(credential);
  const arm: Zone["arm"] = async () => undefined;
  const zone: Zone = {
    ...vaults,
    arm,
    ports: openPorts(vaults, credential, arm, (_name, work) => work()),
    vault(uri, kind) {
      const vault = vaults.vault(uri, kind);
      return {
        ...vault,
        inventory: async (signal) => {
          inventories.push(kind);
          return await vault.inventory(signal);
        },
      };
    },
  };
  deps = {
    ...bench.deps,
    zone: () => zone,
    policy: async () => parsed,
    rotator(kind, strategy) {
      const found = findRotator(kind, strategy);
      return renewAt !== undefined && found.manages === "certificate" ? { ...found, renewAt } : found;
    },
  };
}
const keyOf = (kind: ObjectKind, name: string) => `${vaultName}--${kind}--${name}`;
const stateOf = async (kind: ObjectKind, name: string) => (await deps.records.read(keyOf(kind, name))).state.value;
async function setState(kind: ObjectKind, name: string, patch: Partial<ObjectState>) {
  const { value, etag } = (await deps.records.read(keyOf(kind, name))).state;
  await deps.records.write(keyOf(kind, name), { ...value, ...patch }, etag);
}
const started = () => bench.starts.map(({ instance }) => instance);
const end = () => {
  bench.started.clear();
  bench.starts.length = 0;
};

async function makeKey(name: string, days: number): Promise<string> {
  const expiresOn = new Date(bench.local.clock.now() + days * day);
  const made = await keys.createKey(name, "EC", { expiresOn });
  bench.local.clock.advance(1_000);
  return made.properties.version ?? "";
}
/** A certificate ends after whole months. */
async function makeCertificate(name: string, tags: Record<string, string> = {}): Promise<string> {
  const poller = await certificates.beginCreateCertificate(
    name,
    {
      issuerName: "Self",
      subject: "CN=www.contoso.com",
      keyType: "EC",
      keyCurveName: "P-256",
      validityInMonths: 3,
      lifetimeActions: [{ action: "EmailContacts", lifetimePercentage: 80 }],
    },
    { intervalInMs: 10, tags },
  );
  bench.local.clock.advance(20_000);
  return (await poller.pollUntilDone()).properties.version ?? "";
}

let count = 0;
let name = "";
beforeEach(async () => {
  name = `all-${(count += 1)}`;
  renewAt = undefined;
  inventories = [];
  end();
  for (const [object, rotationId] of Object.entries((await bench.deps.fleet.open()).active))
    await bench.deps.fleet.release(object, rotationId);
});

const version = "c".repeat(32);
const objectTypes = { secret: "Secret", certificate: "Certificate", key: "Key" } as const;
const kinds = ["secret", "certificate", "key"] as const;
const told = (schema: "EventGrid" | "CloudEvents", kind: ObjectKind, what: string, of = name) => {
  const type = `Microsoft.KeyVault.${objectTypes[kind]}${what}`;
  const data = { VaultName: vaultName, ObjectType: objectTypes[kind], ObjectName: of, Version: version, EXP: 1 };
  return eventOf(schema, version, of, { type, eventType: type, data });
};

describe.each(["EventGrid", "CloudEvents"] as const)("an event in %s's schema", (schema) => {
  test.each(kinds.flatMap((kind) => ["NearExpiry", "Expired"].map((what) => [kind, what] as const)))(
    "of a %s, %s: starts the object of that kind, and none of the same name",
    async (kind, what) => {
      setPolicy(...kinds.map((one) => declared(one, name)));
      expect(await handleEvent(deps, bench.engine, told(schema, kind, what))).toMatchObject({ kind: "started" });
      expect(started()).toEqual([keyOf(kind, name)]);
      const { commands } = await deps.records.read(keyOf(kind, name), bench.starts[0]?.rotationId);
      expect(commands).toEqual([
        expect.objectContaining({ version, reason: `Microsoft.KeyVault.${objectTypes[kind]}${what}` }),
      ]);
    },
  );

  test("the secret and the key that belong to a certificate tell of their end too, and start nothing", async () => {
    setPolicy(declared("certificate", name));
    for (const kind of ["secret", "key"] as const)
      for (const what of ["NearExpiry", "Expired"])
        expect(await handleEvent(deps, bench.engine, told(schema, kind, what))).toMatchObject({ kind: "ignored" });
    expect(started()).toEqual([]);
    expect(await stateOf("certificate", name)).toMatchObject({ phase: "idle", attempts: 0 });
  });

  test.each(kinds)("of a staging %s: ignored", async (kind) => {
    setPolicy(declared(kind, name));
    for (const what of ["NearExpiry", "Expired"])
      expect(
        await handleEvent(deps, bench.engine, told(schema, kind, what, stagingName(keyOf(kind, name)))),
      ).toMatchObject({ kind: "ignored", why: expect.stringContaining("staging object") });
    expect(started()).toEqual([]);
  });

  test.each(kinds)("of a new version of a %s, or of one that was made by a policy: asks for nothing", async (kind) => {
    setPolicy(declared(kind, name));
    expect(await handleEvent(deps, bench.engine, told(schema, kind, "NewVersionCreated"))).toMatchObject({
      kind: "ignored",
    });
    expect(started()).toEqual([]);
  });
});

describe("the sweep", () => {
  test("finds what is due of three kinds, with one list of each", async () => {
    const others = kinds.map((kind) => declared(kind, `${name}-none`));
    setPolicy(...kinds.map((kind) => declared(kind, name)), ...others);
    await bench.local.put(name, "{}", { expiresOn: new Date(bench.local.clock.now() + 10 * day) });
    // One vault keeps a certificate's key and secret under its name.
    setPolicy(declared("secret", name), declared("key", `${name}-k`), declared("certificate", `${name}-c`), ...others);
    const key = await makeKey(`${name}-k`, 10);
    const certificate = await makeCertificate(`${name}-c`);
    expect(await sweep(deps, bench.engine)).toEqual({ seen: 6, due: 2, started: 2, faults: 0 });
    expect(started()).toEqual([keyOf("secret", name), keyOf("key", `${name}-k`)]);
    expect(inventories.toSorted()).toEqual(["certificate", "key", "secret"]);
    const { commands } = await deps.records.read(keyOf("key", `${name}-k`), bench.starts[1]?.rotationId);
    expect(commands).toEqual([expect.objectContaining({ version: key })]);
    for (const kind of kinds)
      expect((await stateOf(kind, `${name}-none`)).report?.notes).toContain(`the ${kind} does not exist`);

    end();
    bench.local.clock.advance(62 * day);
    await bench.local.put(name, "{}", { expiresOn: new Date(bench.local.clock.now() + 90 * day) });
    await makeKey(`${name}-k`, 90);
    expect(await sweep(deps, bench.engine)).toMatchObject({ due: 1, started: 1, faults: 0 });
    expect(started()).toEqual([keyOf("certificate", `${name}-c`)]);
    const record = await deps.records.read(keyOf("certificate", `${name}-c`), bench.starts[0]?.rotationId);
    expect(record.commands).toEqual([expect.objectContaining({ version: certificate })]);
  });

  test.each(["key", "certificate"] as const)(
    "a newest %s that was withdrawn: as due as the one that is current",
    async (kind) => {
      setPolicy(declared(kind, name));
      const make = async (days: number) => (kind === "key" ? await makeKey(name, days) : await makeCertificate(name));
      const current = await make(40);
      if (kind === "certificate") bench.local.clock.advance(50 * day);
      const later = await make(90);
      const tags = { "pinion-withdrawn-for": current, "pinion-marks": later };
      if (kind === "key") await keys.updateKeyProperties(name, later, { tags });
      else await certificates.updateCertificateProperties(name, later, { tags });
      expect(await sweep(deps, bench.engine)).toMatchObject({ due: 0, started: 0, faults: 0 });
      const { report } = await stateOf(kind, name);
      expect(Date.parse(report?.dueAt ?? "") - bench.local.clock.now()).toBeLessThan(12 * day);
      bench.local.clock.advance(12 * day);
      expect(await sweep(deps, bench.engine)).toMatchObject({ due: 1, started: 1, faults: 0 });
      const { commands } = await deps.records.read(keyOf(kind, name), bench.starts[0]?.rotationId);
      expect(commands).toEqual([expect.objectContaining({ version: current })]);
    },
  );

  test("a mark of withdrawal that the vault copied into a version made by hand says nothing", async () => {
    setPolicy(declared("key", name));
    const current = await makeKey(name, 40);
    const later = await makeKey(name, 90);
    await keys.updateKeyProperties(name, later, { tags: { "pinion-withdrawn-for": current, "pinion-marks": later } });
    const byHand = await keys.rotateKey(name);
    await keys.updateKeyProperties(name, byHand.properties.version ?? "", {
      expiresOn: new Date(bench.local.clock.now() + 100 * day),
    });
    bench.local.clock.advance(20 * day);
    expect(await sweep(deps, bench.engine)).toMatchObject({ due: 0, started: 0, faults: 0 });
    expect(Date.parse((await stateOf("key", name)).report?.expiresAt ?? "") - bench.local.clock.now()).toBeGreaterThan(
      70 * day,
    );
  });

  test("a certificate whose operation is pending is as due as its whole version", async () => {
    setPolicy(declared("certificate", name));
    const current = await makeCertificate(name);
    bench.local.clock.advance(70 * day);
    await certificates.beginCreateCertificate(name, { issuerName: "Unknown", subject: "CN=www.contoso.com" });
    expect(await sweep(deps, bench.engine)).toMatchObject({ due: 1, started: 1, faults: 0 });
    const { commands } = await deps.records.read(keyOf("certificate", name), bench.starts[0]?.rotationId);
    expect(commands).toEqual([expect.objectContaining({ version: current })]);
  });

  test("a request that was refused is remembered, and acted on, for every kind", async () => {
    for (const kind of ["key", "certificate"] as const) {
      const own = `${name}-${kind}`;
      setPolicy(declared(kind, own));
      const made = kind === "key" ? await makeKey(own, 85) : await makeCertificate(own);
      const at = new Date(bench.local.clock.now()).toISOString();
      const soon = new Date(bench.local.clock.now() + hour).toISOString();
      await setState(kind, own, { remembered: { version: made, at, why: "then" }, retryNotBefore: soon, attempts: 1 });
      end();
      expect(await sweep(deps, bench.engine)).toMatchObject({ due: 0, started: 0, faults: 0 });
      bench.local.clock.advance(hour + 1_000);
      expect(await sweep(deps, bench.engine)).toMatchObject({ due: 0, started: 1, faults: 0 });
      expect(started()).toEqual([keyOf(kind, own)]);
    }
  });
});

describe("an issuer with wishes (RFC 9773)", () => {
  let asked = 0;
  const wish = (answer: () => string | undefined) => {
    asked = 0;
    renewAt = async () => {
      asked += 1;
      return answer();
    };
  };
  const iso = (days: number) => new Date(bench.local.clock.now() + days * day).toISOString();
  /** A certificate that Pinion wrote a moment ago. */
  const fresh = async () => {
    setPolicy(declared("certificate", name));
    const made = await makeCertificate(name);
    await setState("certificate", name, { publishedVersion: made, publishedAt: iso(0) });
    return made;
  };

  test("is asked every six hours at most, and again for another version", async () => {
    wish(() => undefined);
    await fresh();
    for (let n = 0; n < 5; n++) {
      expect(await sweep(deps, bench.engine)).toMatchObject({ due: 0, faults: 0 });
      bench.local.clock.advance(hour);
    }
    expect(asked).toBe(1);
    bench.local.clock.advance(hour);
    await sweep(deps, bench.engine);
    expect(asked).toBe(2);
    await makeCertificate(name);
    await sweep(deps, bench.engine);
    expect(asked).toBe(3);
  });

  test("gets its renewal early, though the version is young", async () => {
    let at = iso(60);
    wish(() => at);
    const made = await fresh();
    expect(await sweep(deps, bench.engine)).toMatchObject({ due: 0, started: 0 });
    // It revokes a whole batch, say.
    at = iso(-1);
    bench.local.clock.advance(6 * hour + 1_000);
    expect(await sweep(deps, bench.engine)).toMatchObject({ due: 1, started: 1, faults: 0 });
    const { commands } = await deps.records.read(keyOf("certificate", name), bench.starts[0]?.rotationId);
    expect(commands).toEqual([
      expect.objectContaining({ version: made, actor: expect.objectContaining({ kind: "timer" }) }),
    ]);
  });

  test("never gets it later than the policy says", async () => {
    wish(() => iso(1000));
    await fresh();
    bench.local.clock.advance(65 * day);
    expect(await sweep(deps, bench.engine)).toMatchObject({ due: 1, started: 1, faults: 0 });
  });

  test.each([
    ["does not answer", () => Promise.reject(new PinionError("TARGET_UNREACHABLE", "No.", { class: "transient" }))],
    ["fails in an unexpected way", () => Promise.reject(new Error("boom"))],
    ["has no wish", () => Promise.resolve(undefined)],
  ])("that %s changes nothing", async (_what, answer) => {
    renewAt = answer;
    await fresh();
    expect(await sweep(deps, bench.engine)).toEqual({ seen: 1, due: 0, started: 0, faults: 0 });
    bench.local.clock.advance(65 * day);
    expect(await sweep(deps, bench.engine)).toEqual({ seen: 1, due: 1, started: 1, faults: 0 });
  });

  test("an earlier wish stands while the issuer is silent", async () => {
    let answer: () => Promise<string | undefined> = async () => at;
    const at = iso(2);
    renewAt = async () => await answer();
    await fresh();
    expect(await sweep(deps, bench.engine)).toMatchObject({ due: 0 });
    answer = () => Promise.reject(new Error("down"));
    bench.local.clock.advance(3 * day);
    expect(await sweep(deps, bench.engine)).toMatchObject({ due: 1, started: 1, faults: 0 });
  });
});
