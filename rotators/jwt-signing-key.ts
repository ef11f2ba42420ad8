import { defineRotator } from "../src/rotator.ts";
import { blobNeeds, jwksBlobRole } from "./shared/jwks/blob.ts";
import { accountOf, jwksTarget } from "./shared/jwks/target.ts";
import type { JwksTarget } from "./shared/jwks/target.ts";
import { makeKey } from "./shared/keys/rotator.ts";
import { jwksHeaders } from "./shared/jwks/document.ts";
import { publishedSet } from "./shared/jwks/publication.ts";
import {
  isWithdrawn,
  keyWorks,
  observeKeys,
  publishKeys,
  retireKey,
  validateKeys,
  withdrawKey,
} from "./shared/jwks/steps.ts";

/**
 * The key that signs tokens, in a vault; its public part is published as a JSON Web Key Set. The new key is published beside the old one,
 * signs once every cache has it, and the old one stays published for the life of the longest token. Signers name the version they sign with.
 */
export const jwtSigningKey = defineRotator({
  kind: "jwt-signing-key",
  manages: "key",
  strategy: "dual",
  target: jwksTarget,
  // A set that was just written may be read from an edge that has the former one.
  settleSeconds: 30,
  roles: [jwksBlobRole],
  needs: blobNeeds,
  idle: "unobservable",
  // One that follows the newest would sign with a key that no verifier has yet.
  pinnedOnly: true,
  leastGrace: ({ longestTokenLife }) => longestTokenLife,
  accounts: (target) => [accountOf(target)],
  account: accountOf,
  observe: observeKeys,
  create: makeKey,
  set: publishKeys,
  validate: validateKeys,
  works: keyWorks,
  revoke: retireKey,
  withdraw: withdrawKey,
  withdrawn: isWithdrawn,
  async document(step) {
    const set = step.target.blob === undefined ? await publishedSet(step) : undefined;
    return set && { headers: jwksHeaders(step.target), body: JSON.stringify(set) };
  },
});

/** The least grace, in seconds: tokens that the old key signed live as long. What consumers may lag behind comes on top. */
export const graceSeconds = ({ longestTokenLife }: Pick<JwksTarget, "longestTokenLife">): number =>
  Math.ceil(longestTokenLife / 1000);
