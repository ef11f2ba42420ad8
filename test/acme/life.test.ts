import { X509Certificate, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { Resolver } from "node:dns/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startBind } from "../../local/targets/bind.ts";
import type { BindServer } from "../../local/targets/bind.ts";
import { startPebble } from "../../local/targets/pebble.ts";
import type { Pebble } from "../../local/targets/pebble.ts";
import { ensureTls } from "../../local/tls.ts";
import type { Tls } from "../../local/tls.ts";
import { bindIsMissing, needsBind } from "../dns/bind.ts";
import { certificateVersions, firstCertificate, names } from "../life/first.ts";
import { grantsFor, openRights } from "../life/granted.ts";
import { live } from "../life/live.ts";
import { newFate, watchNetwork } from "../life/process.ts";
import type { Fate } from "../life/process.ts";
import { nameOf } from "../life/crash.ts";
import { openObject, openWorld } from "../life/world.ts";
import type { World } from "../life/world.ts";
import { verifyChain } from "./openssl.ts";
import { skipped, where } from "./pebble.ts";

// A whole rotation: the app's own steps, a real vault's slot and keys, a real CA and a real name server.

const secret = randomBytes(32).toString("base64");
const rights = openRights();

describe.skipIf(skipped || bindIsMissing)(`a life with certificate-acme${where}${needsBind}`, () => {
  const dir = mkdtempSync(join(tmpdir(), "pinion-acme-life-"));
  let world: World;
  let bind: BindServer;
  let pebble: Pebble;
  let tls: Tls;

  // A vault for each test: its clock moves, while those of CA and name server stay.
  const openVault = async () => {
    rights.all();
    world = await openWorld({ authorize: rights.authorize });
    await world.keys.createKey("acme-account", "EC", { curve: "P-256", keyOps: ["sign", "verify"] });
    await world.secrets.setSecret("tsig", secret);
  };
  beforeEach(openVault);
  afterEach(async () => await world.close());
  beforeAll(async () => {
    const key = { name: "pinion", algorithm: "hmac-sha256", secret };
    const records = ["@ NS ns1", "ns1 A 127.0.0.1"];
    bind = await startBind({ dir, keys: [key], zones: [{ name: "contoso.com", records, updatedBy: ["pinion"] }] });
    tls = await ensureTls(join(dir, "tls"), { now: () => Date.now() });
    pebble = await startPebble({
      dir,
      tls,
      nameServer: bind.address,
      env: { PEBBLE_WFE_NONCEREJECT: "0", PEBBLE_AUTHZREUSE: "0" },
    });
  });
  afterAll(async () => {
    await pebble?.stop();
    await bind?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const policyOf = async (exportable: boolean) => {
    const uri = world.uri.replace(/\/$/, "");
    const target = {
      directory: pebble.directory,
      caRoots: tls.ca,
      account: `${uri}/keys/acme-account`,
      termsOfServiceAgreed: true,
      challenge: {
        kind: "rfc2136",
        server: "127.0.0.1",
        port: bind.port,
        key: { name: "pinion", secret: `${uri}/secrets/tsig` },
        resolvers: [bind.address],
        servers: [bind.address],
      },
    };
    return {
      kind: "certificate" as const,
      certificate: { names, exportable, roots: [await pebble.root()], revocation: "ignore" },
      rotator: { kind: "certificate-acme", strategy: "dual", target },
    };
  };

  /** TXT values that are there now. */
  const left = async () => {
    const resolver = new Resolver();
    resolver.setServers([bind.address]);
    const found = names.map(async (one) => await resolver.resolveTxt(`_acme-challenge.${one}`).catch(() => []));
    return (await Promise.all(found)).flat(2);
  };

  test.each([true, false])(
    "from the CA to the newest version, with what onboarding gives (exportable: %s)",
    async (exportable) => {
      const name = exportable ? "acme-out" : "acme-in";
      const source = await firstCertificate(world, name, exportable);
      const object = openObject(world, { name, object: await policyOf(exportable), arm: rights.arm });
      const { needed, asking } = grantsFor(object, { siblings: "object" });
      rights.granted = [...needed, ...asking];
      const lived = await live(world, object, source);
      rights.all();
      expect([lived.outcome, lived.failures.filter((one) => !one.includes("ISSUANCE_PENDING"))]).toEqual([
        "rotated",
        [],
      ]);
      const newest = await world.certificates.getCertificate(name);
      expect(newest.properties.tags).toMatchObject({ "pinion-rotation": lived.rotationId });
      expect(await certificateVersions(world, name)).toHaveLength(2);
      expect(new X509Certificate(newest.cer!).issuer).toMatch(/^CN=Pebble Intermediate/);
      const between = new X509Certificate(await pebble.intermediate()).raw;
      expect(verifyChain([newest.cer!, between], await pebble.root(), names)).toBe("");
      expect(await left()).toEqual([]);
      expect(object.state().notes?.["acme-order"]).toBeUndefined();
    },
  );

  test("the reply to any request to the CA is lost with its process: one order, one version", async () => {
    const nameOfCall = (method: string, url: URL) =>
      nameOf(
        method,
        new URL(url.href.replace(/\/(certZ|authZ|chalZ|my-account|my-order|finalize-order)\/[\w-]+/, "/$1/id")),
      );
    const unwatch = watchNetwork(nameOfCall);
    try {
      const undisturbed = newFate();
      await once(undisturbed, "acme-undisturbed");
      const asked = undisturbed.calls.filter(({ name }) =>
        /-plz|-me-up|\/my-account|chalZ|authZ|certZ|finalize/.test(name),
      );
      expect(asked.length).toBeGreaterThan(10);
      for (const [index, call] of asked.entries()) {
        const fate = newFate({ ...call, phase: "work" });
        const seen = await once(fate, `acme-dying-${index}`);
        expect({ call, struck: fate.struck(), ...seen }).toEqual({
          call,
          struck: true,
          outcome: "rotated",
          orders: 1,
          versions: 2,
          left: [],
        });
      }
    } finally {
      unwatch();
    }

    async function once(fate: Fate, name: string) {
      await world.close();
      await openVault();
      const source = await firstCertificate(world, name);
      const object = openObject(world, { name, object: await policyOf(true) });
      const { outcome } = await live(world, object, source, { fate });
      const orders = fate.calls.filter((one) => one.name.includes("order-plz")).length;
      return { outcome, orders, versions: (await certificateVersions(world, name)).length, left: await left() };
    }
  }, 600_000);
});
