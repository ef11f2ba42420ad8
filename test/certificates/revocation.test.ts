import { describe, expect, test } from "vitest";
import { fetchLimited } from "../../src/certificates/fetch-limited.ts";
import { ocspRequest, readOcsp } from "../../src/certificates/ocsp.ts";
import { readCertificate } from "../../src/certificates/read.ts";
import {
  authority,
  check,
  clock,
  type Handler,
  index,
  leafOf,
  living,
  middle,
  opensslCrl,
  opensslOcsp,
  responder,
  root,
  signal,
} from "./authority.ts";
import { day, keyOf, make, type Made } from "./make.ts";
import { noOpenssl, opensslReason } from "./openssl.ts";

describe.skipIf(noOpenssl)(`OCSP, with openssl as the responder${opensslReason}`, () => {
  test.each([
    ["the issuer itself", () => middle],
    ["a responder that the issuer has certified", () => responder()],
    ["one with an RSA key", () => responder({ key: keyOf("rsa-2048", 8) })],
  ])("good, signed by %s", async (_name, signer) => {
    const leaf = leafOf({ ocsp: `${authority.base}/ocsp` });
    authority.handlers = { "/ocsp": opensslOcsp(index(leaf), signer()) };
    expect(await check(leaf)).toEqual([
      { name: "it is not revoked", ok: true, detail: expect.stringMatching(/^good by OCSP of 127\.0\.0\.1/) },
    ]);
    expect(authority.asked).toEqual(["POST /ocsp"]);
  });

  test("a serial number whose first bit is set is found by responder and list", async () => {
    const serial = Buffer.from("00f123456789abcdef", "hex");
    const leaf = leafOf({ ocsp: `${authority.base}/ocsp`, serial });
    authority.handlers = { "/ocsp": opensslOcsp(index(leaf, "superseded"), responder()) };
    expect(await check(leaf)).toMatchObject([{ ok: false }]);
    const listed = leafOf({ crl: `${authority.base}/crl`, serial });
    const list = await opensslCrl(index(listed, "superseded"));
    authority.handlers = { "/crl": (_request, _body, reply) => void reply.end(list) };
    expect(await check(listed)).toMatchObject([{ ok: false }]);
    expect(readCertificate(leaf.der).serial).toBe("f123456789abcdef");
  });

  test("revoked, with its reason", async () => {
    const leaf = leafOf({ ocsp: `${authority.base}/ocsp`, crl: `${authority.base}/crl` });
    authority.handlers = { "/ocsp": opensslOcsp(index(leaf, "keyCompromise"), responder()) };
    expect(await check(leaf)).toEqual([
      { name: "it is not revoked", ok: false, detail: expect.stringMatching(/^revoked since .*\(key compromise\)/) },
    ]);
    expect(authority.asked).toEqual(["POST /ocsp"]);
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
    const leaf = leafOf({ ocsp: `${authority.base}/ocsp` });
    authority.handlers = { "/ocsp": handler(leaf) };
    await expect(check(leaf)).rejects.toMatchObject({
      code: "REVOCATION_UNKNOWN",
      class: "transient",
      message: expect.stringMatching(expected),
    });
  });

  test("an answer about another certificate, one from another time, and a changed one", async () => {
    const [leaf, other] = [leafOf({ ocsp: `${authority.base}/ocsp` }), leafOf()];
    const [issuer, read] = [readCertificate(middle.der), readCertificate(leaf.der)];
    const handler = opensslOcsp(index(leaf), responder());
    authority.handlers = { "/ocsp": handler };
    const question = { leaf: read, issuer, now: clock };
    const kept = await fetchLimited({
      url: `${authority.base}/ocsp`,
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
    const leaf = leafOf({ ocsp: `${authority.base}/ocsp` });
    authority.handlers = { "/ocsp": opensslOcsp(index(leaf), responder(), []) };
    expect(await check(leaf)).toMatchObject([{ ok: true }]);
    await expect(check(leaf, { now: clock + 1.1 * day })).rejects.toMatchObject({ code: "REVOCATION_UNKNOWN" });
  });

  test("the list is asked when the responder cannot tell", async () => {
    const leaf = leafOf({ ocsp: `${authority.base}/ocsp`, crl: `${authority.base}/crl` });
    const list = await opensslCrl(index(leaf, "superseded"));
    authority.handlers = {
      "/ocsp": (_request, _body, reply) => void reply.writeHead(503).end(),
      "/crl": (_request, _body, reply) => void reply.end(list),
    };
    expect(await check(leaf)).toMatchObject([
      { ok: false, detail: expect.stringMatching(/\(superseded\), says the list/) },
    ]);
    expect(authority.asked).toEqual(["POST /ocsp", "GET /crl"]);
  });
});

test("without an address to ask there is no proof, and without an issuer no answer", async () => {
  expect(await check(leafOf())).toEqual([]);
  expect(await check(leafOf({ crl: "ldap://directory/CN=Middle" }))).toEqual([]);
  expect(await check(leafOf({ crl: `${authority.base}/crl`, crlOfSomeReasons: true }))).toEqual([]);
  expect(await check(make({ ...living, subject: "CN=self", ocsp: `${authority.base}/ocsp` }))).toEqual([]);
  await expect(check(leafOf({ ocsp: `${authority.base}/ocsp` }), { chain: [], roots: [root.pem] })).rejects.toThrow(
    /its issuer is not in the chain/,
  );
  expect(authority.asked).toEqual([]);
});
