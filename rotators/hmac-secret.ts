import { readSecretRole, verifierSecretRole } from "../src/azure/vault-roles.ts";
import { defineRotator } from "../src/rotator.ts";
import { makeSecret } from "./shared/hmac/secret.ts";
import { acceptSecret, dropSecret, observeSecrets, secretWorks, validateSecrets } from "./shared/hmac/steps.ts";
import { accountOf, hmacTarget } from "./shared/hmac/target.ts";

/**
 * A secret that a signer and a verifier share for HMAC-SHA256. The verifier accepts the new one beside the old one first, then the signer
 * switches, then the verifier accepts the old one no longer: no signature ever fails.
 */
export const hmacSecret = defineRotator({
  kind: "hmac-secret",
  strategy: "dual",
  target: hmacTarget,
  roles: [verifierSecretRole, readSecretRole],
  needs: ({ verifier }) => [
    "secret" in verifier
      ? { role: verifierSecretRole, at: verifier.secret }
      : { role: readSecretRole, at: verifier.key },
  ],
  idle: "unobservable",
  soleAccount: accountOf,
  accounts: (target) => [accountOf(target)],
  account: accountOf,
  observe: observeSecrets,
  create: ({ target }, { idle }) => Promise.resolve({ id: idle.id, material: makeSecret(target) }),
  set: acceptSecret,
  validate: validateSecrets,
  works: secretWorks,
  revoke: dropSecret,
});
