import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { openAuthority } from "../../rotators/shared/private-ca/authority.ts";
import { lies, touches } from "../../rotators/shared/private-ca/constraints.ts";
import { keyPair } from "./keys.ts";
import { hasOpenssl, makeAuthority, verify } from "./openssl.ts";
import { clientAuth, makeScene, now, p256, p384, rsa2048, serverAuth, wish } from "./scene.ts";

const skipped = !hasOpenssl && process.env["CI"] !== "true";
const notPermitted = { code: "NAME_NOT_PERMITTED", class: "permanent" };
const misconfigured = { code: "TARGET_MISCONFIGURED", class: "permanent" };

describe.skipIf(skipped)(`what a private authority may sign${skipped ? " (skipped: no openssl here)" : ""}`, () => {
  const signed = (scene: ReturnType<typeof makeScene>) =>
    scene.keys.calls.filter((call) => call.startsWith("sign")).length;
  const named = (...names: string[]) => wish({ subject: "O=Contoso", names });

  test("names outside of the policy's constraints are refused before anything is signed", async () => {
    const scene = makeScene({
      target: { nameConstraints: { permitted: ["contoso.com", "fabrikam.net"], excluded: ["secret.contoso.com"] } },
    });
    for (const name of ["contoso.com", "www.contoso.com", "a.b.fabrikam.net", "*.fabrikam.net", "*.x.contoso.com"])
      expect(verify(await scene.sign(named(name)), scene.trust)).toBe("OK");
    const before = signed(scene);
    for (const name of [
      "evil.example",
      "notcontoso.com",
      "contoso.com.evil.example",
      "com",
      "*.com",
      "secret.contoso.com",
      "a.secret.contoso.com",
      "*.secret.contoso.com",
      // It would stand for secret.contoso.com too.
      "*.contoso.com",
    ])
      await expect(scene.sign(named("www.contoso.com", name)), `name ${name}`).rejects.toMatchObject(notPermitted);
    expect(signed(scene)).toBe(before);
  });

  test("those in the authority's certificate, and above it, are respected too", async () => {
    const own = makeScene({
      extensions: ["nameConstraints=critical,permitted;DNS:eu.contoso.com,excluded;DNS:hr.eu.contoso.com"],
    });
    const above = makeScene({ rootExtensions: ["nameConstraints=critical,permitted;DNS:.eu.contoso.com"] });
    for (const scene of [own, above]) {
      expect(verify(await scene.sign(named("www.eu.contoso.com")), scene.trust)).toBe("OK");
      await expect(scene.sign(named("www.contoso.com"))).rejects.toMatchObject(notPermitted);
    }
    await expect(own.sign(named("www.hr.eu.contoso.com"))).rejects.toMatchObject(notPermitted);
    await expect(above.sign(named("eu.contoso.com"))).rejects.toMatchObject(notPermitted);
  });

  test("an authority for mail addresses only constrains no DNS name", async () => {
    const scene = makeScene({ extensions: ["nameConstraints=critical,permitted;email:contoso.com"] });
    expect(verify(await scene.sign(), scene.trust)).toBe("OK");
  });

  test("subjects outside of the authority's directory names are refused", async () => {
    // OpenSSL's configuration has directory names in a section of their own, and writes C as PrintableString.
    const scene = makeScene({ extensions: ["nameConstraints=critical,permitted;dirName:tree\n[tree]\nC=NL"] });
    const refused = ["CN=www.contoso.com, C=DE", "C=NL, CN=www.contoso.com", "CN=www.contoso.com"];
    for (const subject of refused)
      await expect(scene.sign(wish({ subject })), `subject ${subject}`).rejects.toMatchObject(notPermitted);
    for (const subject of ["CN=www.contoso.com, O=Contoso, C=NL", ""])
      expect(verify(await scene.sign(wish({ subject })), scene.trust), `subject ${subject}`).toBe("OK");
  });

  test("a common name that looks like a host must be among the names", async () => {
    const scene = makeScene();
    const odd = wish({ subject: "CN=evil.example", names: ["www.contoso.com"] });
    await expect(scene.sign(odd)).rejects.toMatchObject(misconfigured);
    await expect(scene.sign(wish({ ...odd, subject: "O=a, CN=EVIL.example" }))).rejects.toMatchObject(misconfigured);
    await expect(scene.sign(wish({ ...odd, subject: "CN=a, CN=evil.example" }))).rejects.toMatchObject(misconfigured);
    expect(verify(await scene.sign(wish({ ...odd, subject: "CN=Orders" })), scene.trust)).toBe("OK");
  });

  test("wishes that no certificate can fulfil are refused", async () => {
    const scene = makeScene();
    const wishes = [
      { names: ["WWW.contoso.com"] },
      { names: ["www.contoso.com."] },
      { names: ["a..contoso.com"] },
      { names: ["w*.contoso.com"] },
      { names: ["*.*.contoso.com"] },
      { names: ["a\0.contoso.com"] },
      { names: [] },
      { names: [], subject: "", usages: [clientAuth] },
      { usages: [] },
      { usages: [serverAuth, "1.3.6.1.5.5.7.3.3"] },
      { usages: ["2.5.29.37.0"] },
      { subject: "CN" },
      { subject: "CN=" },
      { subject: "XX=a" },
      { subject: "CN=a,b" },
      { validity: 0 },
    ];
    for (const each of wishes)
      await expect(scene.sign(wish(each)), `wish ${JSON.stringify(each)}`).rejects.toMatchObject(misconfigured);
    expect(signed(scene)).toBe(0);
  });

  test("an authority for clients signs no server's certificate", async () => {
    const scene = makeScene({ extensions: ["extendedKeyUsage=clientAuth"] });
    await expect(scene.sign()).rejects.toMatchObject(misconfigured);
    const leaf = await scene.sign(wish({ usages: [clientAuth] }));
    expect(verify(leaf, { ...scene.trust, options: ["-purpose", "sslclient"] })).toBe("OK");
  });

  test("an authority that is none, or whose key is another, is refused", async () => {
    const broken = [
      makeScene({ extensions: ["basicConstraints=critical,CA:FALSE", "keyUsage=digitalSignature"] }),
      makeScene({ extensions: ["keyUsage=critical,cRLSign"] }),
      makeScene({ extensions: ["keyUsage="] }),
      makeScene({ rootExtensions: ["basicConstraints=critical,CA:TRUE,pathlen:0"] }),
    ];
    const good = makeScene();
    // Without the identifier of the key above it, only the signature tells which one that is.
    const bare = makeScene({ extensions: ["authorityKeyIdentifier=none"] });
    const namesake = makeAuthority(keyPair(p384, 9).privateKey, "/O=Contoso/CN=Root");
    const stranger = makeAuthority(keyPair(p256, 9).privateKey, "/O=Contoso/CN=Root");
    const rsaStranger = makeAuthority(keyPair(rsa2048, 9).privateKey, "/O=Contoso/CN=Root");
    for (const scene of broken) await expect(scene.open()).rejects.toMatchObject(misconfigured);
    const sister = makeAuthority(keyPair(p256, 9).privateKey, "/O=Contoso/CN=Issuing", { by: good.root });
    for (const { pem } of [namesake, rsaStranger]) {
      const target = { ...bare.target, ca: { ...bare.target.ca, chain: [pem] } };
      await expect(openAuthority(target, bare.keys.port, now)).rejects.toMatchObject(misconfigured);
    }
    for (const ca of [
      { certificate: sister.pem },
      { certificate: stranger.pem },
      { certificate: rsaStranger.pem },
      { chain: [stranger.pem] },
      { chain: [rsaStranger.pem] },
      { chain: [good.ca.pem] },
    ]) {
      const target = { ...good.target, ca: { ...good.target.ca, ...ca } };
      await expect(openAuthority(target, good.keys.port, now)).rejects.toMatchObject(misconfigured);
      // The check leaves no error behind in OpenSSL's queue, where the next key would find it.
      expect(keyPair(p384).privateKey.export({ format: "pem", type: "pkcs8" })).toContain("PRIVATE KEY");
      expect(verify(await good.sign(), good.trust)).toBe("OK");
    }
  });

  test("a key that is disabled, or may not sign, signs nothing", async () => {
    const scene = makeScene();
    for (const more of [{ enabled: false }, { operations: ["verify"] }]) {
      const get = async (url: string) => ({ ...(await scene.keys.port.get(url)), ...more });
      await expect(openAuthority(scene.target, { ...scene.keys.port, get }, now)).rejects.toMatchObject(misconfigured);
    }
  });

  test(
    "whatever it signs, openssl verifies; whatever openssl would refuse, it does not sign",
    { timeout: 300_000 },
    async () => {
      const part = fc.constantFrom("a", "b", "hr", "eu", "www", "x-1", "_srv");
      const suffix = fc.constantFrom("contoso.com", "eu.contoso.com", "hr.eu.contoso.com", "fabrikam.net");
      const name = fc
        .tuple(fc.boolean(), fc.array(part, { maxLength: 2 }), fc.constantFrom("contoso.com", "eu.contoso.com"))
        .map(([wild, parts, base]) => [...(wild ? ["*"] : []), ...parts, base].join("."));
      const setting = fc.record({
        names: fc.uniqueArray(name, { minLength: 1, maxLength: 3 }),
        permitted: fc.uniqueArray(suffix, { minLength: 1, maxLength: 3 }),
        excluded: fc.uniqueArray(fc.constantFrom("hr.eu.contoso.com", "a.contoso.com", "b.eu.contoso.com"), {
          maxLength: 1,
        }),
        own: fc.uniqueArray(suffix, { maxLength: 2 }),
        key: fc.constantFrom(p256, p384, rsa2048),
        leafKey: fc.constantFrom(p256, rsa2048),
      });
      let [good, bad] = [0, 0];
      await fc.assert(
        fc.asyncProperty(setting, async ({ names, permitted, excluded, own, key, leafKey }) => {
          const list = own.map((one) => `permitted;DNS:${one}`).join(",");
          const scene = makeScene({
            key,
            extensions: own.length === 0 ? [] : [`nameConstraints=critical,${list}`],
            target: { nameConstraints: { permitted, excluded } },
          });
          const allowed = names.every(
            (one) =>
              permitted.some((base) => lies(one, base)) &&
              (own.length === 0 || own.some((base) => lies(one, base))) &&
              !excluded.some((base) => touches(one, base)),
          );
          const leaf = await scene.sign(wish({ subject: "", names, key: leafKey })).catch((error: unknown) => error);
          if (allowed) {
            good += 1;
            expect(verify(leaf as Uint8Array, { ...scene.trust, options: ["-purpose", "sslserver"] })).toBe("OK");
          } else {
            bad += 1;
            expect(leaf).toMatchObject(notPermitted);
          }
        }),
        { numRuns: 60, seed: 20_261_126 },
      );
      expect(good).toBeGreaterThan(5);
      expect(bad).toBeGreaterThan(5);
    },
  );
});

describe("a DNS name and a subtree", () => {
  const cases: [string, string, boolean, boolean][] = [
    ["contoso.com", "contoso.com", true, true],
    ["a.contoso.com", "contoso.com", true, true],
    ["acontoso.com", "contoso.com", false, false],
    ["contoso.com", ".contoso.com", false, false],
    ["a.contoso.com", ".contoso.com", true, true],
    ["anything.example", "", true, true],
    ["*.contoso.com", "contoso.com", true, true],
    ["*.contoso.com", ".contoso.com", true, true],
    ["*.contoso.com", "vpn.contoso.com", false, true],
    ["*.contoso.com", "a.vpn.contoso.com", false, false],
    ["*.contoso.com", ".vpn.contoso.com", false, false],
    ["*.contoso.com", "xcontoso.com", false, false],
    ["*.com", "contoso.com", false, true],
  ];
  test.each(cases)("%s within %j: %s; touches it: %s", (name, suffix, within, touching) => {
    expect([lies(name, suffix), touches(name, suffix)]).toEqual([within, touching]);
  });

  test("a wildcard touches exactly where one of its names lies", () => {
    const label = fc.constantFrom("a", "b", "vpn", "contoso");
    const dns = fc.array(label, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("."));
    const holds = (parent: string, suffix: string, first: string) =>
      touches(`*.${parent}`, suffix) || !lies(`${first}.${parent}`, suffix);
    expect(fc.check(fc.property(dns, dns, label, holds), { numRuns: 2000, seed: 5280 })).toMatchObject({
      failed: false,
    });
  });
});
