import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { RequestListener, Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { BlobServiceClient } from "@azure/storage-blob";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startAzurite } from "../../local/azurite.ts";
import type { Azurite } from "../../local/azurite.ts";
import { createTokens } from "../../local/azure/tokens.ts";
import { openClock } from "../../local/clock.ts";
import { ensureTls } from "../../local/tls.ts";
import { staticWebsite, staticWebsiteConfig } from "../../rotators/shared/http-01/static-website.ts";
import { challengerContract } from "./contract.ts";
import type { Subject } from "./contract.ts";
import { startSilent } from "./name-server.ts";
import { stepOf, valueOf } from "./step.ts";
import type { StaticWebsiteConfig } from "../../rotators/shared/http-01/static-website.ts";

// Promise: answers are blobs of the static website, written with the app's Entra token and nothing else.

const domain = "www.contoso.com";

interface World {
  readonly dir: string;
  readonly azurite: Azurite;
  readonly blobs: BlobServiceClient;
  readonly token: () => Promise<string>;
  /** Plays the static website's endpoint, which Azurite has not: serves what is in `$web`. */
  readonly website: string;
  readonly stop: () => Promise<void>;
}

async function openWorld(): Promise<World> {
  const dir = mkdtempSync(join(tmpdir(), "pinion-web-"));
  const clock = openClock(join(dir, "clock"));
  const tls = await ensureTls(join(dir, "tls"), clock);
  setDefaultCACertificates([...getCACertificates("default"), tls.ca]);
  const files = dirname(tls.caFile);
  const azurite = await startAzurite({
    tls: { certFile: join(files, "server.pem"), keyFile: join(files, "server.key") },
  });
  const tokens = createTokens({
    stateDir: join(dir, "entra"),
    clock,
    tenantId: "11111111-1111-4111-8111-111111111111",
  });
  const blobs = BlobServiceClient.fromConnectionString(azurite.connectionString);
  await blobs.createContainer("$web");
  const { server, address } = await listening(
    createServer((request, response) => {
      const path = decodeURI(request.url ?? "").slice(1);
      const found = request.headers.host === domain ? blobs.getContainerClient("$web").getBlobClient(path) : undefined;
      void (async () => {
        const text = await found?.downloadToBuffer().catch(() => undefined);
        response.writeHead(text ? 200 : 404).end(text ? `${text.toString()}\n` : "nothing here");
      })();
    }),
  );
  return {
    dir,
    azurite,
    blobs,
    token: async () => (await tokens.issue({ audience: "https://storage.azure.com", objectId: "o", appId: "a" })).token,
    website: address,
    async stop() {
      server.close();
      await azurite.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function listening<S extends Server>(server: S): Promise<{ readonly server: S; readonly address: string }> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, address: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

challengerContract("static website", false, async (): Promise<Subject<StaticWebsiteConfig>> => {
  const world = await openWorld();
  const silent = await startSilent();
  const container = world.blobs.getContainerClient("$web");
  const blobOf = (name: string) => container.getBlockBlobClient(`.well-known/acme-challenge/${name.split("/")[1]}`);
  return {
    challenger: staticWebsite,
    wrongSecret: "wrong-token",
    keeps: "one",
    record: (place, value) => ({ name: `${domain}/token_${place}-${value.slice(0, 2)}`, value }),
    async values({ name }) {
      const found: string[] = [];
      // Of the place whose number it is, whatever the value.
      const prefix = `.well-known/acme-challenge/${name.split("/")[1]!.replace(/-..$/, "-")}`;
      for await (const { name: blob } of container.listBlobsFlat({ prefix })) {
        found.push((await container.getBlobClient(blob).downloadToBuffer()).toString());
      }
      return found;
    },
    foreign: async ({ name, value }) => void (await blobOf(name).upload(value, value.length)),
    step(how, signal) {
      const blobEndpoint = how === "silent" ? `https://127.0.0.1:${silent.port}` : world.azurite.blobUrl;
      const config = staticWebsiteConfig.parse({ kind: "static-website", blobEndpoint, servers: [world.website] });
      return stepOf(config, { token: how === "refused" ? async () => "wrong-token" : world.token }, signal);
    },
    async stop() {
      silent.stop();
      await world.stop();
    },
  };
});

let world: World;
beforeAll(async () => void (world = await openWorld()));
afterAll(async () => await world?.stop());

const step = (more: Record<string, unknown> = {}) =>
  stepOf(
    staticWebsiteConfig.parse({
      kind: "static-website",
      blobEndpoint: world.azurite.blobUrl,
      servers: [world.website],
      ...more,
    }),
    { token: world.token },
  );
const value = `token.${valueOf("k")}`;

test("what a CA gets is the answer itself, as bytes and never from a cache", async () => {
  await staticWebsite.publish(step(), { name: `${domain}/headers`, value });
  const blob = world.blobs.getContainerClient("$web").getBlobClient(".well-known/acme-challenge/headers");
  expect(await blob.getProperties()).toMatchObject({
    contentType: "application/octet-stream",
    cacheControl: "no-store",
    blobType: "BlockBlob",
  });
});

test("somebody else's content under the same token is left alone", async () => {
  const blob = world.blobs.getContainerClient("$web").getBlockBlobClient(".well-known/acme-challenge/foreign");
  await blob.upload("theirs", 6);
  await staticWebsite.withdraw(step(), { name: `${domain}/foreign`, value });
  expect((await blob.downloadToBuffer()).toString()).toBe("theirs");
});

test("an account whose static website is off, and a token that is a path", async () => {
  const off = step({ blobEndpoint: `${world.azurite.blobUrl}/off` });
  await expect(staticWebsite.publish(off, { name: `${domain}/t`, value })).rejects.toMatchObject({
    name: "PinionError",
  });
  await world.blobs.deleteContainer("$web");
  await expect(staticWebsite.publish(step(), { name: `${domain}/t`, value })).rejects.toMatchObject({
    code: "TARGET_MISCONFIGURED",
    message: expect.stringContaining("static website") as string,
  });
  await world.blobs.createContainer("$web");
  for (const name of [`${domain}/../secrets`, `${domain}/t/more`, `${domain}/..`, domain, `${domain}/`, "a b/t"]) {
    await expect(staticWebsite.publish(step(), { name, value })).rejects.toMatchObject({ code: "TARGET_REFUSED" });
  }
});

test("redirects are followed as a CA does: to HTTPS whatever its certificate, and not for ever", async () => {
  const answer: RequestListener = (request, response) => {
    if (request.url === "/there" && request.headers.host?.startsWith("localhost:")) response.end(value);
    else response.writeHead(404).end();
  };
  // Of an authority that nobody trusts.
  const { cert, key } = await ensureTls(join(world.dir, "other"), openClock(join(world.dir, "clock")));
  const target = await listening(createHttpsServer({ cert, key }, answer));
  const where = `https://localhost:${target.address.split(":")[1]}/there`;
  const hops = await listening(
    createServer((request, response) => {
      const to = request.url === "/second" ? where : request.url?.endsWith("/ok") ? "/second" : request.url!;
      response.writeHead(302, { location: to }).end();
    }),
  );
  try {
    const at = step({ servers: [hops.address] });
    expect((await staticWebsite.visible(at, { name: `${domain}/ok`, value })).everywhere).toBe(true);
    expect(await staticWebsite.visible(at, { name: `${domain}/loop`, value })).toEqual({
      everywhere: false,
      detail: `0 of 1 servers show it; ${domain} (${hops.address}) does not.`,
    });
  } finally {
    for (const { server } of [target, hops]) server.close();
  }
});

test("an address that does not answer", async () => {
  const { everywhere, detail } = await staticWebsite.visible(step({ servers: ["127.0.0.1:9"] }), {
    name: `${domain}/t`,
    value,
  });
  expect([everywhere, detail]).toEqual([false, `0 of 1 servers show it; ${domain} (127.0.0.1:9) does not answer.`]);
});
