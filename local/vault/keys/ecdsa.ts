import { createECDH, randomBytes } from "node:crypto";
import type { Curve } from "./curves.ts";
import { inverse, mod, toBytes, toNumber } from "./numbers.ts";

// ECDSA (FIPS 186-4, 6.4) over a digest that the caller made. node:crypto only signs messages that it hashes itself, so the
// arithmetic beside the multiplication of the base point is here. It does not run in constant time.

/** Signs a digest that is no longer than the curve's order; the signature is r and s, each as long as a coordinate. */
export function ecdsaSign(curve: Curve, secret: bigint, digest: Buffer): Buffer {
  const { order, bytes } = curve;
  for (;;) {
    // 64 bits more than the order has, so that no number is more likely than another.
    const nonce = mod(toNumber(randomBytes(bytes + 8)), order - 1n) + 1n;
    const r = mod(multiplyBase(curve, nonce), order);
    const s = mod(inverse(nonce, order) * (toNumber(digest) + r * secret), order);
    if (r !== 0n && s !== 0n) return Buffer.concat([toBytes(r, bytes), toBytes(s, bytes)]);
  }
}

/** Checks a signature as `ecdsaSign` makes it; any other length is not one. The private number spares adding points. */
export function ecdsaVerify(curve: Curve, secret: bigint, digest: Buffer, signature: Buffer): boolean {
  const { order, bytes } = curve;
  if (signature.length !== 2 * bytes) return false;
  const [r, s] = [toNumber(signature.subarray(0, bytes)), toNumber(signature.subarray(bytes))];
  if (r < 1n || s < 1n || r >= order || s >= order) return false;
  // u1 * base + u2 * public = (u1 + u2 * secret) * base
  const multiplier = mod(inverse(s, order) * (toNumber(digest) + r * secret), order);
  return multiplier !== 0n && mod(multiplyBase(curve, multiplier), order) === r;
}

/** The x coordinate of the base point times `factor`. */
function multiplyBase({ openssl, bytes }: Curve, factor: bigint): bigint {
  const ecdh = createECDH(openssl);
  ecdh.setPrivateKey(toBytes(factor, bytes));
  return toNumber(ecdh.getPublicKey().subarray(1, 1 + bytes));
}

/** The public point of a private number, as two coordinates. */
export function publicPoint({ openssl, bytes }: Curve, secret: Buffer): { readonly x: Buffer; readonly y: Buffer } {
  const ecdh = createECDH(openssl);
  ecdh.setPrivateKey(secret);
  const point = ecdh.getPublicKey();
  return { x: point.subarray(1, 1 + bytes), y: point.subarray(1 + bytes) };
}
