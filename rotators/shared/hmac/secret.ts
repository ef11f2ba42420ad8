import { createHmac, randomBytes } from "node:crypto";
import { PinionError } from "../../../src/errors.ts";
import type { Credential } from "../../../src/rotator.ts";
import type { HmacTarget } from "./target.ts";

/** A new one, from the system's random source; `whsec` is the form of Standard Webhooks. */
export function makeSecret({ bytes, encoding }: Pick<HmacTarget, "bytes" | "encoding">): string {
  const random = randomBytes(bytes);
  return encoding === "whsec" ? `whsec_${random.toString("base64")}` : random.toString(encoding);
}

/** `TARGET_MISCONFIGURED` where the material is no text. */
export function textOf({ material }: Credential): string {
  if (typeof material === "string") return material;
  throw new PinionError("TARGET_MISCONFIGURED", "An HMAC secret is a text, not a key kept in the vault.");
}

/** The bytes that a secret stands for, in any of the encodings. */
export function bytesOf(secret: string, encoding: HmacTarget["encoding"]): Buffer {
  if (encoding === "hex") return Buffer.from(secret, "hex");
  return Buffer.from(secret.replace(/^whsec_/, ""), "base64");
}

export const hmac = (key: string | Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();

/** Headers of Standard Webhooks: the signature is over id, time in seconds and body. */
export function standardHeaders(key: string | Buffer, { id, at, body }: { id: string; at: number; body: string }) {
  const time = String(Math.floor(at / 1000));
  return {
    "webhook-id": id,
    "webhook-timestamp": time,
    "webhook-signature": `v1,${hmac(key, `${id}.${time}.${body}`).toString("base64")}`,
  };
}
