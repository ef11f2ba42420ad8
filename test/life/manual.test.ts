import type { HttpRequest } from "@azure/functions";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Config } from "../../src/config.ts";
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
    engine: { wake: async () => undefined } as unknown as Call["engine"],
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
      await expect(merge(call(object, { rotationId, chain }, []))).rejects.toMatchObject({ code: "FORBIDDEN" });
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
  const lived = await live(world, object, source, {
    async meanwhile({ fault }) {
      if (fault?.code !== "ISSUANCE_PENDING") return false;
      const asked = bodyOf(await request(call(object)));
      // The authority goes by the machine's clock, which the vault's is ahead of.
      const ahead = Math.ceil((world.clock.now() - Date.now()) / day);
      const chain = authority.sign(asked["request"] ?? "", given, days + ahead);
      await merge(call(object, { rotationId: asked["rotationId"], chain }));
      return true;
    },
  });
  expect([lived.outcome, lived.fault?.code]).toEqual(["failed", "CANDIDATE_LOGIN_FAILED"]);
  expect(lived.fault?.message).toContain(why);
  expect(await certificateVersions(world, name)).toHaveLength(1);
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
