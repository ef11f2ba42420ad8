import type { HttpRequest } from "@azure/functions";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Config } from "../../src/config.ts";
import { certificatesIn } from "../../src/activities/certificate-slot.ts";
import type { PinionError } from "../../src/errors.ts";
import { merge, request } from "../../src/triggers/api/certificate.ts";
import type { Call } from "../../src/triggers/api/route.ts";
import { stagingName } from "../../src/vault/staging.ts";
import { openAuthority } from "./authority.ts";
import { certificateVersions, firstCertificate, names } from "./first.ts";
import { live } from "./live.ts";
import { day, type LifeObject, openObject, openWorld, type World } from "./world.ts";

let world: World;
let authority: ReturnType<typeof openAuthority>;
beforeAll(async () => {
  world = await openWorld();
  authority = openAuthority();
});
afterAll(async () => {
  authority.close();
  await world.close();
});

const byHand = { kind: "certificate-manual", strategy: "dual", target: { instructions: "Ask the web team." } };
const certificate = (more: object = {}) => ({
  kind: "certificate" as const,
  certificate: { names, roots: [authority.root], ...more },
  rotator: byHand,
  issueWithin: "P10D",
});

/** A call of the API by an operator. */
function call(object: LifeObject, body: unknown = {}, roles = ["Pinion.Operator"]): Call {
  const bytes = Buffer.from(JSON.stringify(body));
  const { deps } = object.app();
  const records = {
    ...deps.records,
    command: async (_key: string, command: Parameters<LifeObject["command"]>[0]) => {
      object.command(command);
      return true;
    },
  };
  return {
    request: {
      params: { id: object.id },
      headers: new Headers(),
      arrayBuffer: async () => bytes,
    } as unknown as HttpRequest,
    deps: { ...deps, records },
    config: { operatorRole: "Pinion.Operator" } as Config,
    engine: {
      wake: async () => undefined,
      running: async () => ({ rotationId: "", step: "stage", since: "", timeline: [] }),
    } as unknown as Call["engine"],
    actor: { kind: "person", id: "web-team", roles },
  };
}

const bodyOf = (reply: { jsonBody?: unknown; body?: unknown }) =>
  (reply.jsonBody ?? JSON.parse(String(reply.body))) as Record<string, string>;

test("a person is told, fetches the request, and brings the certificate; meanwhile nobody sees anything of it", async () => {
  const name = "by-hand";
  const source = await firstCertificate(world, name);
  const object = openObject(world, { name, object: certificate() });
  let waits = 0;
  const lived = await live(world, object, source, {
    async meanwhile({ step, fault }) {
      if (step !== "retry" || fault?.code !== "ISSUANCE_PENDING") return false;
      waits += 1;
      if (waits < 4) return false;
      // Who reads the certificate, its secret or its key still gets the former version.
      expect((await world.certificates.getCertificate(name)).properties).toMatchObject({
        version: source,
        enabled: true,
      });
      expect((await world.secrets.getSecret(name)).properties.version).toBe(source);
      expect((await world.keys.getKey(name)).properties.version).toBe(source);

      const asked = bodyOf(await request(call(object)));
      const { rotationId = "" } = asked;
      const chain = authority.sign(asked["request"] ?? "", names);
      await expect(merge(call(object, { rotationId, chain: "hello" }))).rejects.toMatchObject({ code: "BAD_REQUEST" });
      await expect(merge(call(object, { rotationId, chain: authority.root }))).rejects.toMatchObject({
        code: "CONFLICT",
      });
      await expect(merge(call(object, { rotationId: "r-0", chain }))).rejects.toMatchObject({ code: "NOT_FOUND" });
      expect(await merge(call(object, { rotationId, chain }))).toMatchObject({ status: 202 });
      return true;
    },
  });
  expect(lived.outcome).toBe("rotated");
  expect(object.told.filter(({ type }) => type.endsWith(".Waiting"))).toHaveLength(1);
  expect(object.told.find(({ type }) => type.endsWith(".Waiting"))?.data).toMatchObject({
    message: expect.stringContaining("Ask the web team."),
  });
  const newest = await world.certificates.getCertificate(name);
  for (const one of names) authority.verify(newest.cer!, one, world.clock.now());
  expect(await certificateVersions(world, name)).toHaveLength(2);
  const [evidence] = [...object.evidence.values()].map((text) => JSON.parse(text) as { commands: { verb: string }[] });
  expect(evidence?.commands.map(({ verb }) => verb)).toEqual(["start", "merge"]);
  await expect(request(call(object))).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("a finish that was asked for early hides no certificate: the wait for it is cut all the same, and so is the grace", async () => {
  const name = "finished-early";
  const source = await firstCertificate(world, name);
  const object = openObject(world, { name, object: certificate() });
  const waits: string[] = [];
  const lived = await live(world, object, source, {
    async meanwhile({ step, fault }) {
      waits.push(fault?.code === "ISSUANCE_PENDING" ? "pending" : step);
      const rotationId = object.state().rotationId ?? "";
      if (waits.length === 1) object.command({ verb: "finish", rotationId, version: source });
      if (waits.length !== 2) return waits.length === 1;
      const asked = bodyOf(await request(call(object)));
      await merge(call(object, { rotationId, chain: authority.sign(asked["request"] ?? "", names) }));
      return true;
    },
  });
  expect(lived.outcome).toBe("rotated");
  expect(waits).toEqual(["pending", "pending"]);
});

test("nobody comes: reminders, then the request is taken away and the object is as it was", async () => {
  const name = "nobody";
  const source = await firstCertificate(world, name);
  const object = openObject(world, { name, object: { ...certificate(), issueWithin: "P3D" } });
  const lived = await live(world, object, source);
  expect([lived.outcome, lived.fault?.code]).toEqual(["failed", "ISSUANCE_PENDING"]);
  expect(object.told.filter(({ type }) => type.endsWith(".Reminder")).length).toBeGreaterThanOrEqual(2);
  await expect(world.certificates.getCertificateOperation(stagingName(object.key))).rejects.toMatchObject({
    statusCode: 404,
  });
  expect((await world.certificates.getCertificate(name)).properties).toMatchObject({ version: source, enabled: true });
});

test.each([
  ["with other names than the policy's", ["www.contoso.com", "evil.example"], 200, "contoso.com"],
  ["that ends before the next one is due", names, 2, "days more, and the policy asks for 31.00 days"],
] as const)("a certificate %s is never published", async (_what, given, days, why) => {
  const name = `wrong-${days}`;
  const source = await firstCertificate(world, name);
  const object = openObject(world, { name, object: certificate() });
  let merged = false;
  const lived = await live(world, object, source, {
    async meanwhile({ fault }) {
      if (fault?.code !== "ISSUANCE_PENDING" || merged) return false;
      merged = true;
      const asked = bodyOf(await request(call(object)));
      // The authority goes by the machine's clock, which the vault's is ahead of.
      const ahead = Math.ceil((world.clock.now() - Date.now()) / day);
      const chain = authority.sign(asked["request"] ?? "", given, days + ahead);
      await expect(merge(call(object, { rotationId: asked["rotationId"], chain }))).rejects.toMatchObject({
        code: "BAD_REQUEST",
        message: expect.stringContaining(why),
      });
      // Past Pinion it can be merged.
      await world.certificates.mergeCertificate(stagingName(object.key), [...certificatesIn(chain)]);
      return false;
    },
  });
  expect(object.commands().map(({ verb }) => verb)).toEqual(["start"]);
  expect([lived.outcome, lived.fault?.code]).toEqual(["failed", "CANDIDATE_LOGIN_FAILED"]);
  expect(lived.fault?.message).toContain(why);
  expect(await certificateVersions(world, name)).toHaveLength(1);
});

test("a chain that is none, or too long to be remembered, is refused before anything is recorded", async () => {
  const name = "bad-chains";
  const source = await firstCertificate(world, name);
  const object = openObject(world, { name, object: { ...certificate(), issueWithin: "P1D" } });
  const stranger = openAuthority();
  await live(world, object, source, {
    async meanwhile({ fault }) {
      if (fault?.code !== "ISSUANCE_PENDING" || object.told.some(({ type }) => type === "tried")) return false;
      object.told.push({ type: "tried", data: {} });
      const { rotationId = "", request: asked = "" } = bodyOf(await request(call(object)));
      const good = authority.sign(asked, names);
      const leaf = good.slice(0, good.length - authority.issuing.length);
      const none = (chain: string) =>
        expect(merge(call(object, { rotationId, chain }))).rejects.toMatchObject({
          code: "BAD_REQUEST",
          message: expect.stringContaining("certificate 2 is no authority's that signed the one before it"),
        });
      await none(leaf + leaf);
      await none(leaf + authority.root + authority.issuing);
      // The same name, and another key.
      await none(leaf + stranger.issuing);
      await expect(merge(call(object, { rotationId, chain: leaf }))).rejects.toMatchObject({
        code: "BAD_REQUEST",
        message: expect.stringContaining("the chain ends at a trusted root"),
      });
      const { records } = object.app().deps;
      const { state } = await records.read(object.key);
      const notes = { ...state.value.notes, other: "x".repeat(15_500) };
      await records.write(object.key, { ...state.value, notes }, state.etag);
      await expect(merge(call(object, { rotationId, chain: good }))).rejects.toMatchObject({
        code: "BAD_REQUEST",
        message: expect.stringContaining("leave out the root"),
      });
      return false;
    },
  });
  stranger.close();
  expect(object.told.some(({ type }) => type === "tried")).toBe(true);
  expect(object.commands().map(({ verb }) => verb)).toEqual(["start"]);
  expect(await certificateVersions(world, name)).toHaveLength(1);
});

test("in the object, where a reader follows the newest version: merged within the window only, and never one that the policy does not want", async () => {
  const name = "followed";
  const source = await firstCertificate(world, name, false);
  const newest = async () => (await world.secrets.getSecret(name)).properties.version ?? null;
  const receiver = createServer((_, response) => {
    void newest().then((version) => response.end(JSON.stringify({ version })));
  });
  receiver.listen(0, "127.0.0.1");
  await once(receiver, "listening");
  const { port } = receiver.address() as AddressInfo;
  await world.secrets.setSecret("followed-key", "k".repeat(40));
  const reader = {
    kind: "webhook",
    id: "reader",
    url: `http://127.0.0.1:${port}/`,
    key: `${world.uri}/secrets/followed-key`,
    reads: "latest",
    lag: "PT1M",
  };
  const object = openObject(world, {
    name,
    object: {
      ...certificate({ exportable: false, contentType: "application/x-pem-file" }),
      rollback: "reissue",
      window: { cron: "0 2 * * *", duration: "PT3H", timeZone: "Etc/UTC" },
      consumers: [reader],
    },
  });
  const codes: string[] = [];
  let merged = false;
  const lived = await live(world, object, source, {
    async meanwhile({ fault }) {
      if (fault?.code !== "ISSUANCE_PENDING" || merged) return false;
      const { rotationId = "", request: asked = "" } = bodyOf(await request(call(object)));
      const bring = async (wanted: readonly string[]) =>
        await merge(call(object, { rotationId, chain: authority.sign(asked, wanted) })).then(
          () => (merged = true),
          (error: PinionError) => void codes.push(error.code),
        );
      // Asked for within the window, answered after it.
      world.clock.advance(4 * 3_600_000);
      await bring(names);
      if (merged) throw new Error("merged outside the window");
      // The window opens at two o'clock.
      const hours = (26 - new Date(world.clock.now()).getUTCHours()) % 24;
      world.clock.advance(hours * 3_600_000);
      await bring([...names, "evil.example"]);
      expect(await newest()).toBe(source);
      await bring(names);
      return true;
    },
  });
  receiver.close();
  expect([codes, merged]).toEqual([["WINDOW_CLOSED", "BAD_REQUEST"], true]);
  expect(lived.outcome).toBe("rotated");
});

test.each([
  ["PEM", "application/x-pem-file", true],
  ["PFX", "application/x-pkcs12", false],
])(
  "in the object itself, as %s: readers of the secret never see the placeholder, and none stays on top",
  async (_form, contentType) => {
    const name = `inside-${contentType.slice(-3)}`;
    const source = await firstCertificate(world, name, false, contentType);
    const object = openObject(world, { name, object: certificate({ exportable: false, contentType }) });
    const former = await world.certificates.getCertificate(name);
    let asked = false;
    const lived = await live(world, object, source, {
      async meanwhile({ fault }) {
        if (fault?.code !== "ISSUANCE_PENDING" || asked) return false;
        // Who reads the certificate itself sees a disabled version without a certificate; its secret and its key are the former ones.
        const pending = await world.certificates.getCertificate(name);
        expect([pending.properties.enabled, pending.cer]).toEqual([false, undefined]);
        expect((await world.secrets.getSecret(name)).properties.version).toBe(source);
        expect((await world.keys.getKey(name)).properties.version).toBe(source);
        asked = true;
        object.command({ verb: "rollback", rotationId: object.state().rotationId ?? "", version: source });
        return true;
      },
    });
    expect(lived.outcome).toBe("rolled-back");
    const after = await world.certificates.getCertificate(name);
    expect(Buffer.from(after.cer!)).toEqual(Buffer.from(former.cer!));
    expect(after.properties).toMatchObject({ enabled: true, tags: { "pinion-rollback-of": source } });
    // A PFX has a salt of its own each time.
    const [now = "", before = ""] = [
      (await world.secrets.getSecret(name)).value,
      (await world.secrets.getSecret(name, { version: source })).value,
    ];
    expect(contentType.endsWith("pkcs12") ? now.length : now).toEqual(
      contentType.endsWith("pkcs12") ? before.length : before,
    );
  },
);
