import { generateKeyPairSync } from "node:crypto";
import { statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { testVault, vaultName } from "../support.ts";
import { digestOf, ecJwk, encode, rsaJwk } from "./material.ts";

// What is refused about keys, and in which words; nothing that is refused leaves a trace.

const none = "0".repeat(32);
const hint =
  " was not found in this key vault. If you recently deleted this key you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182";
const sixteen = Object.fromEntries(Array.from({ length: 16 }, (_, index) => [`t${index}`, ""]));

/** Bodies that are wrong for every operation that takes attributes and tags. */
const badRest: [string, object][] = [
  ["16 tags", { tags: sixteen }],
  ["a tag that is a number", { tags: { a: 1 } }],
  ["a long tag", { tags: { a: "x".repeat(257) } }],
  ["attributes in a string", { attributes: "enabled" }],
  ["enabled in words", { attributes: { enabled: "true" } }],
  ["half a second", { attributes: { exp: 1.5 } }],
  ["a date in words", { attributes: { nbf: "2026-01-01" } }],
  ["an exportable key", { attributes: { exportable: true } }],
  ["exportable in words", { attributes: { exportable: "no" } }],
  ["a release policy", { release_policy: { data: "" } }],
  ["a release policy in words", { release_policy: "none" }],
  ["key_ops in a string", { key_ops: "sign" }],
  ["an unknown operation", { key_ops: ["signify"] }],
  ["an operation in other letters", { key_ops: ["Sign"] }],
  ["an operation that is a number", { key_ops: [1] }],
  ["an operation for keys in an HSM", { key_ops: ["export"] }],
];

async function refusing() {
  const vault = await testVault();
  const size = () => statSync(join(vault.stateDir, `${vaultName}.journal`)).size;
  const refused = async (what: string, method: string, path: string, body: unknown) => {
    const before = size();
    const answer = await vault.ask(method, path, { body });
    expect([what, answer.status, answer.json?.error?.code, size() - before]).toEqual([what, 400, "BadParameter", 0]);
    return answer.json.error;
  };
  return { ...vault, refused };
}

test("creations", async () => {
  const { ask, refused } = await refusing();
  const bad: [string, unknown][] = [
    ["nothing", undefined],
    ["no JSON", "{"],
    ["an array", []],
    ["no kty", {}],
    ["a null kty", { kty: null }],
    ["a kty that is a number", { kty: 1 }],
    ["an unknown kty", { kty: "DSA" }],
    ["kty in small letters", { kty: "rsa" }],
    ["an HSM type", { kty: "RSA-HSM" }],
    ["another HSM type", { kty: "EC-HSM" }],
    ["symmetric", { kty: "oct" }],
    ["symmetric in an HSM", { kty: "oct-HSM" }],
    ["1024 bits", { kty: "RSA", key_size: 1024 }],
    ["2049 bits", { kty: "RSA", key_size: 2049 }],
    ["a size in a string", { kty: "RSA", key_size: "2048" }],
    ["a size with a fraction", { kty: "RSA", key_size: 2048.5 }],
    ["an even exponent", { kty: "RSA", public_exponent: 4 }],
    ["an exponent of 1", { kty: "RSA", public_exponent: 1 }],
    ["a huge exponent", { kty: "RSA", public_exponent: 2 ** 31 }],
    ["an unknown curve", { kty: "EC", crv: "P-224" }],
    ["a curve that is a number", { kty: "EC", crv: 256 }],
    ["a curve in other letters", { kty: "EC", crv: "p-256" }],
    ["a size that no curve has", { kty: "EC", key_size: 2048 }],
    ["a size that the curve has not", { kty: "EC", crv: "P-256", key_size: 384 }],
    ["an EC key that encrypts", { kty: "EC", key_ops: ["encrypt"] }],
    ...badRest.map(([what, body]): [string, unknown] => [what, { kty: "EC", ...body }]),
  ];
  for (const [what, body] of bad) await refused(what, "POST", "/keys/a/create", body);
  for (const name of ["a_b", "a.b", "%C3%A9", "x".repeat(128)]) {
    const error = await refused(name, "POST", `/keys/${name}/create`, { kty: "EC" });
    expect(error.message).toBe(`The request URI contains an invalid name: ${decodeURIComponent(name)}`);
  }
  expect((await ask("GET", "/keys")).json.value).toEqual([]);
  const fifteen = Object.fromEntries(Object.entries(sixteen).slice(1));
  const good = { kty: "EC", tags: { ...fifteen, t15: "x".repeat(256) }, key_ops: [], attributes: null, key_size: null };
  expect((await ask("POST", "/keys/a/create", { body: good })).json.key.key_ops).toEqual([]);
});

test("the words for types, sizes, operations and keys", async () => {
  const { refused } = await refusing();
  expect(await refused("oct", "POST", "/keys/a/create", { kty: "oct" })).toStrictEqual({
    code: "BadParameter",
    message: "Invalid kty value: oct",
    innererror: { code: "KeyTypeNotSupported" },
  });
  expect((await refused("1024", "POST", "/keys/a/create", { kty: "RSA", key_size: 1024 })).message).toBe(
    "Unsupported key size (1024). Supported sizes are [2048, 3072, 4096].",
  );
  const wraps = { kty: "EC", key_ops: ["sign", "wrapKey", "unwrapKey"] };
  expect((await refused("wraps", "POST", "/keys/a/create", wraps)).message).toBe(
    'Unsupported key operation(s): "wrapKey", "unwrapKey". Supported values are "sign", "verify".',
  );
  const { d: _, ...half } = rsaJwk();
  expect((await refused("no private part", "PUT", "/keys/a", { key: half })).message).toBe(
    'The property "key" must be a valid JsonWebKey object.',
  );
  expect((await refused("two keys", "PUT", "/keys/a", { key: { ...rsaJwk(), ...half } })).message).toBe(
    "RSA key is not valid - cannot instantiate crypto service",
  );
});

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

test("updates", async () => {
  const { ask, refused } = await refusing();
  const { json } = await ask("POST", "/keys/a/create", { body: { kty: "EC" } });
  for (const [what, body] of [["no JSON", "{"], ["an array", []], ...badRest] as const) {
    await refused(what, "PATCH", "/keys/a", body);
  }
  await refused("an EC key that encrypts", "PATCH", "/keys/a", { key_ops: ["encrypt"] });
  expect((await ask("GET", "/keys/a")).json).toStrictEqual(json);
  expect((await ask("PATCH", "/keys/a", { body: {} })).status).toBe(200);
});

test("cryptography", async () => {
  const { ask, refused } = await refusing();
  await ask("PUT", "/keys/rsa", { body: { key: rsaJwk() } });
  const { json } = await ask("POST", "/keys/ec/create", { body: { kty: "EC", crv: "P-384" } });
  const kid: string = json.key.kid;
  const digest = encode(digestOf("sha256", "text"));
  const missing = (name: string) => `Property '${name}' is required.\r\n`;
  const notEncoded = (name: string) => `Content of '${name}' is not base64url.\r\nProperty '${name}' is required.\r\n`;
  const sign = { alg: "RS256", value: digest };
  const verify = { alg: "RS256", digest, value: digest };
  const encrypt = { alg: "RSA-OAEP", value: digest };
  const bad: [string, unknown, string][] = [
    ["rsa/sign", {}, missing("alg")],
    ["rsa/sign", { alg: "RS256" }, missing("value")],
    ["rsa/sign", { ...sign, alg: null }, missing("alg")],
    ["rsa/sign", { ...sign, alg: 256 }, "Property 'alg' is not a string.\r\n"],
    ["rsa/sign", { ...sign, alg: "RS1" }, "Invalid alg value: RS1"],
    ["rsa/sign", { ...sign, alg: "HS256" }, "Invalid alg value: HS256"],
    ["rsa/sign", { ...sign, alg: "RSA-OAEP" }, "Invalid alg value: RSA-OAEP"],
    ["rsa/sign", { ...sign, value: "a+b=" }, notEncoded("value")],
    ["rsa/sign", { ...sign, value: `${digest}=` }, notEncoded("value")],
    ["rsa/sign", { ...sign, value: "A" }, notEncoded("value")],
    ["rsa/sign", { ...sign, value: 1 }, "Property 'value' is not a string.\r\n"],
    ...[
      ["RS256", 32],
      ["RS384", 48],
      ["RS512", 64],
      ["PS256", 32],
      ["PS384", 48],
      ["PS512", 64],
    ].map(([alg, bytes]): [string, unknown, string] => [
      "rsa/sign",
      { alg, value: encode(Buffer.alloc(20)) },
      `Invalid length of 'value': 20 bytes. ${alg} requires ${bytes} bytes, encoded with base64url.`,
    ]),
    ["rsa/verify", { alg: "RS256", value: digest }, missing("digest")],
    ["rsa/verify", { alg: "RS256", digest }, missing("value")],
    ["rsa/verify", { ...verify, digest: "?" }, notEncoded("digest")],
    [
      "rsa/verify",
      { ...verify, digest: encode(Buffer.alloc(33)) },
      "Invalid length of 'digest': 33 bytes. RS256 requires 32 bytes, encoded with base64url.",
    ],
    [
      "ec/sign",
      sign,
      `Key and signing algorithm are incompatible. Key ${kid} is of type 'EC', and algorithm 'RS256' can only be used with a key of type 'RSA' or 'RSA-HSM'.`,
    ],
    [
      "ec/verify",
      { ...verify, alg: "ES256K" },
      `Key and signing algorithm are incompatible. Key ${kid} uses curve 'P-384', and algorithm 'ES256K' can only be used with curve 'P-256K'.`,
    ],
    ["rsa/encrypt", { ...encrypt, alg: "A128GCM" }, "Invalid alg value: A128GCM"],
    ["rsa/encrypt", { ...encrypt, alg: "RS256" }, "Invalid alg value: RS256"],
    ["rsa/decrypt", { ...encrypt, value: "AA" }, "Error occurred while decoding OAEP padding."],
    ["rsa/wrapkey", { alg: "RSA-OAEP" }, missing("value")],
    ["rsa/unwrapkey", { value: digest }, missing("alg")],
  ];
  for (const [path, body, message] of bad) {
    expect(await refused(path, "POST", `/keys/${path}`, body)).toStrictEqual({ code: "BadParameter", message });
  }
  for (const operation of ["sign", "verify", "encrypt", "decrypt", "wrapkey", "unwrapkey"]) {
    await refused(operation, "POST", `/keys/rsa/${operation}`, undefined);
    await refused(operation, "POST", `/keys/rsa/${operation}`, "[]");
    const absent = await ask("POST", `/keys/none/${operation}`, { body: { ...verify, alg: "RSA-OAEP" } });
    expect([operation, absent.status]).toEqual([operation, /sign|verify/.test(operation) ? 400 : 404]);
    await refused(operation, "POST", `/keys/rsa/xyz/${operation}`, encrypt);
  }
  for (const count of [undefined, null, 0, 129, 1.5, "8", {}]) await refused("rng", "POST", "/rng", { count });
});

test("error bodies word by word", async () => {
  const { ask } = await testVault();
  await ask("POST", "/keys/a/create", { body: { kty: "EC", attributes: { enabled: false } } });
  const notFound = (id: string) => ({ code: "KeyNotFound", message: `A key with (name/id) ${id}${hint}` });
  const disabled = {
    code: "Forbidden",
    message: "Operation get is not allowed on a disabled key.",
    innererror: { code: "KeyDisabled" },
  };
  const sign = { alg: "ES256", value: encode(digestOf("sha256", "text")) };
  const expected: [string, string, unknown, number, unknown][] = [
    ["GET", "/keys/none", undefined, 404, notFound("none")],
    ["GET", `/keys/a/${none}`, undefined, 404, notFound(`a/${none}`)],
    ["POST", `/keys/a/${none}/sign`, sign, 404, notFound(`a/${none}`)],
    ["GET", "/keys/none/rotationpolicy", undefined, 404, notFound("none")],
    ["GET", "/deletedkeys/a", undefined, 404, { code: "KeyNotFound", message: "Deleted Key not found: a" }],
    ["GET", "/keys/a", undefined, 403, disabled],
    ["POST", "/keys/a/sign", sign, 403, { ...disabled, message: "Operation sign is not allowed on a disabled key." }],
    [
      "POST",
      "/keys/restore",
      { value: "AAAA" },
      400,
      { code: "Malformed backup blob", message: "The backup blob is malformed." },
    ],
  ];
  for (const [method, path, body, status, error] of expected) {
    const answer = await ask(method, path, { body });
    expect([path, answer.status, answer.json]).toStrictEqual([path, status, { error }]);
  }
  await ask("DELETE", "/keys/a");
  expect((await ask("GET", "/deletedkeys/a")).json.error.innererror.code).toBe("KeyDisabled");
  for (const [method, path, body] of [
    ["POST", "/keys/A/create", { kty: "EC" }],
    ["PUT", "/keys/a", { key: ecJwk() }],
  ] as const) {
    const { status, json } = await ask(method, path, { body });
    expect([status, json]).toStrictEqual([
      409,
      {
        error: {
          code: "Conflict",
          message:
            "Key a is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the key can only be recovered or purged.",
          innererror: { code: "ObjectIsDeletedButRecoverable" },
        },
      },
    ]);
  }
});

test("while a deletion or a recovery runs", async () => {
  const { ask, control, clock } = await testVault();
  await ask("POST", "/keys/a/create", { body: { kty: "EC" } });
  control.set({ deleteDelayMs: 1000 });
  await ask("DELETE", "/keys/a");
  const running = { code: "Conflict", message: "Key is currently being deleted." };
  const conflict = { error: { ...running, innererror: { code: "ObjectIsBeingDeleted" } } };
  expect((await ask("GET", "/deletedkeys/a")).status).toBe(404);
  for (const [method, path] of [
    ["DELETE", "/keys/a"],
    ["DELETE", "/deletedkeys/a"],
    ["POST", "/keys/a/create"],
  ] as const) {
    const { status, json } = await ask(method, path, { body: { kty: "EC" } });
    expect([path, status, json]).toStrictEqual([path, 409, conflict]);
  }
  clock.advance(1000);
  expect((await ask("POST", "/deletedkeys/a/recover")).status).toBe(200);
  expect((await ask("GET", "/keys/a")).status).toBe(404);
  const again = await ask("POST", "/keys/a/create", { body: { kty: "EC" } });
  expect([again.status, again.json.error.innererror.code]).toEqual([409, "ObjectIsBeingRecovered"]);
  clock.advance(1000);
  expect((await ask("GET", "/keys/a")).status).toBe(200);
});
