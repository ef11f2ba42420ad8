import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { hasNginx } from "../../local/targets/nginx.ts";
import type { EvidenceRecord } from "../../src/evidence/record.ts";
import { skipped, where } from "../acme/pebble.ts";
import { verifyChain } from "../acme/openssl.ts";
import { file } from "../certificates/openssl.ts";
import { bindIsMissing, needsBind } from "../dns/bind.ts";
import { askByOpenssl, startLoad, thumbprintOf, type Asked } from "./clients.ts";
import { type Edge, openMail, openNginx, openSigner, toPem } from "./edge.ts";
import { certificateVersions, firstCertificate, names } from "./first.ts";
import { leaksOf } from "./leaks.ts";
import { live } from "./live.ts";
import { openPublicCa, type PublicCa } from "./public-ca.ts";
import { type LifeObject, openObject, openWorld, type World } from "./world.ts";

// Promises 1, 3 and 5 for a certificate, with everything that can be had for real: CA, name server, web server, clients.

const noNginx = !hasNginx() && process.env["CI"] !== "true";
const missing = noNginx || skipped || bindIsMissing;
const reason = `${where}${needsBind}${noNginx ? " (skipped: no nginx on this machine)" : ""}`;

const certificateIn = /-----BEGIN CERTIFICATE-----[^]+?-----END CERTIFICATE-----/g;
const certificatesOf = (pem: string): readonly Buffer[] =>
  (pem.match(certificateIn) ?? []).map((one) => Buffer.from(one.replaceAll(/-----[A-Z ]+-----/g, ""), "base64"));

describe.skipIf(missing)(`a certificate's whole life${reason}`, () => {
  const dir = mkdtempSync(join(tmpdir(), "pinion-whole-"));
  let ca: PublicCa;
  let world: World;
  beforeAll(async () => void (ca = await openPublicCa(join(dir, "ca"))));
  afterAll(async () => {
    await ca?.close();
    rmSync(dir, { recursive: true, force: true });
  });
  // A vault for each test: its clock moves, while those of CA, name server and clients stay.
  beforeEach(async () => {
    world = await openWorld();
    await ca.prepare(world);
  });
  afterEach(async () => await world.close());

  const policyOf = (certificate: object, more: object) => ({
    kind: "certificate" as const,
    certificate: { names, roots: [ca.root], revocation: "ignore", ...certificate },
    rotator: ca.rotator(world),
    ...more,
  });
  const textOf = async (name: string, version: string): Promise<string> =>
    (await world.secrets.getSecret(name, { version })).value ?? "";
  const turnBack = (object: LifeObject, version: string) =>
    object.command({ verb: "rollback", rotationId: object.state().rotationId ?? "", version });

  test.each([
    ["PEM", "application/x-pem-file"],
    ["PFX", "application/x-pkcs12"],
  ])(
    "as %s: no handshake fails, every endpoint serves the new one, and the former one again",
    async (form, contentType) => {
      const name = `whole-${form.toLowerCase()}`;
      const source = await firstCertificate(world, name, true, contentType);
      const heard: string[] = [];
      const installed = { world, name, source, onCall: (text: string) => void heard.push(text) };
      const nginx = await openNginx(installed, join(dir, name));
      const mail = await openMail(installed);
      const edges: readonly Edge[] = [nginx, mail];
      const [web = 0] = nginx.ports;
      const [imaps = 0, smtp = 0] = mail.ports;
      const endpoints = [
        { host: "www.contoso.com", port: web, address: "127.0.0.1" },
        { host: "127.0.0.1", port: web, serverName: "contoso.com" },
        { host: "127.0.0.1", port: imaps, serverName: "www.contoso.com" },
        { host: "contoso.com", port: smtp, address: "127.0.0.1", starttls: "smtp" },
      ];
      const asked: readonly Asked[] = [
        { port: web, name: "www.contoso.com" },
        { port: web, name: "contoso.com" },
        { port: imaps, name: "www.contoso.com" },
        { port: smtp, name: "contoso.com", starttls: "smtp" },
      ];
      const consumers = edges.map(({ consumer }) => consumer);
      const object = openObject(world, { name, object: policyOf({ contentType }, { consumers, endpoints }) });

      const former = certificatesOf(toPem(await textOf(name, source)));
      const before = thumbprintOf(former[0]!);
      const trusted = [ca.root, toPem(await textOf(name, source)).match(certificateIn)![0]];
      const roots = file(`${name}.pem`, trusted.join("\n"));
      const serve = async () => await Promise.all(asked.map(async (one) => await askByOpenssl(one, roots)));
      const all = (thumbprint: string) => asked.map(() => ({ good: true, thumbprint }));
      // For a moment after a reload the former worker of nginx still takes connections, in turns with the next one.
      const serves = async (thumbprint: string) =>
        await vi.waitFor(async () => expect(await serve()).toEqual(all(thumbprint)), {
          timeout: 10_000,
          interval: 100,
        });
      await serves(before);

      const load = startLoad(asked[0]!, trusted);
      // Before, between and after, so that each state is seen by many.
      await delay(1000);
      let after = "";
      const lived = await live(world, object, source, {
        async meanwhile({ step }) {
          if (step !== "grace" || after !== "") return false;
          const newest = await world.certificates.getCertificate(name);
          after = thumbprintOf(newest.cer!);
          // What is published, as its readers get it: key and chain, which every endpoint sends on.
          const pem = toPem(await textOf(name, newest.properties.version ?? ""));
          expect(pem).toContain("PRIVATE KEY-----");
          expect(verifyChain(certificatesOf(pem), ca.root, names)).toBe("");
          await serves(after);
          expect(edges.map((edge) => edge.installed())).toEqual([newest.properties.version, newest.properties.version]);
          await delay(1000);
          turnBack(object, source);
          return true;
        },
      });
      // A reload takes a moment: an endpoint may still show the former certificate at the first look.
      const expected = /ISSUANCE_PENDING|^verify: CONSUMER_NOT_MOVED/;
      expect([lived.outcome, lived.failures.filter((one) => !expected.test(one))]).toEqual(["rolled-back", []]);
      await serves(before);
      expect(edges.map((edge) => edge.installed())).toEqual([source, source]);
      await delay(1000);
      const { failed, seen, perSecond } = await load();
      expect(failed).toEqual([]);
      // While nginx reloads, the former worker and the next one take connections in turns.
      expect([seen[0], seen.at(-1), new Set(seen)]).toEqual([before, before, new Set([before, after])]);
      expect(seen.length).toBeGreaterThan(150);
      expect(perSecond).toBeGreaterThan(45);

      // The evidence says of each endpoint what it served, there and back.
      const [evidence] = [...object.evidence.values()].map((text) => JSON.parse(text) as EvidenceRecord);
      const served = evidence!.steps
        .filter(({ step }) => step === "verify")
        .map(({ proofs }) => proofs.filter((proof) => proof.name.endsWith("serves the certificate")));
      expect(served.map((proofs) => proofs.length)).toEqual([4, 4]);
      expect(served[0]!.every(({ ok, detail }) => ok && detail?.includes(after))).toBe(true);
      expect(served[1]!.every(({ ok, detail }) => ok && detail?.includes(before))).toBe(true);
      expect(served[0]!.map((proof) => proof.name)).toEqual([
        `www.contoso.com:${web} (at 127.0.0.1) serves the certificate`,
        `127.0.0.1:${web} (as contoso.com) serves the certificate`,
        `127.0.0.1:${imaps} (as www.contoso.com) serves the certificate`,
        `contoso.com:${smtp} (at 127.0.0.1, smtp) serves the certificate`,
      ]);

      // Who follows the newest gets the former certificate again; nothing of the order is left, and the keys are where they belong.
      expect(thumbprintOf((await world.certificates.getCertificate(name)).cer!)).toBe(before);
      expect(await ca.left()).toEqual([]);
      for (const text of heard) object.leave("call of a receiver", text);
      expect(heard.length).toBeGreaterThan(8);
      expect(leaksOf(world, object)).toEqual([]);
    },
  );

  test.each([
    ["PEM", "application/x-pem-file"],
    ["PFX", "application/x-pkcs12"],
  ])(
    "as %s whose key stays in the vault: nobody gets it, and a rollback pins the former version again",
    async (form, contentType) => {
      const name = `kept-${form.toLowerCase()}`;
      const source = await firstCertificate(world, name, false, contentType);
      const signer = await openSigner({ world, name, source, onCall: () => {} });
      const policy = policyOf({ contentType, exportable: false }, { consumers: [signer.consumer], endpoints: [] });
      const object = openObject(world, { name, object: policy });
      let candidate = "";
      const lived = await live(world, object, source, {
        async meanwhile({ step }) {
          if (step !== "grace" || candidate !== "") return false;
          const newest = await world.certificates.getCertificate(name);
          candidate = newest.properties.version ?? "";
          expect(signer.installed()).toBe(candidate);
          const between = certificatesOf(ca.intermediate);
          expect(verifyChain([newest.cer!, ...between], ca.root, names)).toBe("");
          for (const version of [candidate, source]) {
            expect(toPem(await textOf(name, version))).not.toContain("PRIVATE KEY");
            const { key } = await world.keys.getKey(name, { version });
            expect([key?.d, key?.p, key?.q]).toEqual([undefined, undefined, undefined]);
          }
          turnBack(object, source);
          return true;
        },
      });
      expect([lived.outcome, lived.failures.filter((one) => !one.includes("ISSUANCE_PENDING"))]).toEqual([
        "rolled-back",
        [],
      ]);
      expect(signer.installed()).toBe(source);
      // What the vault made stays there, and says which version is current instead.
      const [made, current, ...others] = await certificateVersions(world, name);
      expect(made).toMatchObject({ version: candidate, tags: { "pinion-withdrawn-for": source } });
      expect([current?.version, current?.enabled, others]).toEqual([source, true, []]);
      expect(await ca.left()).toEqual([]);
      expect(leaksOf(world, object)).toEqual([]);
    },
  );
});
