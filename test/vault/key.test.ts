import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { appendFileSync, existsSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { seal, unseal } from "../../local/vault/seal.ts";
import { configFolder, migrateKey, sealingKey } from "../../local/vault/vault-key.ts";
import { tempDir, testVault, vaultName } from "./support.ts";

// Where the key that seals the values comes from, and what becomes of folders that hold theirs.

test("the user's configuration folder, as each system has it", () => {
  expect(configFolder({ XDG_CONFIG_HOME: "/x" }, "linux")).toBe(join("/x", "pinion"));
  expect(configFolder({ XDG_CONFIG_HOME: "/x" }, "darwin")).toBe(join("/x", "pinion"));
  expect(configFolder({ APPDATA: "/roaming" }, "win32")).toBe(join("/roaming", "pinion"));
  expect(configFolder({}, "darwin")).toMatch(/Library.Application Support.pinion$/);
  expect(configFolder({}, "linux")).toMatch(/\.config.pinion$/);
});

test("made once in the configuration folder, for the owner alone; the same for processes that start at once", async () => {
  const home = tempDir();
  const module = new URL("../../local/vault/vault-key.ts", import.meta.url).href;
  const script = `import(${JSON.stringify(module)}).then(({ sealingKey }) => console.log(sealingKey().toString("hex")))`;
  const { PINION_VAULT_KEY: _, ...env } = process.env;
  const run = () =>
    spawnSync(process.execPath, ["-e", script], { env: { ...env, XDG_CONFIG_HOME: home }, encoding: "utf8" }).stdout;
  const keys = [run(), run()];
  expect(keys[0]).toMatch(/^[0-9a-f]{64}\n$/);
  expect(new Set(keys).size).toBe(1);
  expect(readdirSync(join(home, "pinion"))).toEqual(["vault.key"]);
  expect(statSync(join(home, "pinion", "vault.key")).mode & 0o777).toBe(0o600);
  expect(statSync(join(home, "pinion")).mode & 0o777).toBe(0o700);
});

test("given: in a file or a variable, as bytes or as text", () => {
  const [dir, key] = [tempDir(), randomBytes(32)];
  const file = join(dir, "key");
  for (const content of [key, key.toString("hex"), `${key.toString("base64")}\n`, key.toString("base64url")]) {
    writeFileSync(file, content);
    expect(sealingKey(file, {}).equals(key)).toBe(true);
  }
  expect(sealingKey(undefined, { PINION_VAULT_KEY: key.toString("base64") }).equals(key)).toBe(true);
  writeFileSync(file, "too short");
  expect(() => sealingKey(file, {})).toThrow("it must be 32 bytes");
  expect(() => sealingKey(undefined, { PINION_VAULT_KEY: "*".repeat(44) })).toThrow("PINION_VAULT_KEY is no key");
  expect(() => sealingKey(join(dir, "none"), {})).toThrow("openssl rand -hex 32");
  writeFileSync(join(dir, "file"), "");
  expect(() => sealingKey(undefined, { XDG_CONFIG_HOME: join(dir, "file") })).toThrow("--key-file or PINION_VAULT_KEY");
});

test("another key opens nothing, and says so", async () => {
  const stateDir = tempDir();
  const first = await testVault({ stateDir, key: randomBytes(32) });
  await first.client.setSecret("a", "v");
  await first.close();
  await expect(testVault({ stateDir, key: randomBytes(32) })).rejects.toThrow("sealed with another key");
});

test("a folder with its key beside the values is sealed anew, all vaults of it, also after a kill half way", async () => {
  const [stateDir, old, key] = [tempDir(), randomBytes(32), randomBytes(32)];
  for (const name of [vaultName, "kv-other"]) {
    const vaults = [{ name, resourceId: "/x" }];
    const { client, close } = await testVault({ stateDir, key: old, vaults });
    await client.setSecret("a", `of ${name}`);
    await client.setSecret("a", `again of ${name}`);
    await close();
  }
  writeFileSync(join(stateDir, "vault.key"), old);
  // As a kill leaves it: one line is done already, and a last one is torn.
  const file = join(stateDir, `${vaultName}.journal`);
  const [line = "", ...rest] = readFileSync(file, "latin1").split("\n");
  const text = unseal(old, `${vaultName}.journal`, Buffer.from(line, "base64"))!;
  writeFileSync(file, [seal(key, `${vaultName}.journal`, text).toString("base64"), ...rest].join("\n"));
  appendFileSync(file, line.slice(0, 30));

  const { client, close } = await testVault({ stateDir, key });
  expect((await client.getSecret("a")).value).toBe(`again of ${vaultName}`);
  await close();
  expect(existsSync(join(stateDir, "vault.key"))).toBe(false);
  const other = await testVault({ stateDir, key, vaults: [{ name: "kv-other", resourceId: "/x" }] });
  expect((await other.client.getSecret("a")).value).toBe("again of kv-other");
  await other.close();

  writeFileSync(join(stateDir, "vault.key"), randomBytes(32));
  migrateKey(stateDir, key);
  writeFileSync(join(stateDir, "vault.key"), randomBytes(32));
  expect(() => migrateKey(stateDir, randomBytes(32))).toThrow("vault.key is not its key");
  expect(existsSync(join(stateDir, "vault.key"))).toBe(true);
});
