import { statSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { testVault, vaultName } from "../support.ts";
import { digestOf, ecJwk, encode, rsaJwk } from "./material.ts";

// Bodies that are nearly right, for every operation on keys: never a 5xx, and nothing changed by what is refused.

const seed = 20_260_115;
const good = {
  rsa: rsaJwk(),
  ec: ecJwk(),
  digest: encode(digestOf("sha256", "text")),
  cipher: encode(Buffer.alloc(256, 1)),
};

const odd = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom<unknown>(null, "", 0, -1, 1.5, 1e300, 2 ** 31, true, {}, [], "A", "AA==", "\0", "__proto__"),
  fc.constantFrom<unknown>(...Object.values(good.rsa), ...Object.values(good.ec), good.digest, good.cipher),
);
/** `usual` most of the time, else anything. */
const nearly = (usual: unknown) =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: odd });
const record = (members: Record<string, unknown>) =>
  fc.record(Object.fromEntries(Object.entries(members).map(([name, usual]) => [name, nearly(usual)])), {
    requiredKeys: [],
  });
const choice = (...usual: unknown[]) => fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...usual) }, odd);
const rest = {
  tags: fc.oneof(fc.dictionary(fc.string(), odd), odd),
  attributes: fc.oneof(fc.record({ enabled: odd, exp: odd, nbf: odd, exportable: odd }, { requiredKeys: [] }), odd),
  key_ops: choice(["sign"], ["encrypt", "sign"], []),
};
const algorithms = ["RS256", "PS384", "RSNULL", "ES256", "ES256K", "RSA-OAEP", "RSA1_5", "A128GCM", "constructor"];
const use = fc.record(
  { alg: choice(...algorithms), value: choice(good.digest, good.cipher, ""), digest: choice(good.digest, "") },
  { requiredKeys: [] },
);
const action = fc.record(
  {
    trigger: fc.oneof(record({ timeAfterCreate: "P30D" }), record({ timeBeforeExpiry: "P30D" }), odd),
    action: fc.oneof(record({ type: "Rotate" }), record({ type: "notify" }), odd),
  },
  { requiredKeys: [] },
);
const imported = fc.oneof(record(good.rsa as Record<string, unknown>), record(good.ec as Record<string, unknown>), odd);

const at = (method: string, ...paths: string[]) => fc.tuple(fc.constant(method), fc.constantFrom(...paths));
const request = fc.oneof(
  fc.tuple(
    at("POST", "/keys/ec/create", "/keys/new/create"),
    // Keys of 4096 bits would take all the time there is.
    fc.record(
      { kty: choice("EC", "EC", "oct", "RSA-HSM"), crv: choice("P-256", "P-521"), key_size: choice(256, 521), ...rest },
      { requiredKeys: ["kty"] },
    ),
  ),
  fc.tuple(
    at("PUT", "/keys/rsa", "/keys/new"),
    fc.record({ key: imported, Hsm: odd, ...rest }, { requiredKeys: ["key"] }),
  ),
  fc.tuple(at("PATCH", "/keys/rsa", "/keys/ec/"), fc.record(rest, { requiredKeys: [] })),
  fc.tuple(
    fc.tuple(
      fc.constant("POST"),
      fc
        .tuple(
          fc.constantFrom("rsa", "ec", "new"),
          fc.constantFrom("sign", "verify", "encrypt", "decrypt", "wrapkey", "unwrapkey", "release"),
        )
        .map(([name, operation]) => `/keys/${name}/${operation}`),
    ),
    use,
  ),
  fc.tuple(
    at("PUT", "/keys/rsa/rotationpolicy", "/keys/ec/rotationpolicy"),
    fc.record(
      {
        lifetimeActions: fc.oneof(fc.array(action, { maxLength: 3 }), odd),
        attributes: record({ expiryTime: "P90D" }),
      },
      { requiredKeys: [] },
    ),
  ),
  fc.tuple(
    at("POST", "/rng", "/keys/ec/rotate", "/keys/restore", "/keys/rsa/backup"),
    record({ count: 8, value: "AA" }),
  ),
  fc.tuple(at("GET", "/keys/rsa/rotationpolicy", "/keys/ec/attestation", "/keys/new"), fc.constant(undefined)),
);

test("3,000 requests about keys", { timeout: 120_000 }, async () => {
  const { ask, control, stateDir } = await testVault();
  const journal = () => statSync(join(stateDir, `${vaultName}.journal`)).size;
  let [accepted, refused] = [0, 0];
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 30, maxLength: 30 }), async (requests) => {
      control.reset();
      for (const [name, key] of [
        ["rsa", good.rsa],
        ["ec", good.ec],
      ] as const) {
        expect((await ask("PUT", `/keys/${name}`, { body: { key } })).status).toBe(200);
      }
      for (const [[method, path], body] of requests) {
        const size = journal();
        const { status, json } = await ask(method, path, body === undefined ? {} : { body });
        expect([method, path, status < 500]).toEqual([method, path, true]);
        if (status < 400) {
          accepted += 1;
          continue;
        }
        refused += 1;
        expect([method, path, journal()]).toEqual([method, path, size]);
        expect(json).toEqual({
          error: expect.objectContaining({ code: expect.any(String), message: expect.any(String) }),
        });
      }
    }),
    { seed, numRuns: 100, endOnFailure: true },
  );
  expect([accepted, refused].every((count) => count > 300)).toBe(true);
});
