import { describe, expect, test } from "vitest";
import { authority, check, clock, index, leafOf, living, middle, opensslCrl, root, utc } from "./authority.ts";
import { day, keyOf, make } from "./make.ts";
import { noOpenssl, opensslReason } from "./openssl.ts";

describe.skipIf(noOpenssl)(`a list by openssl ca${opensslReason}`, () => {
  const serve = async (list: Buffer | Promise<Buffer>) => {
    const der = await list;
    authority.handlers = { "/crl": (_request, _body, reply) => void reply.end(der) };
  };

  test("good, and revoked", async () => {
    const leaf = leafOf({ crl: `${authority.base}/crl` });
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
    await expect(check(leafOf({ crl: `${authority.base}/crl` }))).rejects.toMatchObject({
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
        `issuingDistributionPoint=critical,@p\n[p]\nfullname=URI:${authority.base}/crl\nonlyuser=TRUE`,
      ),
    );
    expect(await check(leafOf({ crl: `${authority.base}/crl` }))).toMatchObject([{ ok: true }]);
  });

  test("a list whose time is over, or has not come, cannot", async () => {
    await serve(opensslCrl("", middle, ["-crlhours", "1"]));
    for (const now of [clock + 2 * 3_600_000, clock - 3_600_000])
      await expect(check(leafOf({ crl: `${authority.base}/crl` }), { now })).rejects.toMatchObject({
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
    await expect(check(leafOf({ by: shy, crl: `${authority.base}/crl` }), { chain: [shy.der] })).rejects.toThrow(
      /another authority/,
    );
  });

  test("a long list is read in reasonable time", async () => {
    const leaf = leafOf({ crl: `${authority.base}/crl` });
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
