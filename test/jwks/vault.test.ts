import { KeyClient } from "@azure/keyvault-keys";
import { afterAll, beforeAll, expect, test } from "vitest";
import { jwtSigningKey as rotator } from "../../rotators/jwt-signing-key.ts";
import { jwksTarget } from "../../rotators/shared/jwks/target.ts";
import { openKeyPort } from "../../src/vault/key-port.ts";
import { memoryNotes, noPorts } from "../ports.ts";
import { openLocalVault } from "../vault-client/vault.ts";

// The app's own port over the official client, against the local vault: versions that the vault made, which only it can sign with.

let vault: Awaited<ReturnType<typeof openLocalVault>>;
beforeAll(async () => {
  vault = await openLocalVault();
});
afterAll(async () => {
  await vault.close();
});

const credential = { getToken: async () => ({ token: "anybody", expiresOnTimestamp: Date.now() + 86_400_000 }) };

test.each(["RS256", "PS384", "ES256", "ES384", "ES512"] as const)("%s", async (algorithm) => {
  const client = new KeyClient(vault.uri, credential, { disableChallengeResourceVerification: true });
  const name = `signer-${algorithm}`;
  const curve = { ES256: "P-256", ES384: "P-384", ES512: "P-521" }[algorithm as string];
  const first = curve === undefined ? await client.createRsaKey(name) : await client.createEcKey(name, { curve });
  const second = await client.rotateKey(name);
  const [old, next] = [first, second].map(({ id }) => ({ id: "a", material: { vaultVersion: id! } }));
  const step = {
    target: jwksTarget.parse({
      algorithm,
      url: "https://login.example/jwks",
      cacheSeconds: 0,
      longestTokenLife: "PT1H",
    }),
    rotationId: "r-0mi000001-aaaaaa",
    round: 1,
    ports: { ...noPorts, keys: openKeyPort(credential), now: vault.clock.now },
    notes: memoryNotes(),
    signal: new AbortController().signal,
  };
  await rotator.set(step, next!, old!);
  const { proofs } = await rotator.observe(step, old!, { negativeControl: true });
  expect(proofs.map(({ ok }) => ok)).toEqual([true, true, true]);
  expect([await rotator.works(step, old!), await rotator.works(step, next!)]).toEqual([true, true]);
  await rotator.revoke(step, old!);
  expect([await rotator.works(step, old!), await rotator.works(step, next!)]).toEqual([false, true]);
});
