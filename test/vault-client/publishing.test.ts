import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { publish, type PublishRequest } from "../../src/vault/publishing.ts";
import { day, openLocalVault, start } from "./vault.ts";

let local: Awaited<ReturnType<typeof openLocalVault>>;
beforeAll(async () => void (local = await openLocalVault()));
afterAll(() => local.close());

const signal = AbortSignal.timeout(600_000);
let count = 0;
const fresh = () => `db-${++count}`;
const request = (name: string, sourceVersion: string, more: Partial<PublishRequest> = {}): PublishRequest => ({
  name,
  rotationId: "r-1",
  sourceVersion,
  validity: 90 * day,
  render: async () => "new",
  ...more,
});
const outOfBand = (version: string) => ({
  code: "OUT_OF_BAND_CHANGE",
  class: "permanent",
  message: expect.stringContaining(version) as string,
});

test("the new version keeps content type and tags, and says where it comes from; its expiry is by the vault's time", async () => {
  const name = fresh();
  const source = await local.put(name, "old", {
    contentType: "application/json",
    tags: { owner: "team", env: "dev", "pinion-rotation": "r-0", "pinion-previous": "v0", "pinion-rollback-of": "vx" },
  });
  local.clock.advance(1000);
  const seen: string[] = [];
  const published = await publish(
    local.open(),
    request(name, source, { render: async (current) => (seen.push(current), "new"), tags: { env: "prod" } }),
    signal,
  );
  expect(seen).toEqual(["old"]);
  const { value, properties } = await local.person.getSecret(name);
  expect(value).toBe("new");
  expect(properties).toMatchObject({ version: published.version, contentType: "application/json", enabled: true });
  expect(properties.tags).toEqual({ owner: "team", env: "prod", "pinion-rotation": "r-1", "pinion-previous": source });
  expect(properties.expiresOn?.getTime()).toBe(local.clock.now() + 90 * day);
  expect(published).toMatchObject({ versions: 2, expiresAt: properties.expiresOn?.toISOString() });
  expect(local.clock.now()).toBeGreaterThan(start);
});

test("asked again it adopts its own version and renders nothing; by another instance too, and twice at once", async () => {
  const name = fresh();
  const source = await local.put(name, "old");
  const first = await publish(local.open(), request(name, source), signal);
  const render = () => Promise.reject(new Error("must not be rendered"));
  for (let n = 0; n < 3; n++)
    expect(await publish(local.open(), request(name, source, { render }), signal)).toEqual(first);
  expect(await local.versions(name)).toHaveLength(2);
});

test("a lost reply leaves one version, adopted at the next try", async () => {
  const name = fresh();
  const source = await local.put(name, "old");
  local.control.addFault({ operation: "secret.set", kind: "drop", when: "after" });
  await expect(publish(local.open(), request(name, source), signal)).rejects.toMatchObject({
    code: "VAULT_UNAVAILABLE",
    class: "transient",
  });
  const again = await publish(local.open(), request(name, source), signal);
  expect(new Set((await local.versions(name)).map(({ version }) => version))).toEqual(new Set([source, again.version]));
  expect(await local.versions(name)).toHaveLength(2);
});

test("a foreign version before ours: nothing is written", async () => {
  const name = fresh();
  const source = await local.put(name, "old");
  const foreign = await local.put(name, "by hand");
  const render = () => Promise.reject(new Error("must not be rendered"));
  await expect(publish(local.open(), request(name, source, { render }), signal)).rejects.toMatchObject(
    outOfBand(foreign),
  );
  expect((await local.person.getSecret(name)).value).toBe("by hand");
});

test("a foreign version in between, while ours was made: held, with that version's id", async () => {
  const name = fresh();
  const source = await local.put(name, "old");
  local.clock.advance(5000);
  let foreign = "";
  const render = async () => {
    foreign = await local.put(name, "in between");
    local.clock.advance(1000);
    return "new";
  };
  const error = await publish(local.open(), request(name, source, { render }), signal).catch((fault: unknown) => fault);
  expect(error).toMatchObject(outOfBand(foreign));
  // And again at each later try, though the newest is ours by now.
  await expect(publish(local.open(), request(name, source), signal)).rejects.toMatchObject(outOfBand(foreign));
});

test("a foreign version after ours: held, and left as it is", async () => {
  const name = fresh();
  const source = await local.put(name, "old");
  await publish(local.open(), request(name, source), signal);
  const foreign = await local.put(name, "after");
  await expect(publish(local.open(), request(name, source), signal)).rejects.toMatchObject(outOfBand(foreign));
  expect((await local.person.getSecret(name)).value).toBe("after");
});

test("a disabled newest version is refused as what it is", async () => {
  const name = fresh();
  const source = await local.put(name, "old");
  const newest = await local.put(name, "newer", { enabled: false });
  expect(newest).not.toBe(source);
  await expect(publish(local.open(), request(name, source), signal)).rejects.toMatchObject({ code: "SECRET_DISABLED" });
});

test("rotations and rollbacks in any number, within one second or over days: a chain without a foreign version", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ back: fc.boolean(), wait: fc.constantFrom(0, 0, 400, 1000, day) }), {
        minLength: 1,
        maxLength: 6,
      }),
      fc.integer({ min: 1, max: 3 }),
      async (rounds, older) => {
        const name = fresh();
        // Forerunners of the same second that were made by hand.
        let source = "";
        for (let n = 0; n < older; n++) source = await local.put(name, `by hand ${n}`);
        const vault = local.open();
        let made = older;
        for (const [at, { back, wait }] of rounds.entries()) {
          const rotationId = `r-${at}`;
          const forward = await publish(vault, request(name, source, { rotationId }), signal);
          expect(forward.versions).toBe(++made);
          local.clock.advance(wait);
          if (!back) {
            source = forward.version;
            continue;
          }
          const undo = request(name, forward.version, { rotationId, rollbackOf: source, render: async () => "old" });
          const rolled = await publish(vault, undo, signal);
          expect(rolled.versions).toBe(++made);
          expect(await publish(vault, undo, signal)).toEqual(rolled);
          const { properties } = await local.person.getSecret(name);
          expect(properties.tags).toMatchObject({ "pinion-rollback-of": source, "pinion-previous": forward.version });
          source = rolled.version;
        }
      },
    ),
    { numRuns: 25 },
  );
}, 60_000);

test("twelve tags of its own and ours fit into the service's fifteen", async () => {
  const name = fresh();
  const tags = Object.fromEntries(Array.from({ length: 12 }, (_, at) => [`tag-${at}`, String(at)]));
  const source = await local.put(name, "old", { tags });
  const vault = local.open();
  const forward = await publish(vault, request(name, source), signal);
  await publish(vault, request(name, forward.version, { rollbackOf: source }), signal);
  const { properties } = await local.person.getSecret(name);
  expect(properties.tags).toMatchObject(tags);
  expect(Object.keys(properties.tags ?? {})).toHaveLength(15);
});
