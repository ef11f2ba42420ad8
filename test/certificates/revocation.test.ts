import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { fetchLimited, isPublic } from "../../src/certificates/fetch-limited.ts";
import { ocspRequest, readOcsp } from "../../src/certificates/ocsp.ts";
import { readCertificate } from "../../src/certificates/read.ts";
import { checkRevocation, type RevocationCheck } from "../../src/certificates/revocation.ts";
import { day, keyOf, make, type Made, ocspSigning, type Spec } from "./make.ts";
import { file, noOpenssl, openssl, opensslReason } from "./openssl.ts";

// openssl knows only the machine's clock, so these certificates live by it.
const clock = Date.now();
const living = { from: clock - 30 * day, until: clock + 60 * day };
const root = make({ ...living, subject: "CN=Root", key: keyOf("P-384", 0), ca: true });
const middle = make({ ...living, subject: "CN=Middle", key: keyOf("rsa-2048", 1), by: root, ca: true });
const responder = (more: Partial<Spec> = {}) =>
  make({
    ...living,
    subject: "CN=Responder",
    key: keyOf("P-256", 3),
    by: middle,
    usages: [ocspSigning],
    noCheck: true,
    ...more,
  });
const signal = AbortSignal.timeout(600_000);

type Handler = (request: IncomingMessage, body: Buffer, reply: ServerResponse) => Promise<void> | void;
let handlers: Readonly<Record<string, Handler>> = {};
let asked: string[] = [];
const server = createServer((request, reply) => {
  void (async () => {
    const parts: Buffer[] = [];
    for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
    asked.push(`${request.method} ${request.url}`);
    const handler = handlers[request.url ?? ""];
    if (handler === undefined) reply.writeHead(404).end();
    else await handler(request, Buffer.concat(parts), reply);
  })();
});
let base = "";
beforeAll(async () => {
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  base = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  handlers = {};
  asked = [];
});

const leafOf = (more: Partial<Spec> = {}) =>
  make({ ...living, subject: "CN=www.contoso.com", by: middle, names: ["www.contoso.com"], ...more });
const check = async (leaf: Made, more: Partial<RevocationCheck> = {}) =>
  await checkRevocation({
    leaf: leaf.der,
    chain: [middle.der],
    roots: [root.pem],
    now: clock,
    signal,
    reach: "any",
    ...more,
  });

const utc = (time: number) => `${new Date(time).toISOString().replace(/[-:T]/g, "").slice(2, 14)}Z`;
const index = (leaf: Made, revoked?: string) =>
  `${[revoked === undefined ? "V" : "R", utc(clock + 60 * day), revoked === undefined ? "" : `${utc(clock - day)},${revoked}`, readCertificate(leaf.der).serial.toUpperCase(), "unknown", "/CN=www.contoso.com"].join("\t")}\n`;

/** openssl as the responder, one run for each request. */
function opensslOcsp(entries: string, signer: Made, more: readonly string[] = ["-nmin", "60"]): Handler {
  return async (request, body, reply) => {
    expect(request.headers["content-type"]).toBe("application/ocsp-request");
    const out = file("reply.der");
    const made = await openssl([
      "ocsp",
      "-index",
      file("index.txt", entries || index(leafOf())),
      "-CA",
      file("middle.pem", middle.pem),
      "-rsigner",
      file("signer.pem", signer.pem),
      "-rkey",
      file("signer.key", signer.keyPem),
      "-reqin",
      file("request.der", body),
      "-respout",
      out,
      ...more,
    ]);
    expect(made.out).not.toContain("rror");
    reply.end(readFileSync(out));
  };
}

async function opensslCrl(
  entries: string,
  signer: Made = middle,
  flags: readonly string[] = ["-crlhours", "24"],
  extensions = "",
): Promise<Buffer> {
  const config = file(
    "ca.cnf",
    `[ca]\ndefault_ca=a\n[a]\ndatabase=${file("crl-index.txt", entries || index(leafOf()))}\ndefault_md=sha256\ncrlnumber=${file("crlnumber", "01\n")}\nunique_subject=no\ncrl_extensions=x\n[x]\n${extensions}\n`,
  );
  const pem = file("list.pem");
  const made = await openssl([
    "ca",
    "-gencrl",
    "-config",
    config,
    "-keyfile",
    file("ca.key", signer.keyPem),
    "-cert",
    file("ca.pem", signer.pem),
    "-out",
    pem,
    ...flags,
  ]);
  expect(made).toMatchObject({ ok: true });
  await openssl(["crl", "-in", pem, "-outform", "DER", "-out", file("list.der")]);
  return readFileSync(file("list.der"));
}

describe.skipIf(noOpenssl)(`OCSP, with openssl as the responder${opensslReason}`, () => {
  test.each([
    ["the issuer itself", () => middle],
    ["a responder that the issuer has certified", () => responder()],
    ["one with an RSA key", () => responder({ key: keyOf("rsa-2048", 8) })],
  ])("good, signed by %s", async (_name, signer) => {
    const leaf = leafOf({ ocsp: `${base}/ocsp` });
    handlers = { "/ocsp": opensslOcsp(index(leaf), signer()) };
    expect(await check(leaf)).toEqual([
      { name: "it is not revoked", ok: true, detail: expect.stringMatching(/^good by OCSP of 127\.0\.0\.1/) },
    ]);
    expect(asked).toEqual(["POST /ocsp"]);
  });

  test("a serial number whose first bit is set is found by responder and list", async () => {
    const serial = Buffer.from("00f123456789abcdef", "hex");
    const leaf = leafOf({ ocsp: `${base}/ocsp`, serial });
    handlers = { "/ocsp": opensslOcsp(index(leaf, "superseded"), responder()) };
    expect(await check(leaf)).toMatchObject([{ ok: false }]);
    const listed = leafOf({ crl: `${base}/crl`, serial });
    const list = await opensslCrl(index(listed, "superseded"));
    handlers = { "/crl": (_request, _body, reply) => void reply.end(list) };
    expect(await check(listed)).toMatchObject([{ ok: false }]);
    expect(readCertificate(leaf.der).serial).toBe("f123456789abcdef");
  });

  test("revoked, with its reason", async () => {
    const leaf = leafOf({ ocsp: `${base}/ocsp`, crl: `${base}/crl` });
    handlers = { "/ocsp": opensslOcsp(index(leaf, "keyCompromise"), responder()) };
    expect(await check(leaf)).toEqual([
      { name: "it is not revoked", ok: false, detail: expect.stringMatching(/^revoked since .*\(key compromise\)/) },
    ]);
    expect(asked).toEqual(["POST /ocsp"]);
  });

  test.each<readonly [string, (leaf: Made) => Handler, RegExp]>([
    ["a certificate that it does not know", () => opensslOcsp("", responder()), /does not know the certificate/],
    [
      "a responder without the right to",
      (leaf) => opensslOcsp(index(leaf), responder({ usages: ["1.3.6.1.5.5.7.3.1"] })),
      /no authority has signed/,
    ],
    [
      "a responder of another authority",
      (leaf) =>
        opensslOcsp(index(leaf), responder({ by: { ...middle, key: keyOf("rsa-2048", 77) }, authorityKeyId: "none" })),
      /no authority has signed/,
    ],
    [
      "a responder that has expired",
      (leaf) => opensslOcsp(index(leaf), responder({ until: clock - day })),
      /no authority has signed/,
    ],
    ["another certificate of the authority", (leaf) => opensslOcsp(index(leaf), leafOf()), /no authority has signed/],
    [
      "a weak signature",
      (leaf) => opensslOcsp(index(leaf), middle, ["-nmin", "60", "-rmd", "sha1"]),
      /no authority has signed/,
    ],
    ["no OCSP", () => (_request, _body, reply) => void reply.end("<html>"), /answered with no OCSP/],
    [
      "an error of its own",
      () => (_request, _body, reply) => void reply.end(Buffer.from("30030a0103", "hex")),
      /status tryLater/,
    ],
    ["HTTP 500", () => (_request, _body, reply) => void reply.writeHead(500).end(), /answered 500/],
    [
      "a reply without end",
      () => (_request, _body, reply) => void reply.end(Buffer.alloc(100_000)),
      /more than 65536 bytes/,
    ],
    ["a broken connection", () => (_request, _body, reply) => void reply.destroy(), /cannot be reached/],
  ])("%s cannot tell", async (_name, handler, expected) => {
    const leaf = leafOf({ ocsp: `${base}/ocsp` });
    handlers = { "/ocsp": handler(leaf) };
    await expect(check(leaf)).rejects.toMatchObject({
      code: "REVOCATION_UNKNOWN",
      class: "transient",
      message: expect.stringMatching(expected),
    });
  });

  test("an answer about another certificate, one from another time, and a changed one", async () => {
    const [leaf, other] = [leafOf({ ocsp: `${base}/ocsp` }), leafOf()];
    const [issuer, read] = [readCertificate(middle.der), readCertificate(leaf.der)];
    const handler = opensslOcsp(index(leaf), responder());
    handlers = { "/ocsp": handler };
    const question = { leaf: read, issuer, now: clock };
    const kept = await fetchLimited({
      url: `${base}/ocsp`,
      body: ocspRequest(question),
      contentType: "application/ocsp-request",
      mostBytes: 1e6,
      timeout: 5000,
      signal,
      reach: "any",
    });
    expect(readOcsp(kept, question, "h")).toMatchObject({ revoked: false });
    const say = (more: Partial<typeof question>) => () => readOcsp(kept, { ...question, ...more }, "h");
    expect(say({ leaf: readCertificate(other.der) })).toThrow(/another certificate/);
    expect(say({ now: clock + 3 * 3_600_000 })).toThrow(/too old/);
    expect(say({ now: clock - 3_600_000 })).toThrow(/future/);
    // Each byte counts: good must not become another word by a flipped bit.
    for (let n = 0; n < kept.length; n += 7) {
      const changed = Buffer.from(kept);
      changed[n]! ^= 0x01;
      const said = (() => {
        try {
          return readOcsp(changed, question, "h");
        } catch (error) {
          expect(error).toMatchObject({ code: "REVOCATION_UNKNOWN" });
          return undefined;
        }
      })();
      if (said !== undefined) expect(said).toMatchObject({ revoked: false });
    }
  });

  test("an answer without an end is taken for a day", async () => {
    const leaf = leafOf({ ocsp: `${base}/ocsp` });
    handlers = { "/ocsp": opensslOcsp(index(leaf), responder(), []) };
    expect(await check(leaf)).toMatchObject([{ ok: true }]);
    await expect(check(leaf, { now: clock + 1.1 * day })).rejects.toMatchObject({ code: "REVOCATION_UNKNOWN" });
  });

  test("the list is asked when the responder cannot tell", async () => {
    const leaf = leafOf({ ocsp: `${base}/ocsp`, crl: `${base}/crl` });
    const list = await opensslCrl(index(leaf, "superseded"));
    handlers = {
      "/ocsp": (_request, _body, reply) => void reply.writeHead(503).end(),
      "/crl": (_request, _body, reply) => void reply.end(list),
    };
    expect(await check(leaf)).toMatchObject([
      { ok: false, detail: expect.stringMatching(/\(superseded\), says the list/) },
    ]);
    expect(asked).toEqual(["POST /ocsp", "GET /crl"]);
  });
});

describe.skipIf(noOpenssl)(`a list by openssl ca${opensslReason}`, () => {
  const serve = async (list: Buffer | Promise<Buffer>) => {
    const der = await list;
    handlers = { "/crl": (_request, _body, reply) => void reply.end(der) };
  };

  test("good, and revoked", async () => {
    const leaf = leafOf({ crl: `${base}/crl` });
    await serve(opensslCrl(index(leafOf(), "keyCompromise")));
    expect(await check(leaf)).toMatchObject([{ ok: true, detail: expect.stringMatching(/^not on the list/) }]);
    await serve(opensslCrl(index(leafOf(), "keyCompromise") + index(leaf, "certificateHold")));
    expect(await check(leaf)).toMatchObject([{ ok: false, detail: expect.stringContaining("(on hold)") }]);
  });

  test.each<readonly [string, () => Promise<Buffer> | Buffer, RegExp]>([
    ["of another authority", () => opensslCrl("", root), /another authority/],
    [
      "with another signature",
      () => opensslCrl("", make({ ...middle.spec, key: keyOf("rsa-2048", 9) })),
      /has not signed/,
    ],
    [
      "of changes only",
      () => opensslCrl("", middle, ["-crlhours", "24"], "2.5.29.27=critical,DER:020101"),
      /delta list/,
    ],
    [
      "of authorities only",
      () => opensslCrl("", middle, ["-crlhours", "24"], "issuingDistributionPoint=critical,onlyCA:true"),
      /does not cover/,
    ],
    [
      "of another point",
      () =>
        opensslCrl("", middle, ["-crlhours", "24"], "issuingDistributionPoint=critical,fullname:URI:http://elsewhere/"),
      /does not cover/,
    ],
    [
      "by somebody else",
      () => opensslCrl("", middle, ["-crlhours", "24"], "issuingDistributionPoint=critical,indirectCRL:true"),
      /does not cover/,
    ],
    [
      "with something critical",
      () => opensslCrl("", middle, ["-crlhours", "24"], "1.2.3.4=critical,DER:0500"),
      /critical extension/,
    ],
    ["that is none", () => Buffer.from("-----BEGIN X509 CRL-----"), /gave no list/],
  ])("a list %s cannot tell", async (_name, list, expected) => {
    await serve(list());
    await expect(check(leafOf({ crl: `${base}/crl` }))).rejects.toMatchObject({
      code: "REVOCATION_UNKNOWN",
      message: expect.stringMatching(expected),
    });
  });

  test("a list for users, at its own point, can", async () => {
    await serve(
      opensslCrl(
        "",
        middle,
        ["-crlhours", "24"],
        `issuingDistributionPoint=critical,@p\n[p]\nfullname=URI:${base}/crl\nonlyuser=TRUE`,
      ),
    );
    expect(await check(leafOf({ crl: `${base}/crl` }))).toMatchObject([{ ok: true }]);
  });

  test("a list whose time is over, or has not come, cannot", async () => {
    await serve(opensslCrl("", middle, ["-crlhours", "1"]));
    for (const now of [clock + 2 * 3_600_000, clock - 3_600_000])
      await expect(check(leafOf({ crl: `${base}/crl` }), { now })).rejects.toMatchObject({
        code: "REVOCATION_UNKNOWN",
      });
  });

  test("an authority that may not sign lists has none", async () => {
    const shy = make({
      ...living,
      subject: "CN=Shy",
      key: keyOf("P-256", 40),
      by: root,
      ca: true,
      keyUsage: ["keyCertSign"],
    });
    await serve(opensslCrl("", shy));
    await expect(check(leafOf({ by: shy, crl: `${base}/crl` }), { chain: [shy.der] })).rejects.toThrow(
      /another authority/,
    );
  });

  test("a long list is read in reasonable time", async () => {
    const leaf = leafOf({ crl: `${base}/crl` });
    const many = Array.from(
      { length: 20_000 },
      (_, n) =>
        `R\t${utc(clock + day)}\t${utc(clock - day)},keyCompromise\t${(0x50_0000_0000 + n).toString(16).toUpperCase()}\tunknown\t/CN=x\n`,
    ).join("");
    await serve(opensslCrl(many + index(leaf, "keyCompromise")));
    const from = performance.now();
    expect(await check(leaf)).toMatchObject([{ ok: false }]);
    expect(performance.now() - from).toBeLessThan(10_000);
  });
});

test("without an address to ask there is no proof, and without an issuer no answer", async () => {
  expect(await check(leafOf())).toEqual([]);
  expect(await check(leafOf({ crl: "ldap://directory/CN=Middle" }))).toEqual([]);
  expect(await check(leafOf({ crl: `${base}/crl`, crlOfSomeReasons: true }))).toEqual([]);
  expect(await check(make({ ...living, subject: "CN=self", ocsp: `${base}/ocsp` }))).toEqual([]);
  await expect(check(leafOf({ ocsp: `${base}/ocsp` }), { chain: [], roots: [root.pem] })).rejects.toThrow(
    /its issuer is not in the chain/,
  );
  expect(asked).toEqual([]);
});

describe("addresses that a certificate names", () => {
  const get = async (url: string, more: { reach?: "public" | "any"; timeout?: number } = {}) =>
    (await fetchLimited({ url, mostBytes: 100, timeout: 1000, signal, ...more })).toString();

  test("lead nowhere inside, be it by name, number or redirect", async () => {
    const port = new URL(base).port;
    for (const url of [
      base,
      `http://localhost:${port}/`,
      `http://127.1/`,
      `http://[::1]/`,
      `http://[::ffff:127.0.0.1]/`,
      "http://2130706433/",
      "http://0x7f000001/",
      "http://169.254.169.254/metadata",
      "http://168.63.129.16/",
      "http://10.0.0.1/",
      "http://localhost/",
      "file:///etc/passwd",
      "http://user:word@1.1.1.1/",
      "http://1.1.1.1:8080/",
      "",
      "http://",
    ])
      await expect(get(url)).rejects.toMatchObject({
        code: "REVOCATION_UNKNOWN",
        message: expect.stringMatching(/not on the Internet|unusual port|by HTTP|password|no URL/),
      });
    expect(asked).toEqual([]);
    handlers = {
      "/to": (_request, _body, reply) => void reply.writeHead(302, { location: "file:///etc/passwd" }).end(),
    };
    await expect(get(`${base}/to`, { reach: "any" })).rejects.toThrow(/not to be asked by HTTP/);
  });

  test("are left when they lead on, say too much, or say nothing", async () => {
    const to =
      (location: string): Handler =>
      (_request, _body, reply) =>
        void reply.writeHead(307, { location }).end();
    handlers = {
      "/1": to("/2"),
      "/2": to(`${base}/3`),
      "/3": (_request, _body, reply) => void reply.end("here"),
      "/loop": to("/loop"),
      "/odd": to("http://[/"),
      "/long": (_request, _body, reply) => void reply.end("x".repeat(101)),
      "/silent": () => {},
    };
    expect(await get(`${base}/1`, { reach: "any" })).toBe("here");
    await expect(get(`${base}/loop`, { reach: "any" })).rejects.toThrow(/redirects without end/);
    expect(asked.filter((one) => one === "GET /loop")).toHaveLength(3);
    await expect(get(`${base}/odd`, { reach: "any" })).rejects.toThrow(/no URL/);
    await expect(get(`${base}/long`, { reach: "any" })).rejects.toThrow(/more than 100 bytes/);
    await expect(get(`${base}/silent`, { reach: "any", timeout: 200 })).rejects.toThrow(/in time/);
    await expect(
      fetchLimited({
        url: `${base}/silent`,
        mostBytes: 1,
        timeout: 9000,
        signal: AbortSignal.timeout(100),
        reach: "any",
      }),
    ).rejects.toThrow(/timeout/);
  });

  test.each([
    ["1.1.1.1", true],
    ["2606:4700::1111", true],
    ["100.64.0.1", false],
    ["172.31.255.255", false],
    ["172.32.0.1", true],
    ["198.18.0.1", false],
    ["224.0.0.1", false],
    ["255.255.255.255", false],
    ["0.0.0.0", false],
    ["::", false],
    ["::ffff:10.0.0.1", false],
    ["::ffff:1.1.1.1", false],
    ["64:ff9b::a00:1", false],
    ["fd00::1", false],
    ["fe80::1", false],
    ["2002:a00:1::", false],
    ["2001:db8::1", false],
    ["localhost", false],
  ])("%s is public: %s", (address, expected) => {
    expect(isPublic(address)).toBe(expected);
  });
});
