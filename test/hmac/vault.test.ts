import { afterAll, beforeAll, expect, test } from "vitest";
import { hmacSecret as rotator } from "../../rotators/hmac-secret.ts";
import { hmacTarget } from "../../rotators/shared/hmac/target.ts";
import { openTargetSecrets } from "../../src/vault/secret-port.ts";
import { openSecrets } from "../../src/vault/secrets.ts";
import { memoryNotes, noPorts } from "../ports.ts";
import { openLocalVault } from "../vault-client/vault.ts";

// The verifier's list in the local vault, through the official client.

let vault: Awaited<ReturnType<typeof openLocalVault>>;
beforeAll(async () => {
  vault = await openLocalVault();
});
afterAll(async () => {
  await vault.close();
});

const credential = { getToken: async () => ({ token: "anybody", expiresOnTimestamp: Date.now() + 86_400_000 }) };
const open = () => openTargetSecrets((uri) => openSecrets(uri, credential));

let count = 0;
async function scene(value = "current") {
  const name = `accepted-${(count += 1)}`;
  const expiresOn = new Date(vault.clock.now() + 90 * 86_400_000);
  const first = await vault.put(name, value, { contentType: "text/plain", tags: { owner: "payments" }, expiresOn });
  vault.clock.advance(2000);
  const url = `${vault.uri}/secrets/${name}`;
  const step = (rotationId: string) => ({
    target: hmacTarget.parse({ verifier: { secret: url, format: "space-separated" }, lag: "PT0S" }),
    rotationId,
    round: 1,
    ports: { ...noPorts, ...open(), now: vault.clock.now },
    notes: memoryNotes(),
    signal: new AbortController().signal,
  });
  return { name, url, first, step, expiresOn };
}

test("a rotation in a real list: both, then the new one; type, expiry and tags stay", async () => {
  const { name, step, expiresOn } = await scene();
  const [old, next] = [
    { id: "a", material: "current" },
    { id: "a", material: "fresh" },
  ];
  const first = step("r-0mi000001-aaaaaa");
  await rotator.observe(first, old, { negativeControl: true });
  await rotator.set(first, next, old);
  await rotator.set(first, next, old);
  expect((await vault.person.getSecret(name)).value).toBe("fresh current");
  expect((await rotator.validate(first, next, old, { negativeControl: true })).every(({ ok }) => ok)).toBe(true);
  vault.clock.advance(2000);
  await rotator.revoke(first, old);
  const { value, properties } = await vault.person.getSecret(name);
  expect(value).toBe("fresh");
  expect(properties).toMatchObject({
    contentType: "text/plain",
    expiresOn,
    tags: { owner: "payments", "pinion-mark": "r-0mi000001-aaaaaa revoked" },
  });
  expect(await vault.versions(name)).toHaveLength(3);
});

test("writes only over the version that was read", async () => {
  const { name, url, first } = await scene();
  const by = await vault.put(name, "by hand");
  const port = open();
  await expect(port.writeSecret(url, first, "ours")).rejects.toMatchObject({
    code: "OUT_OF_BAND_CHANGE",
  });
  expect(await port.newestSecret(url)).toMatchObject({ version: by, value: "by hand" });
});

test("a list that does not exist", async () => {
  await expect(open().newestSecret(`${vault.uri}/secrets/nothing`)).rejects.toMatchObject({ code: "SECRET_NOT_FOUND" });
});
