import { X509Certificate } from "node:crypto";
import { readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, get } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ensureTls } from "../../local/tls.ts";
import { day, tempDir } from "./support.ts";

const real = { now: () => Date.now() };
const ahead = (days: number) => ({ now: () => Date.now() + days * day });

test("a server that its names and its CA are enough for", async () => {
  const { ca, cert, key, caFile } = await ensureTls(tempDir(), real);
  expect(readFileSync(caFile, "utf8")).toBe(ca);
  const server = createServer({ cert, key }, (_, response) => response.end("ok")).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  const reach = (options: { host?: string; servername?: string; ca?: string }) =>
    new Promise<number | undefined>((resolve, reject) => {
      get({ host: "127.0.0.1", port, agent: false, ...options }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).on("error", reject);
    });
  expect(await reach({ ca })).toBe(200);
  expect(await reach({ ca, servername: "localhost" })).toBe(200);
  await expect(reach({ ca, servername: "vault.azure.net" })).rejects.toMatchObject({
    code: "ERR_TLS_CERT_ALTNAME_INVALID",
  });
  await expect(reach({})).rejects.toThrow(/verify|certificate/);
  const certificate = new X509Certificate(cert);
  expect(certificate.subjectAltName).toContain("DNS:*.localhost");
  expect(certificate.checkIP("::1")).toBe("::1");
});

test("kept between runs, private, and without the CA's own key", async () => {
  const dir = tempDir();
  const first = await ensureTls(dir, real);
  expect(await ensureTls(dir, ahead(8 * 365))).toEqual(first);
  expect(statSync(join(dir, "server.key")).mode & 0o777).toBe(0o600);
  const authority = new X509Certificate(first.ca);
  expect(authority.ca).toBe(true);
  expect(Date.parse(authority.validFrom)).toBeLessThan(Date.now() - day + 60_000);
  expect(Date.parse(authority.validTo)).toBeGreaterThan(Date.now() + 3649 * day);
});

test("renewed when nearly over by the cloud's clock, missing or damaged", async () => {
  const dir = tempDir();
  const first = await ensureTls(dir, real);
  const second = await ensureTls(dir, ahead(9.5 * 365));
  expect(second.ca).not.toBe(first.ca);
  const { validFrom, validTo } = new X509Certificate(second.cert);
  expect(Date.parse(validFrom), "still good for clients by the system's clock").toBeLessThan(Date.now());
  expect(Date.parse(validTo)).toBeGreaterThan(Date.now() + 19 * 365 * day);
  rmSync(join(dir, "ca.pem"));
  const third = await ensureTls(dir, real);
  expect(third.ca).not.toBe(second.ca);
  writeFileSync(join(dir, "server.key"), first.key);
  const fourth = await ensureTls(dir, real);
  expect(new X509Certificate(fourth.cert).verify(new X509Certificate(fourth.ca).publicKey)).toBe(true);
  expect(fourth.cert).not.toBe(third.cert);
});

test("several that start at once agree", async () => {
  const dir = join(tempDir(), "not", "there", "yet");
  const all = await Promise.all([1, 2, 3, 4].map(() => ensureTls(dir, real)));
  expect(new Set(all.map(({ cert }) => cert)).size).toBe(1);
  expect(readFileSync(join(dir, "server.pem"), "utf8")).toBe(all[0]!.cert);
  expect(readdirSync(join(dir, ".."))).toEqual(["yet"]);
});
