import { PinionError } from "../src/errors.ts";
import type { Rotator, Strategy } from "../src/rotator.ts";
import { certificateAcme } from "./certificate-acme.ts";
import { certificateIntegratedIssuer } from "./certificate-integrated-issuer.ts";
import { certificateManual } from "./certificate-manual.ts";
import { certificatePrivateCa } from "./certificate-private-ca.ts";
import { certificateSelfSigned } from "./certificate-self-signed.ts";
import { hmacSecret } from "./hmac-secret.ts";
import { jwtSigningKey } from "./jwt-signing-key.ts";
import { key } from "./key.ts";
import { postgresAlternating, postgresInPlace } from "./postgres.ts";

/** Every rotator, in the order the documentation shows them. A new kind of target is one more line here. */
export const rotators = [
  postgresAlternating,
  postgresInPlace,
  certificateSelfSigned,
  certificateIntegratedIssuer,
  certificateAcme,
  certificatePrivateCa,
  certificateManual,
  key,
  jwtSigningKey,
  hmacSecret,
] as const;

export type Kind = (typeof rotators)[number]["kind"];

/** The strategies that a kind offers; empty when the kind is unknown. */
export function strategiesOf(kind: string): Strategy[] {
  return rotators.filter((rotator) => rotator.kind === kind).map(({ strategy }) => strategy);
}

/**
 * The rotator for a kind and strategy; without a strategy, the kind's only one. Its target is opaque here: parse the
 * policy's with `rotator.target` and hand on what comes out. Throws ROTATOR_UNKNOWN with what there is.
 */
export function findRotator(kind: string, strategy?: string): Rotator<unknown> {
  const known = rotators.filter((rotator) => rotator.kind === kind);
  const found = known.filter((rotator) => strategy === undefined || rotator.strategy === strategy);
  const [only] = found;
  // Here the type of the target is lost: which one goes with which rotator is known to its schema only.
  if (only && found.length === 1) return only;
  const kinds = [...new Set(rotators.map((rotator) => rotator.kind))].join(", ");
  const message =
    known.length === 0
      ? `There is no rotator of kind ${JSON.stringify(kind)}; there are: ${kinds}.`
      : `The rotator ${kind} needs one of these strategies: ${known.map((rotator) => rotator.strategy).join(", ")}.`;
  throw new PinionError("ROTATOR_UNKNOWN", message);
}
