import { PinionError } from "../errors.ts";
import type { Proof } from "../rotator.ts";
import { askCrl } from "./crl.ts";
import { askOcsp } from "./ocsp.ts";
import type { Question, Standing } from "./ocsp.ts";
import { findPath, signsItself } from "./path.ts";
import type { Roots } from "./path.ts";
import { readCertificate, readCertificates } from "./read.ts";

export interface RevocationCheck {
  /** DER or PEM. */
  readonly leaf: Uint8Array | string;
  /** Where its issuer is found, in any order. */
  readonly chain: readonly (Uint8Array | string)[];
  readonly roots: Roots;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly signal: AbortSignal;
  /** The addresses come from the certificate. `any`: also private ones, for authorities of one's own network. Default `public`. */
  readonly reach?: "public" | "any";
}

/** Addresses beyond these are not asked. */
const mostAddresses = 3;

/**
 * Proves that a certificate is not revoked: by OCSP where it names a responder, else, or when that cannot tell, by its CRL. Empty where
 * it names neither, and where it signs itself. `REVOCATION_UNKNOWN` (transient) when nobody could tell.
 */
export async function checkRevocation(check: RevocationCheck): Promise<readonly Proof[]> {
  const { roots, now, signal, reach = "public" } = check;
  const leaf = readCertificate(check.leaf);
  const { certificates } = findPath({ leaf, chain: readCertificates(check.chain), roots, now, usages: [] });
  const ways = [
    ...leaf.ocsp
      .filter(isHttp)
      .slice(0, mostAddresses)
      .map((url) => ({ ask: askOcsp, url })),
    ...leaf.crls
      .filter(isHttp)
      .slice(0, mostAddresses)
      .map((url) => ({ ask: askCrl, url })),
  ];
  if (ways.length === 0 || signsItself(leaf)) return [];
  const issuer = certificates[1];
  if (issuer === undefined)
    throw cannotTell("its issuer is not in the chain: give the intermediate certificates with it");

  const question: Question = { leaf, issuer, now };
  const failures: string[] = [];
  for (const { ask, url } of ways) {
    try {
      return [proofOf(await ask(url, question, { signal, reach }))];
    } catch (error) {
      if (!(error instanceof PinionError)) throw error;
      failures.push(error.message);
    }
  }
  throw cannotTell(failures.join(" "));
}

const proofOf = ({ revoked, detail }: Standing): Proof => ({ name: "it is not revoked", ok: !revoked, detail });

const isHttp = (url: string): boolean => /^https?:\/\//i.test(url);

const cannotTell = (why: string): PinionError =>
  new PinionError("REVOCATION_UNKNOWN", `Whether the certificate was revoked cannot be told: ${why}`, {
    class: "transient",
  });
