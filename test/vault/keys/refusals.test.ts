import { expect, test } from "vitest";
import { digestOf, encode, rsaJwk } from "./material.ts";
import { badRest, refusing, sixteen } from "./refusing.ts";

// What is refused about keys, and in which words; nothing that is refused leaves a trace.

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
