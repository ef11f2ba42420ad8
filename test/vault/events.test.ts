import { setTimeout as sleep } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import type { VaultEvent } from "../../local/vault/model.ts";
import { day, fakeClock, resourceId, start, tempDir, testVault, vaultName } from "./support.ts";

// Times stand still until the test moves them; the vault looks at them every 10 real milliseconds.

const settle = () => sleep(80);
const inDays = (days: number) => new Date(start + days * day);

async function watched(options: Parameters<typeof testVault>[0] = {}) {
  const events: VaultEvent[] = [];
  const vault = await testVault({ subscribedSince: start, onEvent: (event) => void events.push(event), ...options });
  /** Kinds of the events so far, with the order of their versions. */
  const kinds = () => events.map(({ type }) => type.replace("Microsoft.KeyVault.Secret", ""));
  return { ...vault, events, kinds };
}

test("a new version is told at once, whole", async () => {
  const { client, events, url } = await watched();
  const { properties } = await client.setSecret("a", "v", { notBefore: inDays(-1), expiresOn: inDays(60) });
  expect(events).toEqual([
    {
      type: "Microsoft.KeyVault.SecretNewVersionCreated",
      eventId: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/),
      vaultName,
      resourceId,
      objectType: "Secret",
      objectName: "a",
      version: properties.version,
      id: `${url}/secrets/a/${properties.version}`,
      nbf: start / 1000 - 86_400,
      exp: start / 1000 + 60 * 86_400,
      time: inDays(0).toISOString(),
    },
  ]);
});

test("near expiry 30 days before, expired at the instant, once each", async () => {
  const { client, clock, kinds } = await watched();
  await client.setSecret("a", "v", { expiresOn: inDays(60) });
  clock.advance(30 * day - 1);
  await settle();
  expect(kinds()).toEqual(["NewVersionCreated"]);
  clock.advance(1);
  await vi.waitFor(() => expect(kinds()).toEqual(["NewVersionCreated", "NearExpiry"]));
  clock.advance(30 * day - 1);
  await settle();
  expect(kinds()).toHaveLength(2);
  clock.advance(1);
  await vi.waitFor(() => expect(kinds()).toEqual(["NewVersionCreated", "NearExpiry", "Expired"]));
  clock.advance(400 * day);
  await settle();
  expect(kinds()).toHaveLength(3);
});

test("one jump over both moments gives both in order", async () => {
  const { client, clock, kinds } = await watched();
  await client.setSecret("a", "v", { expiresOn: inDays(60) });
  clock.advance(61 * day);
  await vi.waitFor(() => expect(kinds()).toEqual(["NewVersionCreated", "NearExpiry", "Expired"]));
});

test("made within 30 days of its end: near at once; made after it: only expired", async () => {
  const { client, events } = await watched();
  await client.setSecret("short", "v", { expiresOn: inDays(29) });
  await client.setSecret("past", "v", { expiresOn: inDays(-1) });
  await client.setSecret("never", "v");
  await settle();
  const of = (name: string) => events.filter(({ objectName }) => objectName === name).map(({ type }) => type);
  expect(of("short")).toEqual(["Microsoft.KeyVault.SecretNewVersionCreated", "Microsoft.KeyVault.SecretNearExpiry"]);
  expect(of("past")).toEqual(["Microsoft.KeyVault.SecretNewVersionCreated", "Microsoft.KeyVault.SecretExpired"]);
  expect(of("never")).toEqual(["Microsoft.KeyVault.SecretNewVersionCreated"]);
});

test("only the newest version, disabled or not", async () => {
  const { client, clock, events } = await watched();
  await client.setSecret("a", "old", { expiresOn: inDays(60) });
  const newest = await client.setSecret("a", "new", { expiresOn: inDays(61), enabled: false });
  clock.advance(62 * day);
  await settle();
  const expiries = events.filter(({ type }) => !type.endsWith("NewVersionCreated"));
  expect(expiries.map(({ type, version }) => [type, version])).toEqual([
    ["Microsoft.KeyVault.SecretNearExpiry", newest.properties.version],
    ["Microsoft.KeyVault.SecretExpired", newest.properties.version],
  ]);
});

test("an expiry that is patched in counts, and one told is not told again", async () => {
  const { client, kinds } = await watched();
  const { properties } = await client.setSecret("a", "v");
  const patch = (days: number) => client.updateSecretProperties("a", properties.version!, { expiresOn: inDays(days) });
  await patch(10);
  await vi.waitFor(() => expect(kinds()).toEqual(["NewVersionCreated", "NearExpiry"]));
  await patch(90);
  await settle();
  await patch(11);
  await settle();
  expect(kinds()).toHaveLength(2);
});

test("a deleted secret is silent until it is recovered", async () => {
  const { client, clock, control, kinds } = await watched();
  await client.setSecret("a", "v", { expiresOn: inDays(60) });
  await client.beginDeleteSecret("a");
  clock.advance(31 * day);
  await settle();
  expect(kinds()).toEqual(["NewVersionCreated"]);
  control.set({ deleteDelayMs: 1000 });
  await client.beginRecoverDeletedSecret("a");
  await settle();
  expect(kinds()).toEqual(["NewVersionCreated"]);
  clock.advance(1000);
  await vi.waitFor(() => expect(kinds()).toEqual(["NewVersionCreated", "NearExpiry"]));
});

test("only versions made after the subscription", async () => {
  const { ask, client, clock, events } = await watched({ subscribedSince: start + 1 });
  await client.setSecret("before", "v", { expiresOn: inDays(60) });
  clock.advance(1000);
  await client.setSecret("after", "v", { expiresOn: inDays(60) });
  clock.advance(61 * day);
  await settle();
  expect(new Set(events.map(({ objectName }) => objectName))).toEqual(new Set(["after"]));
  const settings = (subscribedSince: number | null) => ask("PUT", "/_emulator/settings", { body: { subscribedSince } });
  await settings(null);
  await client.setSecret("unheard", "v");
  await settle();
  expect(events.some(({ objectName }) => objectName === "unheard")).toBe(false);
  await settings(start);
  await vi.waitFor(() => expect(events.some(({ objectName }) => objectName === "before")).toBe(true));
});

test("a restart repeats nothing that was taken, and gives what was not", async () => {
  const [clock, stateDir] = [fakeClock(), tempDir()];
  const first = await watched({ clock, stateDir });
  await first.client.setSecret("a", "v", { expiresOn: inDays(60) });
  clock.advance(30 * day);
  await vi.waitFor(() => expect(first.kinds()).toEqual(["NewVersionCreated", "NearExpiry"]));
  await first.close();

  const second = await watched({ clock, stateDir, onEvent: () => Promise.reject(new Error("down")) });
  expect(second.url, "the port, and so every id, is that of the first run").toBe(first.url);
  await second.client.setSecret("b", "v");
  clock.advance(30 * day);
  await settle();
  await second.close();

  const third = await watched({ clock, stateDir });
  await vi.waitFor(() => expect(third.kinds().sort()).toEqual(["Expired", "NewVersionCreated"]));
  await settle();
  expect(third.events.map(({ objectName, type }) => `${objectName} ${type}`).sort()).toEqual([
    "a Microsoft.KeyVault.SecretExpired",
    "b Microsoft.KeyVault.SecretNewVersionCreated",
  ]);
});

test("a restored version is not new", async () => {
  const [stateDir, clock] = [tempDir(), fakeClock()];
  const first = await watched({ stateDir, clock });
  await first.client.setSecret("a", "v", { expiresOn: inDays(60) });
  const blob = (await first.client.backupSecret("a"))!;
  await first.client.beginDeleteSecret("a");
  await first.client.purgeDeletedSecret("a");
  await first.client.restoreSecretBackup(blob);
  await first.close();
  const second = await watched({ stateDir, clock });
  await settle();
  expect([first.kinds(), second.kinds()]).toEqual([["NewVersionCreated"], []]);
  clock.advance(30 * day);
  await vi.waitFor(() => expect(second.kinds()).toEqual(["NearExpiry"]));
});

test("a receiver that rejects is asked again, a slow one is not asked twice", async () => {
  const asked: string[] = [];
  const { client } = await testVault({
    subscribedSince: start,
    async onEvent({ objectName, type }) {
      asked.push(`${objectName} ${type.replace("Microsoft.KeyVault.Secret", "")}`);
      if (asked.length === 1) throw new Error("Not now.");
      await sleep(300);
    },
  });
  await client.setSecret("a", "v", { expiresOn: inDays(1) });
  await vi.waitFor(() => expect(asked).toContain("a NearExpiry"));
  // Every write makes the vault look at all objects again, while the receiver still has the first event in hand.
  for (let index = 0; index < 5; index++) {
    await client.setSecret("b", "v");
    await sleep(20);
  }
  await vi.waitFor(() => expect(asked.filter((one) => one === "a NewVersionCreated")).toHaveLength(2), {
    timeout: 3000,
  });
  await sleep(400);
  const counts = new Map(asked.map((one) => [one, asked.filter((other) => other === one).length]));
  expect(Object.fromEntries(counts)).toEqual({
    "a NearExpiry": 1,
    "a NewVersionCreated": 2,
    "b NewVersionCreated": 5,
  });
});
