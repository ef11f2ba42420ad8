import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { acmeDns, acmeDnsConfig } from "../../rotators/shared/dns/acme-dns.ts";
import { cloudflare, cloudflareConfig } from "../../rotators/shared/dns/cloudflare.ts";
import { webhook, webhookConfig } from "../../rotators/shared/dns/webhook.ts";
import { startNameServer, txt } from "./name-server.ts";
import { startAcmeDns, startCloudflare, startWebhook } from "./services.ts";
import type { Service } from "./services.ts";
import { stepOf, valueOf } from "./step.ts";

// Promise: what is particular to each service over HTTP.

const url = "https://kv-contoso.vault.azure.net/secrets/dns";
const name = "_acme-challenge.www.sub.contoso.com";
const [a, b, c] = [valueOf("a"), valueOf("b"), valueOf("c")];
const open: { stop: () => unknown }[] = [];
const opened = async <S extends { stop: () => unknown }>(starting: Promise<S>): Promise<S> => {
  const started = await starting;
  open.push(started);
  return started;
};
afterEach(async () => {
  for (const one of open.splice(0)) await one.stop();
});
const failure = async (work: Promise<unknown>): Promise<unknown> =>
  await work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe("Cloudflare", () => {
  const at = (service: Service, more: Record<string, unknown> = {}, secret = "token") => {
    const base = { kind: "cloudflare", apiToken: url, endpoint: service.url, delegatedTo: name };
    return stepOf(cloudflareConfig.parse({ ...base, ...more }), {
      secrets: { [url]: secret },
      fresh: { [url]: "token" },
    });
  };

  test("the longest zone that the token sees; none; the one of the config", async () => {
    const service = await opened(startCloudflare("token", ["contoso.com", "sub.contoso.com"]));
    await cloudflare.publish(at(service), { name, value: a });
    expect(service.texts(name)).toEqual([a]);
    expect(
      await failure(cloudflare.publish(at(service, { delegatedTo: "x.fabrikam.com" }), { name, value: a })),
    ).toMatchObject({
      code: "TARGET_MISCONFIGURED",
      message: expect.stringContaining("Zone > Zone > Read") as string,
    });
    const before = service.faults.calls()["GET zones"];
    const zoneId = Buffer.from("contoso.com").toString("hex").padEnd(32, "0").slice(0, 32);
    await cloudflare.publish(at(service, { zoneId }), { name, value: b });
    expect(service.texts(name)).toEqual([a, b]);
    expect(service.faults.calls()["GET zones"]).toBe(before);
  });

  test("a record without quotes is known again, and one beyond the first page is found", async () => {
    const service = await opened(startCloudflare("token", ["contoso.com"]));
    for (let n = 0; n < 150; n += 1) service.add(name, `other ${n}`);
    service.add(name, a);
    await cloudflare.publish(at(service), { name, value: a });
    expect(service.texts(name)).toHaveLength(151);
    await cloudflare.withdraw(at(service), { name, value: a });
    expect(service.texts(name)).toHaveLength(150);
  });

  test("a token that was changed a moment ago is read anew, once", async () => {
    const service = await opened(startCloudflare("token", ["contoso.com"]));
    await cloudflare.publish(at(service, {}, "former-token"), { name, value: a });
    expect(service.texts(name)).toEqual([a]);
    const other = await opened(startCloudflare("another", ["contoso.com"]));
    expect(await failure(cloudflare.publish(at(other), { name, value: a }))).toMatchObject({
      code: "TARGET_FORBIDDEN",
    });
    expect(other.faults.calls()["GET zones"]).toBe(1);
    // A token that is no token at all is a 400.
    const still = stepOf(at(service).config, { secrets: { [url]: "?" } });
    expect(await failure(cloudflare.publish(still, { name, value: b }))).toMatchObject({
      code: "TARGET_FORBIDDEN",
      message: expect.stringContaining("code 6003") as string,
    });
  });

  test("a token with a line end never reaches a header", async () => {
    const service = await opened(startCloudflare("token", ["contoso.com"]));
    const error = await failure(cloudflare.publish(at(service, {}, "secret-token\n"), { name, value: a }));
    expect(error).toMatchObject({
      code: "TARGET_MISCONFIGURED",
      message: expect.not.stringContaining("secret-token") as string,
    });
  });

  test("throttling, faults, a page that is no JSON, a redirect", async () => {
    const service = await opened(startCloudflare("token", ["contoso.com"]));
    const meet = async (fault: { status: number; retryAfter?: number }) => {
      service.faults.add({ operation: "GET zones", times: 1, kind: "status", when: "before", ...fault });
      const error = await failure(cloudflare.publish(at(service), { name, value: a }));
      service.faults.clear();
      return error;
    };
    expect(await meet({ status: 429, retryAfter: 120 })).toMatchObject({ class: "throttled", retryAfterSeconds: 120 });
    expect(await meet({ status: 502 })).toMatchObject({ code: "TARGET_UNREACHABLE", class: "transient" });
    expect(await meet({ status: 200 })).toMatchObject({ name: "PinionError" });
    expect(await meet({ status: 302 })).toMatchObject({ code: "TARGET_REFUSED", class: "permanent" });
    expect(await meet({ status: 400 })).toMatchObject({ code: "TARGET_REFUSED", class: "permanent" });
  });

  test("a reply that breaks off is tried again", async () => {
    const broken = createServer((_, response) => {
      response.writeHead(200, { "content-length": "1000" }).write('{"success":true,', () => response.destroy());
    });
    broken.listen(0, "127.0.0.1");
    await once(broken, "listening");
    open.push({ stop: () => broken.close() });
    const endpoint = `http://127.0.0.1:${(broken.address() as AddressInfo).port}`;
    const service = await opened(startCloudflare("token", []));
    expect(await failure(cloudflare.publish(at(service, { endpoint }), { name, value: a }))).toMatchObject({
      code: "TARGET_UNREACHABLE",
      class: "transient",
    });
  });

  test("a caller that dies after the write, and comes again", async () => {
    const service = await opened(startCloudflare("token", ["contoso.com"]));
    for (const what of ["publish", "withdraw"] as const) {
      const operation = what === "publish" ? "POST dns_records" : "DELETE dns_records";
      service.faults.add({ operation, times: 1, kind: "drop", status: 0, when: "after" });
      expect(await failure(cloudflare[what](at(service), { name, value: a }))).toMatchObject({ class: "transient" });
      await cloudflare[what](at(service), { name, value: a });
      expect(service.texts(name)).toEqual(what === "publish" ? [a] : []);
    }
  });
});

describe("acme-dns", () => {
  const username = "c36f50e8-4632-44f0-83fe-e070fef28a10";
  const fulldomain = "d420c923.auth.contoso.net";
  const start = async () => {
    const service = await opened(startAcmeDns(username, "key", "d420c923", fulldomain));
    const names = await opened(
      startNameServer((asked, type) => {
        if (type === "TXT") return txt(asked, service.texts(asked));
        return asked.startsWith("_acme-challenge.www.")
          ? [{ type: "CNAME", name: asked, ttl: 60, data: fulldomain }]
          : [];
      }),
    );
    const accounts = [{ username, password: url, subdomain: "d420c923", fulldomain: `${fulldomain.toUpperCase()}.` }];
    const lookup = { resolvers: [names.address], servers: [names.address] };
    const config = acmeDnsConfig.parse({ kind: "acme-dns", endpoint: `${service.url}/`, accounts, ...lookup });
    return { service, at: stepOf(config, { secrets: { [url]: "key" } }) };
  };

  test("the account is that of the challenge's CNAME; the third value drives out the first", async () => {
    const { service, at } = await start();
    for (const value of [a, b, a, b, a]) await acmeDns.publish(at, { name, value });
    expect(service.texts(fulldomain)).toEqual([a, b]);
    await acmeDns.publish(at, { name, value: c });
    expect(service.texts(fulldomain)).toEqual([b, c]);
    expect((await acmeDns.visible(at, { name, value: c })).everywhere).toBe(true);
    expect((await acmeDns.visible(at, { name, value: a })).everywhere).toBe(false);
  });

  test("a challenge without a CNAME to an account is told which it needs", async () => {
    const { at } = await start();
    const other = "_acme-challenge.other.contoso.com";
    expect(await failure(acmeDns.publish(at, { name: other, value: a }))).toMatchObject({
      code: "TARGET_MISCONFIGURED",
      message: expect.stringContaining(other) as string,
    });
    expect(await failure(acmeDns.demandPlaces!(at, [name, other]))).toMatchObject({ code: "TARGET_MISCONFIGURED" });
  });

  test("more names than an account keeps values are told before an order", async () => {
    const { service, at } = await start();
    await acmeDns.demandPlaces!(at, [name, name]);
    const third = "_acme-challenge.www.contoso.com";
    expect(await failure(acmeDns.demandPlaces!(at, [name, name, third]))).toMatchObject({
      code: "TARGET_MISCONFIGURED",
      message: `The account of ${fulldomain} is to hold 3 values at once (${name}, ${third}) and keeps 2: register an account for each name.`,
    });
    expect(service.texts(fulldomain)).toEqual([]);
  });
});

describe("webhook", () => {
  const secret = `whsec_${randomBytes(32).toString("base64")}`;
  const at = (service: Pick<Service, "url">, given = secret) =>
    stepOf(webhookConfig.parse({ kind: "webhook", url: service.url, secret: url, delegatedTo: name }), {
      secrets: { [url]: given },
      now: () => Date.parse("2026-11-26T10:00:00Z"),
    });

  test("what is sent, signed by the cloud's clock", async () => {
    const service = await opened(startWebhook(secret));
    await webhook.publish(at(service), { name, value: a });
    await webhook.withdraw(at(service), { name, value: a });
    const timestamp = Date.parse("2026-11-26T10:00:00Z") / 1000;
    expect(service.calls).toEqual([
      { action: "publish", name, value: a, timestamp },
      { action: "withdraw", name, value: a, timestamp },
    ]);
  });

  test("409 is done, 4xx is for good, 429 waits, 5xx is tried again", async () => {
    const service = await opened(startWebhook(secret));
    const meet = async (status: number, retryAfter?: number) => {
      const more = retryAfter === undefined ? {} : { retryAfter };
      service.faults.add({ operation: "webhook", times: 1, kind: "status", status, when: "before", ...more });
      return await failure(webhook.publish(at(service), { name, value: a }));
    };
    expect(await meet(409)).toBeUndefined();
    expect(await meet(204)).toBeUndefined();
    expect(await meet(404)).toMatchObject({ code: "TARGET_REFUSED", class: "permanent" });
    expect(await meet(422)).toMatchObject({ code: "TARGET_REFUSED", class: "permanent" });
    expect(await meet(301)).toMatchObject({ code: "TARGET_REFUSED", class: "permanent" });
    expect(await meet(401)).toMatchObject({ code: "TARGET_FORBIDDEN", class: "permanent" });
    expect(await meet(429, 30)).toMatchObject({ class: "throttled", retryAfterSeconds: 30 });
    expect(await meet(429)).toMatchObject({ class: "throttled", retryAfterSeconds: undefined });
    expect(await meet(503)).toMatchObject({ code: "TARGET_UNREACHABLE", class: "transient" });
  });

  test("the status is all that is read of a reply", async () => {
    const endless = createServer((_, response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write("x".repeat(1000)), 5);
      response.on("close", () => clearInterval(timer));
    });
    endless.listen(0, "127.0.0.1");
    await once(endless, "listening");
    open.push({ stop: () => endless.close() });
    const there = { url: `http://127.0.0.1:${(endless.address() as AddressInfo).port}` };
    expect(await failure(webhook.publish(at(there), { name, value: a }))).toBeUndefined();
  });

  test("a redirect is not followed: it would carry the signature elsewhere", async () => {
    const service = await opened(startWebhook(secret));
    const redirect = createServer((_, response) => response.writeHead(307, { location: service.url }).end());
    redirect.listen(0, "127.0.0.1");
    await once(redirect, "listening");
    open.push({ stop: () => redirect.close() });
    const at307 = { url: `http://127.0.0.1:${(redirect.address() as AddressInfo).port}` };
    expect(await failure(webhook.publish(at(at307), { name, value: a }))).toMatchObject({ code: "TARGET_REFUSED" });
    expect(service.calls).toEqual([]);
  });

  test("a short key signs nothing", async () => {
    const service = await opened(startWebhook(secret));
    for (const short of ["too-short", `whsec_${randomBytes(8).toString("base64")}`]) {
      expect(await failure(webhook.publish(at(service, short), { name, value: a }))).toMatchObject({
        code: "TARGET_MISCONFIGURED",
        message: expect.not.stringContaining(short) as string,
      });
    }
    expect(service.calls).toEqual([]);
  });
});

test("secrets go to HTTPS, or stay on this machine", () => {
  const takes = (endpoint: string) =>
    cloudflareConfig.safeParse({ kind: "cloudflare", apiToken: url, endpoint }).success;
  for (const good of ["https://auth.contoso.com", "http://127.0.0.1:8080", "http://localhost", "http://[::1]:80"]) {
    expect([good, takes(good)]).toEqual([good, true]);
  }
  for (const bad of ["http://auth.contoso.com", "http://127.evil.example", "ftp://127.0.0.1", "auth.contoso.com", ""]) {
    expect([bad, takes(bad)]).toEqual([bad, false]);
  }
});
