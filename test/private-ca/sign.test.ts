import { X509Certificate } from "node:crypto";
import { CertificationRequest } from "@peculiar/asn1-csr";
import { AsnConvert } from "@peculiar/asn1-schema";
import { SubjectPublicKeyInfo } from "@peculiar/asn1-x509";
import { describe, expect, test } from "vitest";
import type { CertificateWish } from "../../src/rotator.ts";
import { keyPair } from "./keys.ts";
import { hasOpenssl, makeRequest, text, verify } from "./openssl.ts";
import {
  clientAuth,
  day,
  makeScene,
  now,
  p256,
  p384,
  p521,
  rsa2048,
  rsa3072,
  rsa4096,
  serverAuth,
  wish,
} from "./scene.ts";

const skipped = !hasOpenssl && process.env["CI"] !== "true";

describe.skipIf(skipped)(`certificates of a private authority${skipped ? " (skipped: no openssl here)" : ""}`, () => {
  const authorities = [
    [p256, "ecdsa-with-SHA256"],
    [p384, "ecdsa-with-SHA384"],
    [p521, "ecdsa-with-SHA512"],
    [rsa2048, "sha256WithRSAEncryption"],
    [rsa3072, "sha384WithRSAEncryption"],
    [rsa4096, "sha512WithRSAEncryption"],
  ] as const;

  for (const [key, signature] of authorities) {
    for (const leafKey of [p256, p521, rsa2048]) {
      const names = [key, leafKey].map((one) => ("size" in one ? `RSA ${one.size}` : one.curve));
      test(`openssl accepts what ${names[0]} signs for ${names[1]}`, async () => {
        const scene = makeScene({ key });
        const leaf = await scene.sign(wish({ key: leafKey }));
        const options = (name: string) => ["-purpose", "sslserver", "-verify_hostname", name];
        for (const name of ["www.contoso.com", "v1.api.contoso.com"])
          expect(verify(leaf, { ...scene.trust, options: options(name) })).toBe("OK");
        expect(verify(leaf, { ...scene.trust, options: options("mail.contoso.com") })).toContain("hostname mismatch");
        expect(verify(leaf, { ...scene.trust, options: ["-purpose", "sslclient"] })).toMatch(/purpose/);
        const words = text(leaf);
        expect(words).toContain(`Signature Algorithm: ${signature}`);
        expect(words).toMatch(/Basic Constraints: critical\s+CA:FALSE/);
        const usage = leafKey.type === "RSA" ? "Digital Signature, Key Encipherment" : "Digital Signature";
        expect(words).toMatch(new RegExp(`Key Usage: critical\\s+${usage}\\n`));
        expect(words).toMatch(/Extended Key Usage: \n\s+TLS Web Server Authentication\n/);
        expect(words).toMatch(/Subject: O ?= ?Contoso, CN ?= ?www\.contoso\.com/);
      });
    }
  }

  test("an authority that is the root itself", async () => {
    const scene = makeScene({ flat: true });
    expect(verify(await scene.sign(), { ...scene.trust, options: ["-purpose", "sslserver"] })).toBe("OK");
    expect((await scene.open()).chain).toEqual([]);
    expect((await makeScene().open()).chain).toHaveLength(1);
  });

  test("a client's certificate without a DNS name", async () => {
    const scene = makeScene();
    const leaf = await scene.sign(
      wish({ subject: 'CN=Orders, OU="Sales, EU", C=NL', names: [], usages: [clientAuth] }),
    );
    expect(verify(leaf, { ...scene.trust, options: ["-purpose", "sslclient"] })).toBe("OK");
    expect(text(leaf)).toMatch(/Subject: C ?= ?NL, OU ?= ?"Sales, EU", CN ?= ?Orders/);
  });

  test("a server's certificate without a subject has critical names", async () => {
    const scene = makeScene();
    const leaf = await scene.sign(wish({ subject: "", usages: [serverAuth, clientAuth] }));
    expect(verify(leaf, { ...scene.trust, options: ["-purpose", "sslclient"] })).toBe("OK");
    expect(text(leaf)).toMatch(/Subject Alternative Name: critical/);
  });

  test("says where revocations and the authority are published", async () => {
    const links = {
      crl: "http://ca.contoso.com/ca.crl",
      ocsp: "http://ocsp.contoso.com",
      aia: "http://ca.contoso.com/ca.cer",
    };
    const words = text(await makeScene({ target: links }).sign());
    expect(words).toMatch(/CRL Distribution Points: \n\s+Full Name:\n\s+URI:http:\/\/ca\.contoso\.com\/ca\.crl/);
    expect(words).toContain("OCSP - URI:http://ocsp.contoso.com");
    expect(words).toContain("CA Issuers - URI:http://ca.contoso.com/ca.cer");
    expect(text(await makeScene().sign())).not.toMatch(/CRL Distribution|Authority Information/);
  });

  describe("the request", () => {
    test("gives its key and nothing else", async () => {
      const { privateKey, publicKey } = keyPair(p256);
      const csr = makeRequest(privateKey, "/CN=evil.example", [
        "subjectAltName=DNS:evil.example,DNS:www.contoso.com,IP:10.0.0.1",
        "basicConstraints=critical,CA:TRUE",
        "keyUsage=keyCertSign",
        "extendedKeyUsage=codeSigning",
      ]);
      const leaf = new X509Certificate(await makeScene().sign(wish(), { csr }));
      expect(leaf.subjectAltName).toBe("DNS:www.contoso.com, DNS:*.api.contoso.com");
      expect(leaf.subject).toBe("O=Contoso\nCN=www.contoso.com");
      expect(leaf.ca).toBe(false);
      expect(leaf.keyUsage).toEqual([serverAuth]);
      expect(leaf.publicKey.export({ format: "jwk" })).toEqual(publicKey.export({ format: "jwk" }));
      expect(text(leaf.raw)).not.toMatch(/evil|Certificate Sign|10\.0\.0\.1/);
    });

    const refusal = async (csr: Uint8Array, key: CertificateWish["key"] = p256) =>
      await makeScene()
        .sign(wish({ key }), { csr })
        .then(
          () => "signed",
          (error: unknown) => error,
        );
    const refused = { code: "CSR_INVALID", class: "permanent" };

    test("with a forged signature is refused", async () => {
      const scene = makeScene();
      for (const key of [p256, rsa2048]) {
        const csr = makeRequest(keyPair(key).privateKey);
        expect(await scene.sign(wish({ key }), { csr })).toBeInstanceOf(Uint8Array);
        const bent = csr.map((byte, index) => (index === csr.length - 1 ? byte ^ 1 : byte));
        expect(await refusal(bent, key)).toMatchObject(refused);
        expect(
          await refusal(Buffer.from(Buffer.from(csr).toString("latin1").replace("asked", "other"), "latin1"), key),
        ).toMatchObject(refused);
      }
    });

    test("with somebody else's key in it is refused", async () => {
      for (const other of [keyPair(p256, 5), keyPair(rsa2048)]) {
        const request = AsnConvert.parse(makeRequest(keyPair(p256).privateKey), CertificationRequest);
        const spki = other.publicKey.export({ format: "der", type: "spki" });
        request.certificationRequestInfo.subjectPKInfo = AsnConvert.parse(spki, SubjectPublicKeyInfo);
        delete request.certificationRequestInfoRaw;
        expect(
          await refusal(new Uint8Array(AsnConvert.serialize(request)), other === keyPair(rsa2048) ? rsa2048 : p256),
        ).toMatchObject(refused);
      }
    });

    test("with another key than the policy's, or none, is refused", async () => {
      expect(await refusal(makeRequest(keyPair(p256).privateKey), p384)).toMatchObject(refused);
      expect(await refusal(makeRequest(keyPair(p256).privateKey), rsa2048)).toMatchObject(refused);
      expect(await refusal(makeRequest(keyPair(rsa2048).privateKey), rsa3072)).toMatchObject(refused);
      expect(await refusal(makeRequest(keyPair(rsa2048).privateKey), p256)).toMatchObject(refused);
      expect(await refusal(Buffer.from("not a request"))).toMatchObject(refused);
      expect(await refusal(new Uint8Array())).toMatchObject(refused);
    });
  });

  describe("validity", () => {
    const period = async (scene: ReturnType<typeof makeScene>, validity: number) => {
      const leaf = new X509Certificate(await scene.sign(wish({ validity })));
      return [leaf.validFromDate.getTime() - now, leaf.validToDate.getTime() - now];
    };
    // The authorities begin when they are made, and no leaf begins before them.
    const begins = (from: number) => from >= -600_000 && from <= 0;

    test("is the policy's", async () => {
      const [from, until] = await period(makeScene(), 90 * day);
      expect(begins(from!)).toBe(true);
      expect(until).toBe(90 * day);
    });

    test("is never longer than the cap", async () => {
      const [from, until] = await period(makeScene({ target: { maxValidity: "P10D" } }), 90 * day);
      expect(until! - from! + 1000).toBe(10 * day);
    });

    test("ends with the authority, and with the one above it", async () => {
      for (const days of [20, 50]) {
        const scene = makeScene({ days });
        const [, until] = await period(scene, 90 * day);
        expect(until! + now).toBe(new X509Certificate(scene.ca.pem).validToDate.getTime());
      }
    });

    test("begins ten minutes ago", async () => {
      const leaf = new X509Certificate(await makeScene().sign(wish(), { at: now + day }));
      expect(leaf.validFromDate.getTime()).toBe(now + day - 600_000);
    });

    test("an authority out of its time signs nothing", async () => {
      const scene = makeScene({ days: 20 });
      for (const at of [now - day, now + 21 * day])
        await expect(scene.sign(wish(), { at })).rejects.toMatchObject({ code: "TARGET_MISCONFIGURED" });
      expect(scene.keys.calls.filter((call) => call.startsWith("sign"))).toEqual([]);
    });
  });

  test("the public key of a leaf is found by its subject key identifier, the authority's by the other", async () => {
    const scene = makeScene();
    const words = text(await scene.sign());
    const identifier = (title: string, from: string) => new RegExp(`${title}: \\n\\s+([0-9A-F:]+)`).exec(from)?.[1];
    expect(identifier("Authority Key Identifier", words)).toBe(
      identifier("Subject Key Identifier", text(new X509Certificate(scene.ca.pem).raw)),
    );
    expect(identifier("Subject Key Identifier", words)).toMatch(/^([0-9A-F]{2}:){19}[0-9A-F]{2}$/);
  });
});
