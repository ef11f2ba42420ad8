import { expect, test } from "vitest";
import type { LatestVersion } from "../../src/vault/vault.ts";
import { openSecretPort } from "../../src/vault/secret-port.ts";

const url = "https://vault.example/secrets/admin";

/** A vault whose secret has another value at each read. */
function counting() {
  const asked: string[] = [];
  const vault = (uri: string) => ({
    latest: async (name: string) => ({ value: `${asked.push(`${uri} ${name}`)}` }) as LatestVersion,
    value: async (name: string, version: string) => `${name} ${version} ${asked.push(version)}`,
  });
  return { asked, vault };
}

test("the vault is asked once a minute of process time for each URL", async () => {
  let now = 0;
  const { asked, vault } = counting();
  const secret = openSecretPort(vault, () => now);
  expect(await secret(url)).toBe("1");
  now = 59_999;
  expect(await secret(url)).toBe("1");
  expect(await secret(`${url}-2`)).toBe("2");
  now = 60_000;
  expect(await secret(url)).toBe("3");
  expect(asked).toEqual([
    "https://vault.example admin",
    "https://vault.example admin-2",
    "https://vault.example admin",
  ]);
});

test("fresh asks the vault, and what it says is what the others get from then on", async () => {
  const secret = openSecretPort(counting().vault, () => 0);
  await secret(url);
  expect(await secret(url, { fresh: true })).toBe("2");
  expect(await secret(url)).toBe("2");
});

test("a failed read is no answer: the next one asks again", async () => {
  const { vault } = counting();
  let broken = true;
  const failing = (uri: string) => ({
    ...vault(uri),
    latest: async (name: string) => {
      if (broken) throw new Error("unavailable");
      return await vault(uri).latest(name);
    },
  });
  const secret = openSecretPort(failing, () => 0);
  await expect(secret(url)).rejects.toThrow("unavailable");
  broken = false;
  expect(await secret(url)).toBe("1");
  broken = true;
  await expect(secret(url, { fresh: true })).rejects.toThrow("unavailable");
  await expect(secret(url)).rejects.toThrow("unavailable");
});

test("a URL with a version is read as that version", async () => {
  const secret = openSecretPort(counting().vault, () => 0);
  expect(await secret(`${url}/abc`)).toBe("admin abc 1");
});
