import * as fc from "fast-check";
import { digestOf, ecJwk, encode, rsaJwk } from "../keys/material.ts";
import { attributes, commonGrammar, name, objectPath, tags } from "./grammar-secrets.ts";
import type { Meant } from "./request.ts";
import type { Topic } from "./run.ts";

const rsa = rsaJwk();
const curves = ["P-256", "P-384", "P-521", "P-256K"] as const;
const jwks = [rsa, ...curves.map(ecJwk)];
const opsOf = (kty = "") =>
  kty === "RSA" ? ["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"] : ["sign", "verify"];

/** A key whose numbers belong to several keys: points that are on no curve, factors of another modulus. */
const mixed = fc
  .tuple(
    fc.constantFrom(...jwks),
    fc.constantFrom(...jwks),
    fc.constantFrom("n", "e", "d", "p", "q", "dp", "dq", "qi", "x", "y", "crv"),
  )
  .map(([one, other, member]) => ({ ...one, [member]: other[member] ?? one.d }));
/** A number of a key that is nearly right. */
const bent = fc
  .tuple(
    fc.constantFrom(...jwks),
    fc.constantFrom("n", "e", "d", "p", "q", "dp", "dq", "qi", "x", "y"),
    fc.nat({ max: 400 }),
    fc.constantFrom("A", "_", "", "AAAA"),
  )
  .map(([one, member, at, text]) => {
    const old = one[member] ?? "";
    const place = at % (old.length + 1);
    return { ...one, [member]: `${old.slice(0, place)}${text}${old.slice(place + 1)}` };
  });
const key = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...jwks) },
  { weight: 1, arbitrary: mixed },
  { weight: 1, arbitrary: bent },
);
const rest = { attributes, tags };

const imported = fc
  .tuple(
    fc.constantFrom("a", "b", "c"),
    fc.record({ key, Hsm: fc.constant(false), ...rest }, { requiredKeys: ["key"] }),
  )
  .map(([one, body]): Meant => ({ method: "PUT", path: `/keys/${one}`, body }));
const created = fc
  .tuple(
    name,
    fc.oneof(
      {
        weight: 60,
        arbitrary: fc.record(
          {
            kty: fc.constant("EC"),
            crv: fc.constantFrom(...curves),
            key_ops: fc.subarray(["sign", "verify"]),
            ...rest,
          },
          { requiredKeys: ["kty"] },
        ),
      },
      {
        weight: 5,
        arbitrary: fc.record({
          kty: fc.constantFrom("EC", "oct", "RSA-HSM", "EC-HSM", "okp"),
          key_size: fc.constantFrom(256, 384, 521, 1024, 8192),
        }),
      },
      // Keys of RSA take all the time that there is.
      {
        weight: 1,
        arbitrary: fc.record({
          kty: fc.constant("RSA"),
          public_exponent: fc.constantFrom(3, 17, 65_537, 2 ** 31 - 1, 1, 2, 15),
        }),
      },
    ),
  )
  .map(([one, body]): Meant => ({ method: "POST", path: `/keys/${one}/create`, body }));

const algorithms =
  "RS256 RS384 RS512 RSNULL PS256 PS384 PS512 ES256 ES384 ES512 ES256K RSA-OAEP RSA-OAEP-256 RSA1_5 A128GCM constructor".split(
    " ",
  );
const bytes = fc.constantFrom(
  ...[0, 1, 32, 48, 64, 96, 132, 245, 246, 256, 257].map((size) => encode(Buffer.alloc(size, 1))),
  encode(digestOf("sha256", "text")),
  encode(Buffer.alloc(256, 255)),
  encode(Buffer.alloc(64)),
);
/** What the keys that every batch begins with can do. */
const fitting = fc
  .constantFrom(
    ["/keys/a/sign", { alg: "RS256", value: encode(digestOf("sha256", "text")) }],
    ["/keys/a/sign", { alg: "PS512", value: encode(digestOf("sha512", "text")) }],
    ["/keys/a/sign", { alg: "RSNULL", value: "AAAA" }],
    [
      "/keys/a/verify",
      { alg: "RS256", digest: encode(digestOf("sha256", "text")), value: encode(Buffer.alloc(256, 1)) },
    ],
    ["/keys/a/encrypt", { alg: "RSA-OAEP", value: "AAAA" }],
    ["/keys/a/wrapkey", { alg: "RSA1_5", value: "AAAA" }],
    ["/keys/b/sign", { alg: "ES256", value: encode(digestOf("sha256", "text")) }],
    [
      "/keys/b/verify",
      { alg: "ES256", digest: encode(digestOf("sha256", "text")), value: encode(Buffer.alloc(64, 1)) },
    ],
  )
  .map(([path, body]): Meant => ({ method: "POST", path: path as string, body }));
const used = fc
  .tuple(
    objectPath("key"),
    fc.constantFrom("sign", "verify", "encrypt", "decrypt", "wrapkey", "unwrapkey", "release"),
    fc.record({ alg: fc.constantFrom(...algorithms), value: bytes, digest: bytes, target: fc.constant("t") }),
  )
  .map(([path, operation, body]): Meant => ({ method: "POST", path: `${path.replace(/\/$/, "")}/${operation}`, body }));

const duration = fc.constantFrom("P7D", "P28D", "P30D", "P90D", "P1Y", "P100Y", "P6D", "P0D", "P99999Y", "PT672H");
const action = fc.record({
  trigger: fc.oneof(fc.record({ timeAfterCreate: duration }), fc.record({ timeBeforeExpiry: duration })),
  action: fc.record({ type: fc.constantFrom("Rotate", "notify") }),
});
/** What a key may be rotated by. */
export const rotationPolicy = fc.record(
  {
    lifetimeActions: fc.array(action, { maxLength: 2 }),
    attributes: fc.record({ expiryTime: duration }, { requiredKeys: [] }),
  },
  { requiredKeys: [] },
);
const policy = fc
  .tuple(name, rotationPolicy)
  .map(([one, body]): Meant => ({ method: "PUT", path: `/keys/${one}/rotationpolicy`, body }));
const patched = fc
  .tuple(objectPath("key"), fc.record({ key_ops: fc.subarray(opsOf("RSA")), ...rest }, { requiredKeys: [] }))
  .map(([path, body]): Meant => ({ method: "PATCH", path, body }));
const others = fc.oneof(
  // EC in nearly all cases: what is rotated is `b`.
  fc.constantFrom<Meant>(
    { method: "POST", path: "/keys/b/rotate" },
    { method: "POST", path: "/keys/B/rotate", body: {} },
  ),
  name.map((one): Meant => ({ method: "GET", path: `/keys/${one}/rotationpolicy` })),
  objectPath("key").map((path): Meant => ({ method: "GET", path: `${path}/attestation` })),
  fc.integer({ min: -1, max: 130 }).map((count): Meant => ({ method: "POST", path: "/rng", body: { count } })),
);

export const keys: Topic = {
  name: "keys",
  prepare: [
    { method: "PUT", path: "/keys/a", body: { key: rsa } },
    { method: "PUT", path: "/keys/b", body: { key: ecJwk(), tags: { t: "v" } } },
  ],
  grammar: fc.oneof(
    { weight: 2, arbitrary: imported },
    { weight: 2, arbitrary: created },
    { weight: 3, arbitrary: used },
    { weight: 3, arbitrary: fitting },
    { weight: 2, arbitrary: policy },
    { weight: 1, arbitrary: patched },
    { weight: 2, arbitrary: others },
    { weight: 6, arbitrary: commonGrammar("key") },
  ),
  reads: ["/keys", "/deletedkeys", "/keys/a/versions", "/keys/b/versions", "/keys/c/versions"],
};
