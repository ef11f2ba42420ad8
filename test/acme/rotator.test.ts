import { X509Certificate, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { Resolver } from "node:dns/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startBind } from "../../local/targets/bind.ts";
import type { BindServer } from "../../local/targets/bind.ts";
import { startPebble } from "../../local/targets/pebble.ts";
import type { Pebble } from "../../local/targets/pebble.ts";
import { ensureTls } from "../../local/tls.ts";
import type { Tls } from "../../local/tls.ts";
import {
  abandonAcme,
  acmeTarget,
  certificateAcme,
  renewByAcme,
  revokeByAcme,
} from "../../rotators/certificate-acme.ts";
import type { Ports, Step } from "../../src/rotator.ts";
import { bindIsMissing, needsBind } from "../dns/bind.ts";
import { createBed, untilDone } from "./bed.ts";
import { verifyChain } from "./openssl.ts";
import { skipped, where } from "./pebble.ts";

// The rotator as the policy declares it: pebble asks a real name server, which takes signed updates.

const secret = randomBytes(32).toString("base64");
const current = { id: "former" };
const keyUrl = "https://kv.vault.azure.net/secrets/tsig";

describe.skipIf(skipped || bindIsMissing)(`certificate-acme by DNS UPDATE${where}${needsBind}`, () => {
  const dir = mkdtempSync(join(tmpdir(), "pinion-acme-bind-"));
  let bind: BindServer;
  let pebble: Pebble;
  let tls: Tls;

  beforeAll(async () => {
    const key = { name: "pinion", algorithm: "hmac-sha256", secret };
    const records = ["@ NS ns1", "ns1 A 127.0.0.1"];
    bind = await startBind({ dir, keys: [key], zones: [{ name: "contoso.test", records, updatedBy: ["pinion"] }] });
    tls = await ensureTls(join(dir, "tls"), { now: () => Date.now() });
    pebble = await startPebble({ dir, tls, nameServer: bind.address });
  });
  afterAll(async () => {
    await pebble?.stop();
    await bind?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  test("preflight, issue, renew, revoke; the zone is as it was", async () => {
    const target = acmeTarget.parse({
      directory: pebble.directory,
      caRoots: tls.ca,
      account: "https://kv.vault.azure.net/keys/acme-account-ec",
      termsOfServiceAgreed: true,
      revokeOld: true,
      challenge: {
        kind: "rfc2136",
        server: "127.0.0.1",
        port: bind.port,
        key: { name: "pinion", secret: keyUrl },
        resolvers: [bind.address],
        servers: [bind.address],
      },
    });
    const { directory, caRoots } = target;
    const bed = createBed({ directory, caRoots: caRoots! }, { secrets: { [keyUrl]: secret } });
    const names = ["www.contoso.test", "contoso.test", "*.contoso.test"];

    const rotate = async (source?: Awaited<ReturnType<Ports["certificate"]>>) => {
      const { step: base, slot } = bed.rotation(names, { source });
      const certificate = async () => await Promise.resolve(slot.whole() ?? source!);
      const step: Step<typeof target> = { ...base, target, ports: { ...base.ports, certificate } };
      const made = await untilDone(async () => await certificateAcme.create(step, { current, idle: { id: "next" } }));
      expect(verifyChain(slot.merged[0]!, await pebble.root(), names)).toBe("");
      expect(made.id).toBe(slot.whole()!.version);
      return { step, slot, made };
    };

    const first = await rotate();
    const seen = await certificateAcme.observe(first.step, first.made, { negativeControl: false });
    expect(seen.proofs.every(({ ok }) => ok)).toBe(true);
    expect(seen.proofs.at(-1)!.name).toBe("the servers for www.contoso.test can be asked");

    const second = await rotate(first.slot.whole());
    expect(second.made.id).not.toBe(first.made.id);
    expect(await abandonAcme(second.step)).toEqual([{ name: "no challenge value is left", ok: true }]);
    expect(await renewByAcme(second.step, second.made), "pebble has no renewal information").toBeUndefined();
    expect(await revokeByAcme(first.step, first.made)).toMatchObject([{ ok: true }]);
    const { serialNumber } = new X509Certificate(first.slot.whole()!.leaf);
    expect((await pebble.statusOf(serialNumber)).status).toBe("Revoked");

    const resolver = new Resolver();
    resolver.setServers([bind.address]);
    for (const name of ["_acme-challenge.contoso.test", "_acme-challenge.www.contoso.test"]) {
      expect(await resolver.resolveTxt(name).catch(({ code }: { code: string }) => code)).toMatch(/ENOTFOUND|ENODATA/);
    }
  });
});
