import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from "node:crypto";
import type { KeyObject } from "node:crypto";

const ivLength = 12;
const tagLength = 16;

/** Keys as node:crypto has them: taking one apart anew costs more than sealing a value with it. */
const prepared = new WeakMap<Buffer, KeyObject>();

function prepare(key: Buffer): KeyObject {
  const known = prepared.get(key);
  if (known) return known;
  const made = createSecretKey(key);
  prepared.set(key, made);
  return made;
}

/** AES-256-GCM: iv, tag, ciphertext. `purpose` is bound in, so that a text sealed for one use opens for no other. */
export function seal(key: Buffer, purpose: string, text: string): Buffer {
  const iv = randomBytes(ivLength);
  const cipher = createCipheriv("aes-256-gcm", prepare(key), iv).setAAD(Buffer.from(purpose));
  const body = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), body]);
}

/** The text, or undefined for anything that `seal` did not make with this key and purpose. */
export function unseal(key: Buffer, purpose: string, sealed: Buffer): string | undefined {
  if (sealed.length < ivLength + tagLength) return undefined;
  const decipher = createDecipheriv("aes-256-gcm", prepare(key), sealed.subarray(0, ivLength))
    .setAAD(Buffer.from(purpose))
    .setAuthTag(sealed.subarray(ivLength, ivLength + tagLength));
  try {
    return decipher.update(sealed.subarray(ivLength + tagLength), undefined, "utf8") + decipher.final("utf8");
  } catch {
    return undefined;
  }
}
