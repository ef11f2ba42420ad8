import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decode, encode } from "dns-packet";
import type { Answer, Packet } from "dns-packet";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startBind } from "../../local/targets/bind.ts";
import type { BindServer } from "../../local/targets/bind.ts";
import { soaOwner } from "../../rotators/shared/dns/lookup.ts";
import { serverAddress } from "../../rotators/shared/dns/provider.ts";
import { rfc2136, rfc2136Config } from "../../rotators/shared/dns/rfc2136.ts";
import { judge, shownByAll } from "../../rotators/shared/dns/visible.ts";
import type { Told } from "../../rotators/shared/dns/visible.ts";
import { bindIsMissing, needsBind } from "./bind.ts";
import { startNameServer, startRelay, startSilent, txt } from "./name-server.ts";
import { stepOf, valueOf } from "./step.ts";

// Promise: a value counts as visible only when every authoritative server that can be asked shows it, and the detail says which does not.

const signal = new AbortController().signal;
const secret = randomBytes(32).toString("base64");
const key = { name: "pinion", algorithm: "hmac-sha256", secret };
const name = "_acme-challenge.www.contoso.com";
const value = valueOf("a");

describe.skipIf(bindIsMissing)(`Two real servers of one zone, found by its NS records${needsBind}`, () => {
  let dir: string;
  let prompt: BindServer;
  let late: BindServer;
  let port: number;
  const relays: (() => void)[] = [];
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), "pinion-bind-"));
    const records = [
      "@ NS ns1",
      "@ NS ns2.contoso.net.",
      "@ NS gone.contoso.net.",
      "ns1 A 127.0.0.2",
      "_acme-challenge.shop CNAME shop.sub",
    ];
    const others = ["@ NS ns1.contoso.com.", "ns2 A 127.0.0.3"];
    const zones = [
      { name: "contoso.com", updatedBy: ["pinion"], records },
      { name: "sub.contoso.com", updatedBy: ["pinion"], records: ["@ NS ns2.contoso.net."] },
      { name: "contoso.net", records: others },
    ];
    prompt = await startBind({ dir: join(dir, "prompt"), keys: [key], zones });
    late = await startBind({ dir: join(dir, "late"), keys: [key], zones });
    // The servers of a zone have addresses of their own and all the same port; BIND does not listen on 127.0.0.2.
    port = prompt.port;
    relays.push(await startRelay("127.0.0.2", port, prompt.port), await startRelay("127.0.0.3", port, late.port));
  });
  afterAll(async () => {
    for (const stop of relays) stop();
    await prompt?.stop();
    await late?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const write = async (server: BindServer, what: "publish" | "withdraw", at = name) => {
    const config = rfc2136Config.parse({
      kind: "rfc2136",
      server: server.host,
      port: server.port,
      key: { name: "pinion", secret: "https://kv.vault.azure.net/secrets/key" },
      delegatedTo: at,
    });
    await rfc2136[what](stepOf(config, { secrets: { "https://kv.vault.azure.net/secrets/key": secret } }), {
      name: at,
      value,
    });
  };
  const shown = async (at = name) =>
    await shownByAll(at, value, { resolvers: ["127.0.0.1:9", prompt.address] }, signal, port);

  test("nobody, the first, then both", async () => {
    const gone = "gone.contoso.net has no address";
    expect(await shown()).toEqual({
      everywhere: false,
      detail: `0 of 2 servers show it; ns1.contoso.com (127.0.0.2:${port}) does not; ns2.contoso.net (127.0.0.3:${port}) does not; ${gone}.`,
    });
    await write(prompt, "publish");
    expect(await shown()).toEqual({
      everywhere: false,
      detail: `1 of 2 servers show it; ns2.contoso.net (127.0.0.3:${port}) does not; ${gone}.`,
    });
    await write(late, "publish");
    expect(await shown()).toEqual({ everywhere: true, detail: `All 2 servers show it; ${gone}.` });
    await write(prompt, "withdraw");
    expect((await shown()).everywhere).toBe(false);
    await write(late, "withdraw");
  });

  test("only the servers of the zone that holds the name are asked", async () => {
    const at = "_acme-challenge.x.sub.contoso.com";
    await write(late, "publish", at);
    expect(await shown(at)).toEqual({ everywhere: true, detail: "The only server shows it." });
  });

  test("a server that is down is told", async () => {
    await write(prompt, "publish");
    await late.stop();
    relays.pop()!();
    const { everywhere, detail } = await shown();
    expect(everywhere).toBe(false);
    expect(detail).toContain(`ns2.contoso.net (127.0.0.3:${port}) does not answer`);
  });
});

test("a resolver that fails is passed over, and none that answers is a fault to try again", async () => {
  const refusing = await startNameServer(() => undefined);
  const silent = await startSilent();
  try {
    const lookup = { resolvers: [`127.0.0.1:${silent.port}`] };
    await expect(shownByAll(name, value, lookup, signal)).rejects.toMatchObject({
      code: "TARGET_UNREACHABLE",
      class: "transient",
    });
    await expect(shownByAll(name, value, { resolvers: [refusing.address] }, signal)).rejects.toMatchObject({
      code: "TARGET_MISCONFIGURED",
    });
  } finally {
    silent.stop();
    await refusing.stop();
  }
});

test("somebody else's packet is no answer: another id, another name, no reply at all", async () => {
  const udp = createSocket("udp4", (query, from) => {
    const { id = 0, questions } = decode(query);
    const answers = [{ type: "TXT" as const, name, data: value }];
    const send = (packet: Packet) => udp.send(encode(packet), from.port, from.address);
    send({ type: "response", id: (id + 1) % 65_536, questions, answers });
    send({ type: "response", id, questions: [{ type: "TXT", name: "www.contoso.com" }], answers });
    send({ type: "query", id, questions, answers });
    udp.send("?", from.port, from.address);
    setTimeout(() => send({ type: "response", id, questions, answers: [] }), 50);
  });
  udp.bind(0, "127.0.0.1");
  await once(udp, "listening");
  try {
    const servers = [`127.0.0.1:${udp.address().port}`];
    expect((await shownByAll(name, value, { servers }, signal)).everywhere).toBe(false);
  } finally {
    udp.close();
  }
});

test("a name server whose own name cannot be looked up holds the others up, but hides nothing", async () => {
  const zone = "contoso.com";
  const names = await startNameServer((asked, type) => {
    if (asked.startsWith("broken")) throw new Error("no answer");
    if (type === "SOA" && asked === zone) return [{ type, name: zone, data: { mname: "ns1", rname: "x" } }];
    if (type === "NS") return ["good", "broken"].map((one) => ({ type, name: zone, data: `${one}.${zone}` }));
    if (type === "A") return [{ type, name: asked, data: "127.0.0.1" }];
    return type === "TXT" ? txt(asked, [value]) : [];
  });
  try {
    const port = Number(names.address.split(":")[1]);
    expect(await shownByAll(name, value, { resolvers: [names.address] }, signal, port)).toEqual({
      everywhere: false,
      detail: `1 of 2 servers show it; broken.${zone} cannot be looked up.`,
    });
  } finally {
    await names.stop();
  }
});

test("the zone of a name is not read off what stands beside a CNAME", () => {
  const soa = { type: "SOA" as const, name: "Contoso.com", data: { mname: "ns1", rname: "x" } };
  const cname = { type: "CNAME" as const, name: "www.sub.contoso.com", data: "elsewhere.contoso.com" };
  const beside = (answers: readonly Answer[]) => ({ rcode: "NOERROR", answers, authorities: [soa] });
  expect(soaOwner("www.sub.contoso.com", beside([]))).toBe("contoso.com");
  expect(soaOwner("www.sub.contoso.com", beside([cname]))).toBeUndefined();
  expect(soaOwner("www.notcontoso.com", beside([]))).toBeUndefined();
});

test("resolvers and servers are addresses, with a port or without", () => {
  const takes = (text: string) => serverAddress.safeParse(text).success;
  for (const good of ["192.0.2.1", "127.0.0.1:5353", "2001:db8::1", "[2001:db8::1]:53", "[::1]"]) {
    expect([good, takes(good)]).toEqual([good, true]);
  }
  for (const bad of ["ns1.contoso.com", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.256", "", "[::1", ":53"]) {
    expect([bad, takes(bad)]).toEqual([bad, false]);
  }
});

test("IPv6 that cannot be reached from here hides nothing while IPv4 shows the value", () => {
  const at = (host: string, told: Told) => ({ server: { host, port: 53 }, told });
  const [four, six] = ["192.0.2.1", "2001:db8::1"];
  const detail = (...told: readonly ReturnType<typeof at>[]) => judge([{ name: "ns1.contoso.com", told }]);
  expect(detail(at(four, "shows"), at(six, "unreachable"))).toEqual({
    everywhere: true,
    detail: "The only server shows it; ns1.contoso.com (2001:db8::1) cannot be reached from here.",
  });
  expect(detail(at(four, "shows"), at(six, "silent")).everywhere).toBe(true);
  expect(detail(at(four, "shows"), at(six, "lacks")).everywhere).toBe(false);
  expect(detail(at(four, "lacks"), at(six, "unreachable")).everywhere).toBe(false);
  expect(detail(at(six, "unreachable")).everywhere).toBe(false);
  expect(detail(at(six, "shows"), at("2001:db8::2", "silent")).everywhere).toBe(false);
  expect(detail(at(four, "shows"), at("192.0.2.2", "silent")).everywhere).toBe(false);
  expect(judge([])).toEqual({ everywhere: false, detail: "There is no server with an address." });
  expect(judge([{ name: "ns1.contoso.com", told: [] }]).everywhere).toBe(false);
  const shows = { name: "ns1.contoso.com", told: [at(four, "shows")] };
  expect(judge([shows, { name: "ns2.contoso.com", told: undefined }])).toEqual({
    everywhere: false,
    detail: "1 of 2 servers show it; ns2.contoso.com cannot be looked up.",
  });
});
