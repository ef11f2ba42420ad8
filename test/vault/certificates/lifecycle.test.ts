import { setTimeout as sleep } from "node:timers/promises";
import { X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import type { VaultEvent } from "../../../local/vault/model.ts";
import { day, start, testVault } from "../support.ts";
import { eventually, ec, quickVault } from "./support.ts";

// What happens by itself. Times stand still until the test moves them; the vault looks at them every 10 real milliseconds.

const settle = () => sleep(80);
const year = Date.UTC(2027, 0, 15, 12);
/** 80 % of the year and of the ten minutes before it. */
const renewal = start - 600_000 + 0.8 * (year - start + 600_000);

const renewing = (more: object = {}, action = "AutoRenew", trigger: object = { lifetime_percentage: 80 }) =>
  ec({ lifetime_actions: [{ trigger, action: { action_type: action } }], ...more });

async function watched() {
  const events: VaultEvent[] = [];
  const vault = await quickVault({ subscribedSince: start, onEvent: (event) => void events.push(event) });
  const kinds = () => events.map(({ type }) => type.replace("Microsoft.KeyVault.", "")).sort();
  return { ...vault, events, kinds };
}

const versionsOf = async (ask: Awaited<ReturnType<typeof testVault>>["ask"], name = "a") =>
  (await ask("GET", `/certificates/${name}/versions`)).json.value as {
    id: string;
    attributes: { enabled: boolean; created: number };
  }[];

test("renews itself at its time, once, under the policy of that time", async () => {
  const { ask, clock, control } = await quickVault();
  await ask("POST", "/certificates/a/create", { body: { ...renewing(), tags: { owner: "me" } } });
  const { json: first } = await ask("GET", "/certificates/a");
  clock.advance(renewal - start - 1000);
  await settle();
  expect(await versionsOf(ask)).toHaveLength(1);
  await ask("PATCH", "/certificates/a/policy", { body: { x509_props: { validity_months: 6 } } });
  clock.advance(1000);
  await eventually(async () =>
    expect((await ask("GET", "/certificates/a")).json).toMatchObject({
      tags: { owner: "me" },
      attributes: { enabled: true },
    }),
  );
  await eventually(async () => expect(await versionsOf(ask)).toHaveLength(2));
  const { json: second } = await ask("GET", "/certificates/a");
  expect(second.attributes.created).toBe(renewal / 1000);
  const publicKey = ({ cer }: { cer: string }) => new X509Certificate(Buffer.from(cer, "base64")).publicKey;
  expect(publicKey(second).equals(publicKey(first)), "a new key").toBe(false);
  expect(new Date(second.attributes.exp * 1000).getUTCMonth(), "six months later").toBe(
    (new Date(renewal).getUTCMonth() + 6) % 12,
  );
  expect((await ask("GET", "/secrets/a")).json.id.split("/").at(-1)).toBe(second.id.split("/").at(-1));
  expect(
    (await ask("GET", `/certificates/a/${first.id.split("/").at(-1)}`)).json.attributes.enabled,
    "the old one stays",
  ).toBe(true);
  expect(control.log().filter(({ operation }) => operation === "certificate.autoRenew")).toHaveLength(1);
  await settle();
  expect(await versionsOf(ask)).toHaveLength(2);
  clock.advance(3 * 365 * day);
  await eventually(async () =>
    expect(await versionsOf(ask), "one renewal however far the clock jumps").toHaveLength(3),
  );
  await settle();
  expect(await versionsOf(ask)).toHaveLength(3);
});

test("by days before the end, with the same key when the policy says so", async () => {
  const { ask, clock } = await quickVault();
  await ask("POST", "/certificates/a/create", {
    body: renewing({ key_props: { kty: "EC", reuse_key: true } }, "AutoRenew", { days_before_expiry: 10 }),
  });
  const { json: first } = await ask("GET", "/certificates/a");
  clock.advance(year - 10 * day - start - 1000);
  await settle();
  expect(await versionsOf(ask)).toHaveLength(1);
  clock.advance(1000);
  await eventually(async () => expect((await ask("GET", "/certificates/a")).json.id).not.toBe(first.id));
  const { json: second } = await ask("GET", "/certificates/a");
  const publicKey = ({ cer }: { cer: string }) => new X509Certificate(Buffer.from(cer, "base64")).publicKey;
  expect(publicKey(second).equals(publicKey(first))).toBe(true);
});

test("mails to nobody, once, but says so in the log", async () => {
  const { ask, clock, control } = await quickVault();
  await ask("POST", "/certificates/a/create", { body: renewing({}, "EmailContacts") });
  const { json } = await ask("GET", "/certificates/a");
  clock.advance(renewal - start);
  const mails = () => control.log().filter(({ operation }) => operation === "certificate.emailContacts");
  await eventually(() =>
    expect(mails()).toMatchObject([
      { name: "a", version: json.id.split("/").at(-1), time: new Date(renewal).toISOString() },
    ]),
  );
  clock.advance(day);
  await settle();
  expect(mails()).toHaveLength(1);
  expect(await versionsOf(ask)).toHaveLength(1);
});

test("neither disabled, deleted nor an unknown issuer's is renewed", async () => {
  const { ask, clock } = await quickVault();
  await ask("POST", "/certificates/resting/create", { body: renewing({ attributes: { enabled: false } }) });
  expect((await ask("GET", "/certificates/resting/policy")).json.attributes.enabled).toBe(false);
  for (const name of ["disabled", "deleted"]) await ask("POST", `/certificates/${name}/create`, { body: renewing() });
  const disabling = await ask("PATCH", "/certificates/disabled", { body: { attributes: { enabled: false } } });
  expect(disabling.status).toBe(200);
  await ask("PATCH", "/certificates/deleted/policy", { body: { issuer: { name: "Unknown" } } });
  await ask("POST", "/certificates/unknown/create", { body: renewing() });
  await ask("PATCH", "/certificates/unknown/policy", { body: { issuer: { name: "Unknown" } } });
  clock.advance(renewal - start - 10 * day);
  await ask("DELETE", "/certificates/deleted");
  clock.advance(11 * day);
  await settle();
  for (const name of ["disabled", "unknown", "resting"]) expect(await versionsOf(ask, name)).toHaveLength(1);
  await ask("POST", "/deletedcertificates/deleted/recover");
  expect(await versionsOf(ask, "deleted")).toHaveLength(1);
});

test("a slow issuer, one that refuses, and one that is gone", async () => {
  const { ask, clock, control } = await testVault();
  await ask("PUT", "/certificates/issuers/ca", { body: { provider: "DigiCert" } });
  control.set({ issuerDelayMs: 3_600_000 });
  await ask("POST", "/certificates/slow/create", { body: ec({}, "ca") });
  clock.advance(3_599_999);
  expect((await ask("GET", "/certificates/slow/pending")).json.status).toBe("inProgress");
  clock.advance(1);
  expect((await ask("GET", "/certificates/slow/pending")).json.status).toBe("completed");
  control.set({ issuerDelayMs: 0, issuerError: { code: "Certificate issuer error", message: "Try later." } });
  await ask("POST", "/certificates/bad/create", { body: ec({}, "ca") });
  const failed = await ask("GET", "/certificates/bad/pending");
  expect(failed.json).toMatchObject({
    status: "failed",
    error: { code: "Certificate issuer error", message: "Try later." },
  });
  expect(failed.json).not.toHaveProperty("status_details");
  expect((await ask("GET", "/certificates/bad")).json).toMatchObject({ attributes: { enabled: false }, pending: {} });
  expect((await ask("GET", "/secrets/bad")).status).toBe(404);
  control.set({ issuerError: undefined });
  expect(
    (await ask("POST", "/certificates/bad/create", { body: ec({}, "ca") })).status,
    "a failed one is overwritten",
  ).toBe(202);
  await ask("DELETE", "/certificates/issuers/ca");
  expect((await ask("GET", "/certificates/bad/pending")).json, "completed at its time, or not at all").toMatchObject({
    status: expect.stringMatching(/completed|failed/),
  });
});

test("what is deleted waits, and goes on when it is recovered", async () => {
  const { ask, clock } = await testVault();
  await ask("POST", "/certificates/a/create", { body: ec() });
  await ask("DELETE", "/certificates/a");
  expect((await ask("GET", "/certificates/a/pending")).json.error.code).toBe("PendingCertificateNotFound");
  clock.advance(day);
  await settle();
  expect((await ask("GET", "/deletedcertificates/a")).json.attributes.enabled).toBe(false);
  await ask("POST", "/deletedcertificates/a/recover");
  expect((await ask("GET", "/certificates/a/pending")).json.status).toBe("completed");
  expect((await ask("GET", "/secrets/a")).json.attributes.created).toBe((start + day) / 1000);
});

test("a placeholder that comes back from a backup stays untold", async () => {
  const { ask, clock, events } = await watched();
  await ask("POST", "/certificates/a/create", { body: ec({}, "Unknown") });
  const { json: backup } = await ask("POST", "/certificates/a/backup");
  await ask("DELETE", "/certificates/a");
  await ask("DELETE", "/deletedcertificates/a");
  expect((await ask("POST", "/certificates/restore", { body: backup })).status).toBe(200);
  expect((await ask("GET", "/certificates/a/pending")).json.status).toBe("inProgress");
  clock.advance(2 * 365 * day);
  await settle();
  expect(events).toEqual([]);
});

test("the settings over HTTP", async () => {
  const { ask } = await testVault();
  const emulator = (method: string, body?: unknown) =>
    ask(method, "/_emulator/settings", { raw: true, ...(body === undefined ? {} : { body }) });
  expect(
    (await emulator("PUT", { certificateDelayMs: 0, issuerError: { code: "Request rejected", message: "No." } }))
      .status,
  ).toBe(204);
  await ask("PUT", "/certificates/issuers/ca", { body: { provider: "Test" } });
  await ask("POST", "/certificates/self/create", { body: ec() });
  expect((await ask("GET", "/certificates/self/pending")).json.status).toBe("completed");
  await emulator("PUT", { issuerDelayMs: 0 });
  await ask("POST", "/certificates/a/create", { body: ec({}, "ca") });
  expect((await ask("GET", "/certificates/a/pending")).json.error).toEqual({
    code: "Request rejected",
    message: "No.",
  });
  await emulator("PUT", { issuerError: null });
  await ask("POST", "/certificates/a/create", { body: ec({}, "ca") });
  expect((await ask("GET", "/certificates/a/pending")).json.status).toBe("completed");
  for (const bad of [{ certificateDelayMs: -1 }, { issuerError: { code: "" } }])
    expect((await emulator("PUT", bad)).status).toBe(400);
});

test("events of a certificate and of its key and secret", async () => {
  const { ask, clock, control, events, kinds, url } = await watched();
  control.set({ certificateDelayMs: 1000 });
  await ask("POST", "/certificates/a/create", { body: renewing({}, "EmailContacts") });
  await settle();
  expect(events, "a placeholder is no version").toEqual([]);
  clock.advance(1000);
  await eventually(() =>
    expect(kinds()).toEqual(["CertificateNewVersionCreated", "KeyNewVersionCreated", "SecretNewVersionCreated"]),
  );
  const { json } = await ask("GET", "/certificates/a");
  const version = json.id.split("/").at(-1);
  for (const { id, objectType, nbf, exp, objectName } of events) {
    expect({ id, nbf, exp, objectName }).toEqual({
      id: `${url}/${objectType.toLowerCase()}s/a/${version}`,
      nbf: json.attributes.nbf,
      exp: json.attributes.exp,
      objectName: "a",
    });
  }
  events.length = 0;
  clock.advance(json.attributes.exp * 1000 - 30 * day - clock.now());
  await eventually(() => expect(kinds()).toEqual(["CertificateNearExpiry", "KeyNearExpiry", "SecretNearExpiry"]));
  clock.advance(30 * day);
  await eventually(() => expect(kinds()).toHaveLength(6));
  expect(kinds().filter((kind) => kind.endsWith("Expired"))).toEqual([
    "CertificateExpired",
    "KeyExpired",
    "SecretExpired",
  ]);
  events.length = 0;
  await ask("POST", "/certificates/cancelled/create", { body: ec() });
  await ask("PATCH", "/certificates/cancelled/pending", { body: { cancellation_requested: true } });
  clock.advance(3 * 365 * day);
  await settle();
  expect(events, "what never came to be does not expire").toEqual([]);
});

test("a killed vault goes on where it was: operations, renewals, issuers", async () => {
  const { ask, clock, close, stateDir, control } = await testVault({ key: Buffer.alloc(32, 7) });
  await ask("PUT", "/certificates/issuers/ca", { body: { provider: "Test" } });
  await ask("PUT", "/certificates/contacts", { body: { contacts: [{ email: "a@contoso.com" }] } });
  control.set({ certificateDelayMs: 5000 });
  const { json: operation } = await ask("POST", "/certificates/a/create", { body: ec() });
  await ask("POST", "/certificates/manual/create", { body: ec({}, "Unknown") });
  const { json: issuer } = await ask("GET", "/certificates/issuers/ca");
  await close();

  const second = await testVault({ key: Buffer.alloc(32, 7), stateDir, clock });
  expect((await second.ask("GET", "/certificates/a/pending")).json).toStrictEqual(
    JSON.parse(JSON.stringify(operation).replaceAll(/127\.0\.0\.1:\d+/g, new URL(second.url).host)),
  );
  expect((await second.ask("GET", "/certificates/issuers/ca")).json.attributes).toEqual(issuer.attributes);
  expect((await second.ask("GET", "/certificates/contacts")).json.contacts).toEqual([{ email: "a@contoso.com" }]);
  clock.advance(5000);
  expect((await second.ask("GET", "/certificates/a/pending")).json.status).toBe("completed");
  expect((await second.ask("GET", "/certificates/manual/pending")).json.status).toBe("inProgress");
  const { json: whole } = await second.ask("GET", "/certificates/a");
  await second.close();

  const third = await testVault({ key: Buffer.alloc(32, 7), stateDir, clock });
  const { json: again } = await third.ask("GET", "/certificates/a");
  expect([again.cer, again.x5t, again.attributes]).toEqual([whole.cer, whole.x5t, whole.attributes]);
  expect((await third.ask("GET", "/secrets/a")).status).toBe(200);
  clock.advance(renewal - start);
  third.control.set({ certificateDelayMs: 0 });
  await eventually(async () => expect(await versionsOf(third.ask)).toHaveLength(2));
});
