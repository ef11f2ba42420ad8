import type { HttpRequest, InvocationContext } from "@azure/functions";
import { expect, test } from "vitest";
import { readSettings } from "../../src/config.ts";
import { PinionError } from "../../src/errors.ts";
import { health } from "../../src/triggers/api/health.ts";
import type { App } from "../../src/triggers/api/route.ts";
import { stage } from "../review/fakes.ts";

// GET /api/health, as each caller sees it.

const principal = (...roles: string[]) => {
  const claims = [{ typ: "oid", val: "o" }, ...roles.map((val) => ({ typ: "roles", val }))];
  return { "x-ms-client-principal": Buffer.from(JSON.stringify({ auth_typ: "aad", claims })).toString("base64") };
};
const reader = principal("Pinion.Reader");
const env = { AzureWebJobsStorage: "UseDevelopmentStorage=true", WEBSITE_AUTH_ENABLED: "true" };

async function ask(app: App, headers: Readonly<Record<string, string>> = {}) {
  const context = { functionName: "health", error: () => undefined } as unknown as InvocationContext;
  const reply = await health(app)({ headers: new Headers(headers) } as unknown as HttpRequest, context);
  const { status, body } = reply as { status: number; body: string };
  return { status, json: JSON.parse(body) as Record<string, unknown> };
}

/** An app with these settings, on a policy and records in memory. */
function appOf(settings: Readonly<Record<string, string>> = {}, changes: Parameters<typeof stage>[0] = {}): App {
  const { config, faults, access } = readSettings({ ...env, ...settings });
  return config === undefined ? { ok: false, faults, access } : { ok: true, config, deps: stage(changes).deps };
}

test("sound: all of it for a reader, `ok` for whoever else gets through", async () => {
  const app = appOf({ PINION_STOP: "true" });
  expect(await ask(app, reader)).toEqual({
    status: 200,
    json: { status: "ok", objects: 1, mode: "rotate", stopped: true, observed: false, settings: [], faults: [] },
  });
  for (const headers of [{}, principal(), principal("Another")])
    expect(await ask(app, headers)).toEqual({ status: 200, json: { status: "ok" } });
});

test("every fault of the settings at once for a reader, by name and never by value; none for a stranger", async () => {
  const app = appOf({ PINION_STOP: "canary-1", PINION_TOPIC_ENDPOINT: "canary-2", PINION_READER_ROLE: "canary 3" });
  const { status, json } = await ask(app, reader);
  expect(status).toBe(503);
  expect(json["settings"]).toMatchObject(
    ["PINION_READER_ROLE", "PINION_TOPIC_ENDPOINT", "PINION_STOP"].map((name) => expect.stringContaining(name)),
  );
  expect(JSON.stringify(json)).not.toContain("canary");
  expect(await ask(app)).toEqual({ status: 503, json: { status: "faulty" } });
});

test("with faulty settings and no authentication, the holder of a key is told all; a principal is believed nowhere", async () => {
  for (const value of ["false", "on"]) {
    const app = appOf({ WEBSITE_AUTH_ENABLED: value, PINION_STOP: "perhaps" });
    expect((await ask(app)).json["settings"]).toContainEqual(expect.stringContaining("PINION_STOP"));
    expect((await ask(app, reader)).status).toBe(401);
  }
});

test("a fault of the policy, or of the storage, is told beside what is sound", async () => {
  const faults = [{ path: "objects[0]", message: "is wrong", expected: "right" }];
  const broken = appOf();
  if (!broken.ok) throw new Error("the settings are sound");
  const policy = async () => ({ policy: undefined, faults });
  const app = { ...broken, deps: { ...broken.deps, policy } };
  expect(await ask(app, reader)).toMatchObject({
    status: 503,
    json: { status: "faulty", faults, summary: expect.stringContaining("1 fault") },
  });
  const down = () => Promise.reject(new PinionError("STORAGE_UNAVAILABLE", "Check it."));
  const dark = { ...broken, deps: { ...broken.deps, policy: down } };
  const told = { storage: { code: "STORAGE_UNAVAILABLE", message: "Check it." }, settings: [] };
  expect(await ask(dark, reader)).toMatchObject({ status: 503, json: { status: "faulty", ...told } });
  expect(await ask(dark)).toEqual({ status: 503, json: { status: "faulty" } });
});
