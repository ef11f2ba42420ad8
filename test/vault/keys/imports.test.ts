import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";
import { ecJwk, encode, rsaJwk } from "./material.ts";
import { badRest, refusing } from "./refusing.ts";

// Imports that are refused: what is no whole private key, or none that a vault keeps.

test("imports", { timeout: 60_000 }, async () => {
  const { ask, refused } = await refusing();
  const [rsa, other, ec, p384] = [rsaJwk(), rsaJwk(), ecJwk(), ecJwk("P-384")];
  const small = generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey.export({ format: "jwk" });
  const without = (jwk: object, name: string) =>
    Object.fromEntries(Object.entries(jwk).filter(([member]) => member !== name));
  const bad: [string, unknown][] = [
    ["nothing", undefined],
    ["no key", {}],
    ["a key in a string", { key: "x" }],
    ["no kty", { key: without(rsa, "kty") }],
    ["an HSM type", { key: { ...rsa, kty: "RSA-HSM" } }],
    ["a symmetric key", { key: { kty: "oct", k: "AAAA" } }],
    ["an HSM", { key: rsa, Hsm: true }],
    ["an HSM in words", { key: rsa, Hsm: "true" }],
    ["1024 bits", { key: small }],
    ["numbers in an array", { key: { ...rsa, n: [1] } }],
    ["no base64url", { key: { ...rsa, n: `${rsa.n}=` } }],
    ["an empty number", { key: { ...rsa, d: "" } }],
    ["another modulus", { key: { ...rsa, n: other.n } }],
    ["another private number", { key: { ...rsa, d: other.d } }],
    ["another factor", { key: { ...rsa, p: other.p } }],
    ["factors the other way round", { key: { ...rsa, p: rsa.q, q: rsa.p } }],
    ["another exponent", { key: { ...rsa, e: "Aw" } }],
    ["another part", { key: { ...rsa, dp: rsa.dq } }],
    ["the other part", { key: { ...rsa, dq: rsa.dp } }],
    ["another inverse", { key: { ...rsa, qi: other.qi } }],
    ["a curve that is none", { key: { ...ec, crv: "P-224" } }],
    ["the name of a curve that others use", { key: { ...ecJwk("P-256K"), crv: "secp256k1" } }],
    ["another curve", { key: { ...ec, crv: "P-256K" } }],
    ["a longer curve", { key: { ...p384, crv: "P-256" } }],
    ["another point", { key: { ...ec, x: ecJwk().x } }],
    ["a point half wrong", { key: { ...ec, y: ecJwk().y } }],
    ["a private number of 0", { key: { ...ec, d: encode(Buffer.alloc(32)) } }],
    ["a private number too large", { key: { ...ec, d: encode(Buffer.alloc(32, 0xff)) } }],
    ["an EC key that encrypts", { key: { ...ec, key_ops: ["encrypt"] } }],
    ...["n", "e", "d", "p", "q", "dp", "dq", "qi"].map((name): [string, unknown] => [
      `RSA without ${name}`,
      { key: without(rsa, name) },
    ]),
    ...["crv", "x", "y", "d"].map((name): [string, unknown] => [`EC without ${name}`, { key: without(ec, name) }]),
    ...badRest.map(([what, body]): [string, unknown] =>
      "key_ops" in body ? [what, { key: { ...ec, ...body } }] : [what, { key: ec, ...body }],
    ),
  ];
  for (const [what, body] of bad) await refused(what, "PUT", "/keys/a", body);
  expect((await ask("GET", "/keys")).json.value).toEqual([]);
  const composite = { kty: "RSA", ...notPrime() };
  const odd = BigInt(`0x${Buffer.from(rsa.q!, "base64url").toString("hex")}`) % 3n;
  const three = { ...rsa, p: "Aw", dp: "AQ", qi: odd === 1n ? "AQ" : "Ag" };
  await refused("a factor that is none", "PUT", "/keys/a", { key: three });
  await refused("a factor that is no prime", "PUT", "/keys/a", { key: composite });
  expect((await ask("PUT", "/keys/a", { body: { key: rsa } })).status).toBe(200);
});

/** Numbers that fit each other as those of a key do, but for the factors, which are odd numbers of 1024 bits. */
function notPrime() {
  const toText = (value: bigint) => {
    const hex = value.toString(16);
    return Buffer.from(hex.padStart(hex.length + (hex.length % 2), "0"), "hex").toString("base64url");
  };
  const inverse = (value: bigint, modulus: bigint) => {
    let [a, b, x, y] = [((value % modulus) + modulus) % modulus, modulus, 1n, 0n];
    while (b) [a, b, x, y] = [b, a % b, y, x - (a / b) * y];
    return a === 1n ? ((x % modulus) + modulus) % modulus : undefined;
  };
  const e = 65_537n;
  const high = 3n << 1022n;
  for (let step = 1n; ; step += 2n) {
    const [p, q] = [high + step, high + (1n << 900n) + step];
    const [qi, d] = [inverse(q, p), inverse(e, (p - 1n) * (q - 1n))];
    if (qi === undefined || d === undefined || p % 3n !== 0n) continue;
    const numbers = { n: p * q, e, d, p, q, dp: d % (p - 1n), dq: d % (q - 1n), qi };
    return Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, toText(value)]));
  }
}
