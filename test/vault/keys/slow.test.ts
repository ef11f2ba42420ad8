import { setTimeout as sleep } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import type * as material from "../../../local/vault/keys/material.ts";
import { collect, day, start, testVault } from "../support.ts";

// Making a key takes time, in which the vault goes on. Here it takes until the test says so.

type Material = typeof material;

/** Keys that are being made, in the order in which they were begun. */
const making: (() => void)[] = vi.hoisted(() => []);

vi.mock("../../../local/vault/keys/material.ts", async (original) => {
  const real = await original<Material>();
  return {
    ...real,
    async generateKey(...asked: Parameters<Material["generateKey"]>) {
      const key = await real.generateKey(...asked);
      await new Promise<void>((resolve) => making.push(resolve));
      return key;
    },
  };
});

const settle = () => sleep(80);
/** Patience for busy machines. */
const eventually = (check: () => unknown) => vi.waitFor(check, { timeout: 30_000 });

/** Waits until one key more is being made, and lets the work on it begin; the rest is done when `finish` is called. */
async function begun<T>(work: () => Promise<T>) {
  const before = making.length;
  const done = work();
  await eventually(() => expect(making).toHaveLength(before + 1));
  return {
    finish() {
      making[before]!();
      return done;
    },
  };
}

async function withKey() {
  const vault = await testVault();
  const create = (kty = "EC") => vault.ask("POST", "/keys/a/create", { body: { kty } });
  await (await begun(create)).finish();
  const newest = async () => (await vault.ask("GET", "/keys/a")).json;
  const versions = async () => (await collect(vault.keys.listPropertiesOfKeyVersions("a"))).length;
  return { ...vault, create, newest, versions };
}

test("a key that is deleted meanwhile", async () => {
  const { ask, create } = await withKey();
  const { finish } = await begun(() => create("RSA"));
  expect((await ask("DELETE", "/keys/a")).status).toBe(200);
  const { status, json } = await finish();
  expect([status, json.error.innererror.code]).toEqual([409, "ObjectIsDeletedButRecoverable"]);
  expect((await ask("GET", "/deletedkeys/a")).json.key.kty).toBe("EC");
});

test("the version that is finished last is the newest, and not older than the one before it", async () => {
  const { create, newest, clock } = await withKey();
  const slow = await begun(() => create("RSA"));
  clock.advance(5000);
  await (await begun(create)).finish();
  expect((await newest()).key.kty).toBe("EC");
  const { json } = await slow.finish();
  expect(await newest()).toStrictEqual(json);
  expect([json.key.kty, json.attributes.created]).toEqual(["RSA", start / 1000 + 5]);
});

test("a rotation on request takes over what was changed meanwhile", async () => {
  const { ask, newest } = await withKey();
  const { finish } = await begun(() => ask("POST", "/keys/a/rotate"));
  await ask("PATCH", "/keys/a", { body: { tags: { t: "1" }, key_ops: ["sign"] } });
  const { json } = await finish();
  expect([json.tags, json.key.key_ops]).toEqual([{ t: "1" }, ["sign"]]);
  expect(await newest()).toStrictEqual(json);
  const lost = await begun(() => ask("POST", "/keys/a/rotate"));
  await ask("DELETE", "/keys/a");
  expect((await lost.finish()).status).toBe(404);
});

test("a rotation by policy takes over what was changed meanwhile, and is left when it is needless", async () => {
  const { ask, create, newest, versions, clock } = await withKey();
  const rotate = { trigger: { timeAfterCreate: "P7D" }, action: { type: "Rotate" } };
  await ask("PUT", "/keys/a/rotationpolicy", { body: { lifetimeActions: [rotate] } });
  const due = () => begun(async () => clock.advance(7 * day));
  const first = await due();
  const again = await begun(async () => ask("PATCH", "/keys/a", { body: { tags: { t: "1" } } }));
  await first.finish();
  await settle();
  expect(await versions(), "the changed key is rotated, not the one before").toBe(1);
  await again.finish();
  await eventually(async () => expect(await versions()).toBe(2));
  expect((await newest()).tags).toEqual({ t: "1" });

  const needless = await due();
  const other = await begun(() => ask("POST", "/keys/b/create", { body: { kty: "EC" } }));
  const count = making.length;
  await other.finish();
  await settle();
  expect(making.length, "a key that is being rotated is not rotated twice").toBe(count);
  await (await begun(create)).finish();
  const made = await newest();
  await needless.finish();
  await settle();
  expect([await versions(), await newest()]).toEqual([3, made]);
});

test("a vault that is closed meanwhile says nothing, and finds nothing of it later", async () => {
  const { ask, close, stateDir, clock } = await withKey();
  const body = { lifetimeActions: [{ trigger: { timeAfterCreate: "P7D" }, action: { type: "Rotate" } }] };
  await ask("PUT", "/keys/a/rotationpolicy", { body });
  const errors = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const rotation = await begun(async () => clock.advance(7 * day));
  const creation = await begun(() => ask("POST", "/keys/b/create", { body: { kty: "EC" } }).catch(() => undefined));
  await close();
  await rotation.finish();
  await creation.finish();
  await settle();
  expect(errors).not.toHaveBeenCalled();
  errors.mockRestore();
  const second = await testVault({ stateDir });
  expect(await collect(second.keys.listPropertiesOfKeys())).toHaveLength(1);
});
