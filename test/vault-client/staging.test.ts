import { afterAll, beforeAll, expect, test } from "vitest";
import { findStaged, stagingName, writeStaged } from "../../src/vault/staging.ts";
import { day, openLocalVault } from "./vault.ts";

let local: Awaited<ReturnType<typeof openLocalVault>>;
beforeAll(async () => void (local = await openLocalVault()));
afterAll(() => local.close());

const signal = AbortSignal.timeout(600_000);
let count = 0;
const fresh = () => `kv--secret--db-${++count}`;
const staged = (value: string) => ({
  value,
  contentType: "application/vnd.pinion.staged",
  at: new Date(local.clock.now()),
});

test("a name that no configuration provider takes for a setting, one for each object", () => {
  const names = ["a", "A", "kv--secret--db", "ü".repeat(500)].map(stagingName);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(/^pinion-stage-[0-9a-f]{24}$/);
});

test("found by its own rotation only; it lives long enough to start no event", async () => {
  const [object, vault] = [fresh(), local.open()];
  expect(await findStaged(vault, object, "r-1", signal)).toBeUndefined();
  const made = await writeStaged(vault, object, "r-1", staged("candidate"), signal);
  expect(await findStaged(local.open(), object, "r-1", signal)).toEqual(made);
  expect(await findStaged(vault, object, "r-2", signal)).toBeUndefined();
  const { properties } = await local.person.getSecret(stagingName(object));
  expect(properties.contentType).toBe("application/vnd.pinion.staged");
  const days = ((properties.expiresOn?.getTime() ?? 0) - local.clock.now()) / day;
  expect(days).toBeGreaterThan(31);
  expect(days).toBeLessThanOrEqual(90);
});

test("a disabled leftover is no candidate, and makes room for the next", async () => {
  const [object, vault] = [fresh(), local.open()];
  const left = await writeStaged(vault, object, "r-1", staged("first"), signal);
  await vault.disable(stagingName(object), left.version, signal);
  expect(await findStaged(vault, object, "r-1", signal)).toBeUndefined();
  const next = await writeStaged(vault, object, "r-2", staged("second"), signal);
  expect(await findStaged(vault, object, "r-2", signal)).toEqual(next);
  // The vault's memory of a value ends with the version.
  await expect(vault.value(stagingName(object), left.version, signal)).rejects.toMatchObject({
    code: "SECRET_DISABLED",
  });
});

test("a secret of that name that is somebody else's is never taken over", async () => {
  const object = fresh();
  for (const tags of [{}, { "pinion-stage-for": "another object" }]) {
    await local.put(stagingName(object), "theirs", { tags });
    await expect(findStaged(local.open(), object, "r-1", signal)).rejects.toMatchObject({
      code: "STAGING_FOREIGN",
      class: "permanent",
      message: expect.stringContaining(stagingName(object)),
    });
  }
});

test("a soft-deleted staging secret is recovered, then used", async () => {
  const [object, vault] = [fresh(), local.open()];
  await writeStaged(vault, object, "r-1", staged("first"), signal);
  await (await local.person.beginDeleteSecret(stagingName(object))).pollUntilDone();
  expect(await findStaged(vault, object, "r-1", signal)).toBeUndefined();
  const again = await writeStaged(vault, object, "r-1", staged("second"), signal);
  expect(await findStaged(vault, object, "r-1", signal)).toEqual(again);
  expect(await local.versions(stagingName(object))).toHaveLength(2);
}, 30_000);
