import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const ivLength = 12;
const tagLength = 16;

/** AES-256-GCM: iv, tag, ciphertext. `purpose` is bound in, so that a text sealed for one use opens for no other. */
export function seal(key: Buffer, purpose: string, text: string): Buffer {
  const iv = randomBytes(ivLength);
  const cipher = createCipheriv("aes-256-gcm", key, iv).setAAD(Buffer.from(purpose));
  const body = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), body]);
}

/** The text, or undefined for anything that `seal` did not make with this key and purpose. */
export function unseal(key: Buffer, purpose: string, sealed: Buffer): string | undefined {
  if (sealed.length < ivLength + tagLength) return undefined;
  const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, ivLength))
    .setAAD(Buffer.from(purpose))
    .setAuthTag(sealed.subarray(ivLength, ivLength + tagLength));
  try {
    return decipher.update(sealed.subarray(ivLength + tagLength), undefined, "utf8") + decipher.final("utf8");
  } catch {
    return undefined;
  }
}

/** The key of a state folder, `vault.key` with mode 0600, made at first use. */
export function loadKey(stateDir: string): Buffer {
  const file = join(stateDir, "vault.key");
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  try {
    writeFileSync(file, randomBytes(32), { mode: 0o600, flag: "wx", flush: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const key = readFileSync(file);
  if (key.length !== 32) throw new Error(`${file} is damaged: it must hold 32 bytes.`);
  return key;
}
