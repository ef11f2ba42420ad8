import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { Arm } from "../../src/azure/arm.ts";
import { appService } from "../../src/consumers/app-service.ts";
import type { ConsumerOf, Health } from "../../src/policy-consumers.ts";
import { app, openSite, siteId } from "./site.ts";

let site: Awaited<ReturnType<typeof openSite>>;
beforeAll(async () => void (site = await openSite()));
afterAll(() => site.close());
beforeEach(async () => {
  site.azure.faults.clear();
  await site.write({ ...site.others, DB: site.pin(site.versions[0]) });
  await site.write({ ...site.others, LOG_LEVEL: "debug", DB: site.pin(site.versions[0]) }, "staging");
});

function proven(step: ReturnType<typeof site.step>, version: string) {
  return expect.poll(async () => (await appService.prove(step, version)).map(({ ok }) => ok), { timeout: 15_000 });
}
/** A consumer's declaration, before there is a cloud. */
const declared = (how: object) =>
  ({
    kind: "app-service",
    id: "orders",
    resourceId: siteId,
    setting: "DB",
    reads: "pinned",
    ...how,
  }) as ConsumerOf<"app-service">;
const puts = () => site.azure.faults.calls()["appsettings.put"] ?? 0;

describe.each([
  ["pinned", {}],
  ["a slot", { slot: "staging" }],
  ["latest", { reads: "latest" }],
] as const)("what it says that it needs is enough: %s", (_name, how) => {
  const actions = appService.needs(declared(how)).flatMap(({ role }) => role.actions ?? []);
  const allow = (given: readonly string[] | undefined) =>
    site.azure.rights.limit(
      app.objectId,
      given && [{ actions: given, notActions: [], dataActions: [], notDataActions: [] }],
    );
  /** The text that it points at in the end. */
  const go = async () => {
    const step = site.step(how);
    await appService.read(step);
    await appService.move(step, "reads" in how ? site.latest : site.pin(site.versions[1]));
    await proven(step, site.versions[1]).toEqual([true]);
    return (await appService.read(step)).text;
  };
  beforeEach(async () => {
    if ("reads" in how) await site.write({ ...site.others, DB: site.latest });
  });
  afterEach(() => allow(undefined));

  test("to read, to move and to prove", async () => {
    allow(actions);
    expect(await go()).toBe("reads" in how ? site.latest : site.pin(site.versions[1]));
  });

  test.each(["list/action", "read", "write"])("and not without config/%s", async (verb) => {
    const missing = (action: string) => action.endsWith(`/config/${verb}`);
    expect(actions.filter(missing)).toHaveLength(1);
    // The local cloud asks for config/write where Azure's own action for a refresh is not known.
    allow(actions.filter((action) => !missing(action) && !action.includes("*")));
    await expect(go()).rejects.toMatchObject({ code: "CONSUMER_FORBIDDEN" });
  });
});

describe("pinned", () => {
  test("read, moved, proven; every other setting is as it was", async () => {
    const step = site.step();
    const [one, two] = site.versions;
    await proven(step, one).toEqual([true]);
    expect(await appService.read(step)).toMatchObject({ text: site.pin(one), pinned: one });
    const text = appService.reference(step, two);
    expect(text).toBe(site.pin(two));
    await appService.move(step, text);
    expect(await site.list()).toEqual({ ...site.others, DB: text });
    await proven(step, two).toEqual([true]);
    expect((await appService.prove(step, one)).map(({ ok }) => ok)).toEqual([false]);
  });

  test("moved again it writes nothing, so that nothing restarts", async () => {
    const step = site.step();
    await appService.move(step, site.pin(site.versions[1]));
    const before = puts();
    await appService.move(step, site.pin(site.versions[1]));
    expect(puts()).toBe(before);
  });

  test("a slot is a site of its own, with a lease of its own", async () => {
    const step = site.step({ slot: "staging" });
    await appService.move(step, site.pin(site.versions[1]));
    expect(await site.list("staging")).toEqual({ ...site.others, LOG_LEVEL: "debug", DB: site.pin(site.versions[1]) });
    expect(await site.list()).toEqual({ ...site.others, DB: site.pin(site.versions[0]) });
    const ids = [site.step(), step, site.step({ resourceId: siteId.toUpperCase() })].map(({ consumer }) =>
      appService.resource(consumer),
    );
    expect(new Set(ids).size).toBe(2);
  });

  test("a reference in other letters, or with a slash at its end, is the same reference", async () => {
    for (const DB of [
      site.pin(site.versions[0]).replace("@Microsoft.KeyVault(SecretUri", "@microsoft.keyvault(secreturi"),
      site.pin(site.versions[0]).replace("/secrets/db/", "/SECRETS/DB/"),
      site.pin(`${site.versions[0]}/`),
    ]) {
      await site.write({ ...site.others, DB });
      expect((await appService.read(site.step())).pinned).toBe(site.versions[0]);
    }
  });

  test.each([
    ["not there", undefined],
    ["plain text", "canary-4e5f"],
    ["another secret", "@Microsoft.KeyVault(SecretUri=https://kv.vault.azure.net/secrets/other)"],
    ["a secret whose name only begins alike", "BASE-2/00000000000000000000000000000000"],
  ])("%s: refused by read and by move, unwritten and unquoted", async (_name, given) => {
    const DB = given?.replace(/^BASE(.*)$/, `@Microsoft.KeyVault(SecretUri=${site.baseUrl}$1)`);
    const settings: Record<string, string> = { ...site.others, ...(DB !== undefined && { DB }) };
    await site.write(settings);
    const before = puts();
    for (const ask of [
      () => appService.read(site.step()),
      () => appService.move(site.step(), site.pin(site.versions[1])),
    ]) {
      const error = await ask().catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "CONSUMER_MISCONFIGURED", class: "permanent" });
      expect((error as Error).message).not.toContain("canary");
    }
    expect(puts()).toBe(before);
    expect(await site.list()).toEqual(settings);
  });

  test("somebody's re-pin is read as it is", async () => {
    await site.write({ ...site.others, DB: site.pin("f".repeat(32)) });
    await expect
      .poll(async () => (await appService.read(site.step())).pinned, { timeout: 15_000 })
      .toBe("f".repeat(32));
    await expect.poll(async () => (await appService.prove(site.step(), "f".repeat(32)))[0]?.ok).toBe(false);
  });
});

describe("somebody else writes at the same moment", () => {
  /** ARM with somebody who writes right after one of our calls. */
  const meddled = (
    after: "POST" | "PUT",
    meddle: (settings: Record<string, string>) => Record<string, string>,
  ): Arm => {
    let done = false;
    return async (request) => {
      const reply = await site.arm(request);
      if (request.method === after && !done) {
        done = true;
        await site.write(meddle(await site.list()));
      }
      return reply;
    };
  };

  test("a write that undid ours is seen, names no value, and the next try puts ours on top of theirs", async () => {
    const arm = meddled("PUT", (now) => ({ ...now, DB: site.pin(site.versions[0]), LOG_LEVEL: "canary-8c1d" }));
    const step = site.step({}, arm);
    const error = await appService.move(step, site.pin(site.versions[1])).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "CONSUMER_NOT_MOVED", class: "transient" });
    expect((error as Error).message).toMatch(/DB/);
    expect((error as Error).message).not.toContain("canary");
    await appService.move(step, site.pin(site.versions[1]));
    expect(await site.list()).toEqual({ ...site.others, LOG_LEVEL: "canary-8c1d", DB: site.pin(site.versions[1]) });
  });

  test("a setting that they add after ours stays, and is no conflict", async () => {
    const step = site.step(
      {},
      meddled("PUT", (now) => ({ ...now, THEIRS: "new" })),
    );
    await appService.move(step, site.pin(site.versions[1]));
    expect(await site.list()).toEqual({ ...site.others, THEIRS: "new", DB: site.pin(site.versions[1]) });
  });
});

describe("latest", () => {
  const latest = { reads: "latest" } as const;

  test("it is asked to fetch, and proven by what it fetched", async () => {
    await site.write({ ...site.others, DB: site.latest });
    const step = site.step(latest);
    const newest = await site.put("newest");
    await proven(step, newest).toEqual([true]);
    expect(await appService.read(step)).toEqual({ text: site.latest, active: newest });
    const next = await site.put("next");
    // It keeps what it has for a day, whatever the vault holds.
    expect((await appService.prove(step, next)).map(({ ok }) => ok)).toEqual([false]);
    const before = puts();
    expect(appService.reference(step, next)).toBe(site.latest);
    await appService.move(step, appService.reference(step, next));
    await proven(step, next).toEqual([true]);
    expect(puts()).toBe(before);
    expect(await site.list()).toEqual({ ...site.others, DB: site.latest });
  });
});

describe("ARM's refusals", () => {
  test.each([
    ["403", { status: 403 }, { code: "CONSUMER_FORBIDDEN", class: "propagation" }],
    ["401", { status: 401 }, { code: "CONSUMER_FORBIDDEN", class: "propagation" }],
    ["404", { status: 404 }, { code: "CONSUMER_MISCONFIGURED", class: "permanent" }],
    ["409", { status: 409 }, { code: "CONSUMER_UNREACHABLE", class: "transient" }],
    ["429", { status: 429 }, { code: "CONSUMER_UNREACHABLE", class: "throttled", retryAfterSeconds: undefined }],
    [
      "429 with Retry-After",
      { status: 429, retryAfter: 9 },
      { code: "CONSUMER_UNREACHABLE", class: "throttled", retryAfterSeconds: 9 },
    ],
    ["500", { status: 500 }, { code: "CONSUMER_UNREACHABLE", class: "transient" }],
    ["a cut connection", { kind: "drop" as const }, { code: "CONSUMER_UNREACHABLE", class: "transient" }],
  ])("%s is told by its class, at each call, and the move is whole at the next try", async (_name, fault, expected) => {
    for (const [operation, when] of [
      ["appsettings.list", "before"],
      ["appsettings.put", "before"],
      ["appsettings.put", "after"],
    ] as const) {
      await site.write({ ...site.others, DB: site.pin(site.versions[0]) });
      site.azure.faults.add({ operation, when, times: 1, kind: "status", status: 500, ...fault });
      const error = await appService.move(site.step(), site.pin(site.versions[1])).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject(expected);
      expect((error as Error).message).not.toMatch(/quoted|SecretUri/);
      await appService.move(site.step(), site.pin(site.versions[1]));
      expect(await site.list()).toEqual({ ...site.others, DB: site.pin(site.versions[1]) });
    }
  });

  test("a right that is missing, by name of what was asked", async () => {
    site.azure.rights.deny(app.objectId, "arm", 60);
    onTestFinished(() => site.azure.rights.deny(app.objectId, "arm", 0));
    await expect(appService.read(site.step())).rejects.toMatchObject({
      code: "CONSUMER_FORBIDDEN",
      message: expect.stringMatching(/config\/appsettings\/list.*role/),
    });
  });

  test("a site and a slot that are not there", async () => {
    for (const consumer of [{ resourceId: siteId.replace("orders", "nowhere") }, { slot: "none" }])
      await expect(appService.read(site.step(consumer))).rejects.toMatchObject({ code: "CONSUMER_MISCONFIGURED" });
  });
});

describe("health", () => {
  const version = "a".repeat(32);
  const health = async (status: number, body: string, more: Partial<Health> = {}, wait = 0) => {
    const server = createServer((request, reply) => {
      if (request.url === "/moved") reply.writeHead(200).end(body);
      else setTimeout(() => reply.writeHead(status, { location: "/moved" }).end(body), wait);
    });
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => server.closeAllConnections());
    onTestFinished(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/health`;
    const [, proof] = await appService.prove(
      site.step({ health: { url, expect: 200, timeout: 500, ...more } }),
      version,
    );
    return proof;
  };
  const field = { versionField: "version" };

  test.each([
    ["200 will do", 200, "anything", {}, true],
    ["another status", 503, "", {}, false],
    ["the status that the policy names", 204, "", { expect: 204 }, true],
    ["a redirect is followed nowhere", 302, "", {}, false],
    ["the version in use", 200, JSON.stringify({ version }), field, true],
    ["a former version", 200, JSON.stringify({ version: "b".repeat(32) }), field, false],
    ["no version", 200, "{}", field, false],
    ["no JSON", 200, "<html>", field, false],
    ["JSON that is no object", 200, "null", field, false],
    ["a version with more behind it", 200, JSON.stringify({ version: [version] }), field, false],
    ["a status before a version", 500, JSON.stringify({ version }), field, false],
  ] as const)("%s", async (_name, status, body, more, ok) => {
    expect(await health(status, body, more)).toMatchObject({ name: "orders is healthy", ok });
  });

  test("no answer in time, and nobody there, are unhealthy and no error", async () => {
    expect(await health(200, "late", { timeout: 100 }, 2000)).toMatchObject({ ok: false });
    const gone = { url: "http://127.0.0.1:1/", expect: 200, timeout: 500 };
    expect((await appService.prove(site.step({ health: gone }), version))[1]).toMatchObject({ ok: false });
  });

  test("a secret in the reply is not shown in the proof", async () => {
    const proof = await health(200, JSON.stringify({ version: `x${"canary".repeat(40)}` }), field);
    expect(proof?.detail?.length).toBeLessThan(120);
  });
});
