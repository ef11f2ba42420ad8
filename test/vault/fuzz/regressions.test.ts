import { createPrivateKey, generateKeyPairSync, generatePrimeSync } from "node:crypto";
import { expect, test } from "vitest";
import { inverse, toBytes } from "../../../local/vault/keys/numbers.ts";
import { writePem } from "../../../local/vault/certificates/pem.ts";
import { encode } from "../keys/material.ts";
import { bend, pairs } from "./material.ts";
import { openLane } from "./run.ts";
import { writeJson } from "./odd.ts";

// Requests that were answered with a 5xx, killed the process, or kept it busy for good.

/** Sends requests with bodies in turn; every answer is judged as by the fuzz tests. */
async function statuses(...requests: readonly [method: string, path: string, body?: unknown][]) {
  const lane = await openLane();
  const all: number[] = [];
  for (const [method, path, body] of requests) {
    const text = body === undefined ? undefined : Buffer.from(writeJson(body)).toString("latin1");
    const { status } = await lane.send({
      method,
      path,
      query: "api-version=7.5",
      authorization: "Bearer t",
      headers: [],
      body: text,
    });
    all.push(status);
  }
  lane.wire.close();
  return { all, lane };
}

const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" });

test("key operations in lists that are nested deeper than the stack is", async () => {
  const { all } = await statuses(["PUT", "/keys/a", { key: { ...ec, key_ops: ["@json:veryDeepList"] } }]);
  expect(all).toEqual([400]);
});

test("an alternative name that is no Unicode", async () => {
  const policy = { key_props: { kty: "EC" }, x509_props: { subject: "CN=a", sans: { upns: ["\ud800"] } } };
  const { all } = await statuses(["POST", "/certificates/a/create", { policy }]);
  expect(all).toEqual([400]);
});

test("a certificate of an RSA key, merged for an EC key, does not break the connection that it came on", async () => {
  const policy = { key_props: { kty: "EC" }, x509_props: { subject: "CN=a" }, issuer: { name: "Unknown" } };
  const { all } = await statuses(
    ["POST", "/certificates/a/create", { policy }],
    ["POST", "/certificates/a/pending/merge", { x5c: [pairs[1]!.certificate.toString("base64")] }],
    ["GET", "/certificates"],
    ["GET", "/certificates/a/pending"],
  );
  expect(all).toEqual([202, 400, 200, 200]);
});

test("certificates that would end after the year 9999", async () => {
  const policy = (name: string) => ({
    key_props: { kty: "EC" },
    x509_props: { subject: "CN=a", validity_months: 1200 },
    issuer: { name },
  });
  const { all, lane } = await statuses(["PUT", "/secrets/s", { value: "v" }]);
  lane.clock.advance(Date.UTC(9990, 0, 1) - lane.clock.now());
  await lane.mean({ method: "PUT", path: "/certificates/issuers/ca", body: { provider: "Test" } });
  for (const issuer of ["Self", "ca"]) {
    const path = `/certificates/by-${issuer}`;
    const created = await lane.mean({ method: "POST", path: `${path}/create`, body: { policy: policy(issuer) } });
    lane.clock.advance(1000);
    const { status, body } = await lane.mean({ method: "GET", path });
    expect([...all, created.status, status]).toEqual([200, 202, 200]);
    expect(JSON.parse(body)).toMatchObject({ cer: expect.any(String), attributes: { exp: 253_402_300_799 } });
  }
});

const pem = (key: Buffer, certificate: Buffer) => writePem({ key, certificates: [certificate] });
const { key, certificate } = pairs[0]!;
/** Where the private number of the key in PKCS#8 stands. */
const secretAt = key.indexOf(
  Buffer.from(createPrivateKey({ key, format: "der", type: "pkcs8" }).export({ format: "jwk" }).d!, "base64url"),
);

test("an imported key whose private number is 0, which no signature comes of", async () => {
  const zero = Buffer.concat([key.subarray(0, secretAt), Buffer.alloc(32), key.subarray(secretAt + 32)]);
  const { all } = await statuses(
    ["POST", "/certificates/a/import", { value: pem(zero, certificate) }],
    ["POST", "/keys/a/sign", { alg: "ES256", value: encode(Buffer.alloc(32)) }],
  );
  expect(all).toEqual([400, 404]);
});

test("an imported key whose factors are none", async () => {
  const { key, certificate } = pairs[1]!;
  const jwk = createPrivateKey({ key, format: "der", type: "pkcs8" }).export({ format: "jwk" });
  const at = (member: "p" | "d") => key.indexOf(Buffer.from(jwk[member]!, "base64url"));
  const wrong = bend(key, `${at("p") + 127}:0,${at("d") + 200}:0,${at("d") + 255}:0`);
  const { all } = await statuses(
    ["POST", "/certificates/a/import", { value: pem(wrong, certificate) }],
    ["POST", "/keys/a/sign", { alg: "RS256", value: encode(Buffer.alloc(32)) }],
  );
  expect(all).toEqual([400, 404]);
});

test("a password that is to be hashed for hours", async () => {
  const text = createPrivateKey({ key, format: "der", type: "pkcs8" }).export({
    format: "pem",
    type: "pkcs8",
    cipher: "aes-128-cbc",
    passphrase: "p",
  });
  const der = Buffer.from(text.toString().replace(/-----[^-]+-----|\s/g, ""), "base64");
  // 2048 rounds, as an INTEGER of two bytes; with two bytes more, all that stands around it is two longer.
  const rounds = der.indexOf(Buffer.from("02020800", "hex"));
  const longer = Buffer.concat([der.subarray(0, rounds), Buffer.from("02047fffffff", "hex"), der.subarray(rounds + 4)]);
  for (let at = 0; at < rounds; at++) {
    // SEQUENCEs that hold it: the file, the algorithm, PBES2, PBKDF2 and its parameters.
    const length = longer[at + 1]!;
    if (longer[at] !== 0x30) continue;
    if (length === 0x81) longer[at + 2]! += 2;
    else if (at + 2 + length >= rounds) longer[at + 1]! += 2;
  }
  const value = `-----BEGIN ENCRYPTED PRIVATE KEY-----\n${longer.toString("base64")}\n-----END ENCRYPTED PRIVATE KEY-----\n${writePem({ certificates: [certificate] })}`;
  const { all } = await statuses(["POST", "/certificates/a/import", { value, pwd: "p" }]);
  expect(all).toEqual([400]);
});

test("a private exponent of millions of bits", async () => {
  // Factors that are not prime make OpenSSL take the long way, by the exponent itself.
  const prime = (bits: number) => generatePrimeSync(bits, { bigint: true });
  const e = 65_537n;
  let [p, q] = [1n, 1n];
  while ((p * q).toString(2).length !== 2048 || (p - 1n) % e === 0n || (q - 1n) % e === 0n)
    [p, q] = [prime(512) * prime(512), prime(1024)];
  const order = (p - 1n) * (q - 1n);
  const d = inverse(e, order) + (order << 2_000_000n);
  const number = (value: bigint) => encode(toBytes(value, Math.ceil(value.toString(16).length / 2)));
  const jwk = { kty: "RSA", n: p * q, e, d, p, q, dp: d % (p - 1n), dq: d % (q - 1n), qi: inverse(q, p) };
  const key = Object.fromEntries(
    Object.entries(jwk).map(([name, value]) => [name, typeof value === "bigint" ? number(value) : value]),
  );
  const began = performance.now();
  const { all } = await statuses(["PUT", "/keys/a", { key }]);
  expect(all).toEqual([400]);
  expect(performance.now() - began).toBeLessThan(2000);
});

test("certificates that only OpenSSL can read", async () => {
  const dates = certificate.indexOf(Buffer.from("260114", "latin1"));
  const broken = { month: bend(certificate, `${dates + 2}:57`), letters: bend(certificate, `${dates}:120`) };
  for (const [what, bent] of Object.entries(broken)) {
    const { all } = await statuses(
      ["POST", "/certificates/a/import", { value: pem(key, bent) }],
      ["GET", "/certificates"],
    );
    expect([what, ...all]).toEqual([what, 400, 200]);
  }
});
