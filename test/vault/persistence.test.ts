import { once } from "node:events";
import { appendFileSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { Agent } from "node:https";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { startChild } from "./killable.ts";
import { call, fakeClock, tempDir, testVault, vaultName } from "./support.ts";
import type { Asked } from "./support.ts";

test("what was answered survives kill -9, again and again", async () => {
  const [stateDir, tlsDir] = [tempDir(), tempDir()];
  /** By secret: the value of each version that was answered. */
  const answered = new Map<string, Map<string, string>>();
  const lastDone = new Map<string, "set" | "deleted">();
  let writes = 0;
  for (let life = 0; life < 4; life++) {
    const { child, url } = await startChild(stateDir, tlsDir);
    const agent = new Agent({ ca: readFileSync(join(tlsDir, "ca.pem")), keepAlive: true });
    const ask = (method: string, path: string, asked: Asked = {}) =>
      call(agent, url, method, `${path}?api-version=7.5`, asked);

    for (const [name, versions] of answered) {
      const path = lastDone.get(name) === "deleted" ? `/deletedsecrets/${name}` : `/secrets/${name}`;
      const found = await ask("GET", path);
      if (found.status !== 200) await ask("POST", `/deletedsecrets/${name}/recover`); // a deletion that was under way
      if (path.startsWith("/deleted")) await ask("POST", `/deletedsecrets/${name}/recover`);
      for (const [version, value] of versions) {
        expect((await ask("GET", `/secrets/${name}/${version}`)).json?.value, `${name}/${version}`).toBe(value);
      }
    }

    const worker = async (name: string) => {
      const versions = answered.get(name) ?? new Map<string, string>();
      answered.set(name, versions);
      for (let index = 0; ; index++) {
        const value = `${name} ${life} ${index}`;
        const { status, json } = await ask("PUT", `/secrets/${name}`, { body: { value } });
        expect(status).toBe(200);
        versions.set(json.id.split("/").at(-1), value);
        lastDone.set(name, "set");
        writes += 1;
        if (index % 10 !== 9) continue;
        expect((await ask("DELETE", `/secrets/${name}`)).status).toBe(200);
        lastDone.set(name, "deleted");
        expect((await ask("POST", `/deletedsecrets/${name}/recover`)).status).toBe(200);
        lastDone.set(name, "set");
      }
    };
    const ended = Promise.allSettled(["a", "b", "c", "d"].map(worker));
    const goal = writes + 60 + 17 * life;
    await vi.waitUntil(() => writes >= goal, { interval: 1, timeout: 30_000 });
    child.kill("SIGKILL");
    await once(child, "exit");
    for (const result of await ended)
      expect(result).toMatchObject({ reason: { code: expect.stringMatching(/ECONN|EPIPE/) } });
    agent.destroy();
  }
  expect(writes).toBeGreaterThan(240);
});

test("no value is readable in the state folder, nor is the key that opens them", async () => {
  const { client, stateDir } = await testVault();
  await client.setSecret("canary", "the-canary-value", { tags: { tag: "canary-tag" } });
  await client.backupSecret("canary");
  for (const file of readdirSync(stateDir)) {
    const bytes = readFileSync(join(stateDir, file));
    for (const form of ["the-canary-value", Buffer.from("the-canary-value").toString("base64").slice(0, 16)]) {
      expect(bytes.includes(form), `${file} holds ${form}`).toBe(false);
    }
  }
  expect(readdirSync(stateDir).sort()).toEqual([`${vaultName}.journal`, "ports.json"].sort());
  expect(statSync(join(stateDir, `${vaultName}.journal`)).mode & 0o777).toBe(0o600);
});

test("a torn last line is dropped, a damaged one is refused by name", async () => {
  const stateDir = tempDir();
  const file = join(stateDir, `${vaultName}.journal`);
  const first = await testVault({ stateDir });
  await first.client.setSecret("a", "v");
  await first.close();
  const whole = readFileSync(file, "utf8");
  appendFileSync(file, whole.slice(0, 40));
  const second = await testVault({ stateDir });
  expect((await second.client.getSecret("a")).value).toBe("v");
  await second.client.setSecret("b", "after the tear");
  await second.close();
  const third = await testVault({ stateDir });
  expect((await third.client.getSecret("b")).value).toBe("after the tear");
  await third.close();
  writeFileSync(file, `${whole.slice(0, 40)}AAAA${whole.slice(44)}`);
  await expect(testVault({ stateDir })).rejects.toThrow(`${vaultName}.journal is damaged at line 1`);
});

test("a journal of mostly old news is rewritten at start, and nothing is lost", async () => {
  const stateDir = tempDir();
  const first = await testVault({ stateDir });
  const { properties } = await first.client.setSecret("a", "v");
  for (let index = 0; index < 150; index++)
    await first.client.updateSecretProperties("a", "", { tags: { index: String(index) } });
  await first.client.setSecret("gone", "v");
  await first.client.beginDeleteSecret("gone");
  await first.client.purgeDeletedSecret("gone");
  await first.client.setSecret("asleep", "v");
  await first.client.beginDeleteSecret("asleep");
  await first.close();
  const file = join(stateDir, `${vaultName}.journal`);
  const before = statSync(file).size;
  const second = await testVault({ stateDir });
  expect(statSync(file).size).toBeLessThan(before / 10);
  expect(await second.client.getSecret("a")).toMatchObject({
    value: "v",
    properties: { version: properties.version, tags: { index: "149" } },
  });
  expect((await second.client.getDeletedSecret("asleep")).name).toBe("asleep");
  await expect(second.client.getDeletedSecret("gone")).rejects.toMatchObject({ statusCode: 404 });
});

test("the order of versions survives a restart", async () => {
  const [clock, stateDir] = [fakeClock(), tempDir()];
  for (const value of ["one", "two", "three"]) {
    const { client, close } = await testVault({ clock, stateDir });
    await client.setSecret("a", `${value} first`);
    await client.setSecret("a", value);
    expect((await client.getSecret("a")).value).toBe(value);
    await close();
  }
  const { client } = await testVault({ clock, stateDir });
  expect((await client.getSecret("a")).value).toBe("three");
});

test("bad options are refused at start", async () => {
  const vault = { name: vaultName, resourceId: "/x" };
  await expect(testVault({ vaults: [{ ...vault, retentionDays: 6 }] })).rejects.toThrow("7 to 90 days");
  await expect(testVault({ vaults: [{ ...vault, name: "../x" }] })).rejects.toThrow("no name");
  await expect(testVault({ vaults: [vault, vault] })).rejects.toThrow("two vaults");
  const { url } = await testVault();
  await expect(testVault({ vaults: [{ ...vault, port: Number(new URL(url).port) }] })).rejects.toThrow("EADDRINUSE");
});
