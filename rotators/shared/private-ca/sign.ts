import { createHash } from "node:crypto";
import { PinionError } from "../../../src/errors.ts";
import type { CertificateWish } from "../../../src/rotator.ts";
import type { Authority } from "./authority.ts";
import { certify } from "./leaf.ts";
import { keyOfRequest } from "./request.ts";
import type { PrivateCaTarget } from "./target.ts";
import { demandGrantable } from "./wish.ts";

export interface SignOptions {
  readonly ca: Authority;
  readonly target: Pick<PrivateCaTarget, "maxValidity" | "crl" | "ocsp" | "aia">;
  readonly wanted: CertificateWish;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** See {@link serialOf}. */
  readonly serial: Uint8Array;
}

/** Clocks of readers may be behind. */
const backdate = 600_000;

/**
 * A certificate for the key of a request. The request gives nothing but that key: names, usages and validity are the policy's. Nothing
 * is signed for a request without a good signature of its own, or for names outside of a constraint. Errors: `CSR_INVALID`,
 * `NAME_NOT_PERMITTED`, `TARGET_MISCONFIGURED`, and those of the vault that signs.
 */
export async function signRequest(
  csr: Uint8Array,
  { ca, target, wanted, now, serial }: SignOptions,
): Promise<Uint8Array> {
  const subject = demandGrantable(wanted, ca);
  const key = keyOfRequest(csr, wanted.key);
  const { notBefore, notAfter } = validityOf({ ca, target, wanted, now });
  const { crl, ocsp, aia } = target;
  return await certify({ key, subject, wanted, serial, notBefore, notAfter, crl, ocsp, aia }, ca);
}

/**
 * From ten minutes ago until the wish, the cap or the end of the authority, whichever comes first; milliseconds, in whole seconds. A
 * validity includes both its ends (RFC 5280, 4.1.2.5), so the last second of the cap is not used.
 */
export function validityOf({ ca, target, wanted, now }: Omit<SignOptions, "serial">) {
  const second = (time: number) => Math.floor(time / 1000) * 1000;
  const notBefore = second(Math.max(now - backdate, ca.notBefore));
  const notAfter = second(Math.min(now + wanted.validity, notBefore + target.maxValidity - 1000, ca.notAfter));
  if (notAfter > now) return { notBefore, notAfter };
  throw new PinionError(
    "TARGET_MISCONFIGURED",
    "A certificate would have expired when it is made: raise maxValidity, or renew the authority.",
  );
}

/**
 * The serial number of a rotation's certificate: random to everybody else, since both ids hold random parts, and the same at every
 * re-entry, so that no crash makes a second certificate. The time is a part of it: two certificates that differ never share a number. 20
 * octets, the most that RFC 5280, 4.1.2.2 allows, of which 158 bits are free.
 */
export function serialOf(rotationId: string, requestId: string, now: number): Uint8Array {
  const hash = createHash("sha256").update(`pinion serial\n${rotationId}\n${requestId}\n${now}`).digest();
  // Positive, and no leading zero octet.
  hash[0] = (hash[0]! & 0x3f) | 0x40;
  return new Uint8Array(hash.subarray(0, 20));
}
