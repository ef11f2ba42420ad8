import { statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { connect } from "node:tls";
import { describe, expect, onTestFinished, test } from "vitest";
import { hasNginx, startNginx } from "../../local/targets/nginx.ts";
import { proveEndpoint } from "../../src/certificates/handshake.ts";
import { readCertificate } from "../../src/certificates/read.ts";
import type { ConsumerStep } from "../../src/consumer.ts";
import { webhook } from "../../src/consumers/webhook.ts";
import { consumerSchema, type ConsumerOf } from "../../src/policy-consumers.ts";
import { day, keyOf, make, serverAuth } from "../certificates/make.ts";
import { openssl } from "../certificates/openssl.ts";
import { fakeClock, tempDir, testVault } from "../vault/support.ts";
import { startReceiver } from "./receiver.ts";

const missing = !hasNginx() && process.env["CI"] !== "true";
const reason = missing ? " (skipped: no nginx on this machine)" : "";

const clock = Date.now();
const living = { from: clock - day, until: clock + 90 * day };
const root = make({ ...living, subject: "CN=Root", key: keyOf("P-384", 0), ca: true });
const middle = make({ ...living, subject: "CN=Middle", key: keyOf("P-384", 1), by: root, ca: true });
const leafOf = (n: number) =>
  make({
    ...living,
    subject: "CN=edge.contoso.com",
    key: keyOf("P-256", 10 + n),
    by: middle,
    names: ["edge.contoso.com"],
    usages: [serverAuth],
  });
const key = "a key of more than 32 characters, at random";
const signal = AbortSignal.timeout(600_000);

/** A vault with a certificate of two versions, nginx that serves the first, and its receiver. */
async function openEdge() {
  const vault = await testVault({ clock: fakeClock(clock) });
  const publish = async (n: number) => {
    const leaf = leafOf(n);
    const bundle = await vault.certificates.importCertificate(
      "edge",
      Buffer.from(leaf.keyPem + leaf.pem + middle.pem),
      {
        policy: { contentType: "application/x-pem-file", issuerName: "Unknown", subject: "CN=edge.contoso.com" },
      },
    );
    return { version: bundle.properties.version ?? "", sha256: readCertificate(leaf.der).sha256 };
  };
  const fetch = async (version?: string) => {
    const secret = await vault.client.getSecret("edge", version === undefined ? {} : { version });
    return { version: secret.properties.version ?? "", pem: secret.value ?? "" };
  };
  const one = await publish(1);
  const { pem } = await fetch(one.version);
  const dir = join(tempDir(), "nginx");
  const nginx = await startNginx({ dir, pem });
  onTestFinished(() => nginx.stop());
  const object = `${vault.url}/certificates/edge`;
  const receiver = await startReceiver({ key, object, nginx, fetch, installed: one.version, pem });
  onTestFinished(receiver.close);
  const step = (more: Partial<ConsumerOf<"webhook">> = {}): ConsumerStep<"webhook"> => {
    const consumer = consumerSchema.parse({
      kind: "webhook",
      id: "edge-1",
      url: receiver.url,
      key: `${vault.url}/secrets/key`,
      reads: "pinned",
      lag: "PT1M",
    });
    return {
      consumer: { ...(consumer as ConsumerOf<"webhook">), ...more },
      object: { baseUrl: object },
      arm: () => Promise.reject(new Error("no ARM")),
      secret: async () => key,
      now: Date.now,
      signal,
    };
  };
  return { nginx, dir, receiver, one, publish, step, object };
}

/** A whole handshake of a client that trusts the root and checks the name; the thumbprint that it saw. */
function handshake(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, ca: root.pem, servername: "edge.contoso.com", timeout: 5000 });
    socket.once("error", reject).once("timeout", () => socket.destroy(new Error("timeout")));
    socket.once("secureConnect", () => {
      resolve(socket.getPeerCertificate().fingerprint256.replaceAll(":", "").toLowerCase());
      socket.destroy();
    });
  });
}

describe.skipIf(missing)(`a real nginx behind a receiver${reason}`, () => {
  test("is moved at 50 handshakes a second with none failed, serves the new version, and the former one after a rollback", async () => {
    const { nginx, dir, receiver, one, publish, step, object } = await openEdge();
    expect(await webhook.read(step())).toMatchObject({ pinned: one.version });
    const before = await webhook.read(step());
    const two = await publish(2);
    const endpoint = { host: "edge.contoso.com", address: "127.0.0.1", port: nginx.port };

    const seen: Promise<string>[] = [];
    const over = new AbortController();
    const from = performance.now();
    const load = (async () => {
      while (!over.signal.aborted) {
        seen.push(handshake(nginx.port).catch((error: Error) => `failed: ${error.message}`));
        await delay(Math.max(0, from + seen.length * 20 - performance.now()));
      }
      return (performance.now() - from) / 1000;
    })();

    await delay(1500);
    await webhook.move(step(), webhook.reference(step(), two.version));
    await expect.poll(() => webhook.prove(step(), two.version)).toMatchObject([{ ok: true }]);
    await expect.poll(() => proveEndpoint(endpoint, two.sha256, { signal })).toMatchObject({ ok: true });
    await delay(1500);
    // A rollback writes the former reference back.
    await webhook.move(step(), before.text);
    await expect.poll(() => webhook.prove(step(), one.version)).toMatchObject([{ ok: true }]);
    await expect.poll(() => proveEndpoint(endpoint, one.sha256, { signal })).toMatchObject({ ok: true });
    await webhook.move(step(), `${object}/${two.version}`);
    await delay(1500);
    over.abort();
    const seconds = await load;
    const counts = Object.groupBy(await Promise.all(seen), (one) => one);
    expect(Object.keys(counts).toSorted()).toEqual([one.sha256, two.sha256].toSorted());
    expect(seen.length / seconds).toBeGreaterThan(45);

    await expect.poll(() => proveEndpoint(endpoint, two.sha256, { signal })).toMatchObject({ ok: true });
    const { out } = await openssl([
      "s_client",
      "-connect",
      `127.0.0.1:${nginx.port}`,
      "-servername",
      "edge.contoso.com",
    ]);
    expect(
      readCertificate(/-----BEGIN CERTIFICATE-----[^]+?-----END CERTIFICATE-----/.exec(out)?.[0] ?? out).sha256,
    ).toBe(two.sha256);
    expect(receiver.reloads()).toBe(3);
    expect(statSync(join(dir, "certificate.pem")).mode & 0o777).toBe(0o600);
    expect(nginx.log()).not.toMatch(/\[(error|crit|alert|emerg)\]/);
  });

  test("a call that is repeated reloads nothing; one for another object, or unsigned, is refused", async () => {
    const { nginx, receiver, one, publish, step } = await openEdge();
    const two = await publish(2);
    for (let n = 0; n < 3; n++) await webhook.move(step(), webhook.reference(step(), two.version));
    expect(receiver.reloads()).toBe(1);
    const other = { ...step(), object: { baseUrl: `${step().object.baseUrl}-other` } };
    await expect(webhook.read(other)).rejects.toMatchObject({ code: "CONSUMER_MISCONFIGURED" });
    await expect(webhook.read({ ...step(), secret: async () => `not ${key}` })).rejects.toMatchObject({
      code: "CONSUMER_FORBIDDEN",
    });
    await expect(webhook.read({ ...step(), now: () => Date.now() - 600_000 })).rejects.toMatchObject({
      code: "CONSUMER_FORBIDDEN",
    });
    await expect.poll(() => webhook.prove(step(), one.version)).toMatchObject([{ ok: false }]);
    await nginx.stop();
    expect(await webhook.prove(step(), two.version)).toMatchObject([{ ok: false }]);
  });

  test("one that follows the newest is told to fetch it", async () => {
    const { publish, step, one } = await openEdge();
    const latest = step({ reads: "latest" });
    expect(await webhook.read(latest)).toMatchObject({ active: one.version });
    const two = await publish(2);
    await webhook.move(latest, webhook.reference(latest, two.version));
    await expect.poll(() => webhook.prove(latest, two.version)).toMatchObject([{ ok: true }]);
  });
});
