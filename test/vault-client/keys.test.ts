import { KeyClient } from "@azure/keyvault-keys";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openKeyPort } from "../../src/vault/key-port.ts";
import { openKeys } from "../../src/vault/keys.ts";
import { day, openLocalVault } from "./vault.ts";

let local: Awaited<ReturnType<typeof openLocalVault>>;
beforeAll(async () => void (local = await openLocalVault()));
afterAll(() => local.close());

test("a key whose newest version is disabled says so at once, and is not taken for a missing role", async () => {
  const credential = { getToken: async () => ({ token: "anybody", expiresOnTimestamp: Date.now() + day }) };
  const person = new KeyClient(local.uri, credential, { disableChallengeResourceVerification: true });
  const { id = "", properties } = await person.createKey("signer", "EC");
  await person.updateKeyProperties("signer", properties.version ?? "", { enabled: false });
  const disabled = { code: "SECRET_DISABLED", class: "permanent" };
  await expect(openKeys(local.uri, credential).latest("signer", AbortSignal.timeout(9_000))).rejects.toMatchObject(
    disabled,
  );
  await expect(openKeyPort(credential).sign(id, "ES256", new Uint8Array(32))).rejects.toMatchObject(disabled);
  // A list shows it all the same, for whoever looks for the version that may be used.
  const [version, ...others] = await openKeyPort(credential).versions(id);
  expect([version, others]).toEqual([
    { url: id, version: properties.version, enabled: false, createdAt: properties.createdOn?.toISOString() },
    [],
  ]);
});

test("a key outside its time, and one that may not do what is asked, are not taken for a missing role", async () => {
  const credential = { getToken: async () => ({ token: "anybody", expiresOnTimestamp: Date.now() + day }) };
  const person = new KeyClient(local.uri, credential, { disableChallengeResourceVerification: true });
  const make = async (name: string, options: Parameters<KeyClient["createKey"]>[2]) =>
    (await person.createKey(name, "EC", options)).id ?? "";
  const sign = (url: string) => openKeyPort(credential).sign(url, "ES256", new Uint8Array(32));
  const now = local.clock.now();
  const over = await make("over", { expiresOn: new Date(now - day) });
  await expect(sign(over)).rejects.toMatchObject({
    code: "KEY_NOT_VALID",
    class: "permanent",
    message: expect.stringMatching(/ object over has expired.*rotate the key/),
  });
  const early = await make("early", { notBefore: new Date(now + day) });
  await expect(sign(early)).rejects.toMatchObject({
    code: "KEY_NOT_VALID",
    class: "permanent",
    message: expect.stringMatching(/ object early is not valid yet.*activation date/),
  });
  const mute = await make("mute", { keyOps: ["verify"] });
  await expect(sign(mute)).rejects.toMatchObject({
    code: "TARGET_MISCONFIGURED",
    class: "permanent",
    message: expect.stringMatching(/ object mute .*key operations/),
  });
});

test("all versions of a key, the newest first, whatever version is asked about", async () => {
  const credential = { getToken: async () => ({ token: "anybody", expiresOnTimestamp: Date.now() + day }) };
  const person = new KeyClient(local.uri, credential, { disableChallengeResourceVerification: true });
  const expiresOn = new Date(Math.floor(Date.now() / 1000) * 1000 + day);
  const first = await person.createKey("account", "EC", { expiresOn });
  local.clock.advance(2000);
  const second = await person.createKey("account", "RSA");
  const listed = await openKeyPort(credential).versions(first.id ?? "");
  expect(listed.map(({ url }) => url)).toEqual([second.id, first.id]);
  expect(listed.map(({ expiresAt }) => expiresAt)).toEqual([undefined, expiresOn.toISOString()]);
});
