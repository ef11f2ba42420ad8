import { createPrivateKey } from "node:crypto";
import type { JsonWebKey, KeyObject } from "node:crypto";
import { readdirSync } from "node:fs";
import { recordsOf } from "./vault-values.ts";

/** The numbers of a private key that are nowhere else: whoever has any of them has the key, in whatever form it was written. */
export function privateNumbers(key: KeyObject): readonly Buffer[] {
  const { d, p, q } = key.export({ format: "jwk" });
  return [d, p, q].flatMap((number) => (number === undefined ? [] : [Buffer.from(number, "base64url")]));
}

/**
 * The private numbers of every key that a vault of this state folder has ever held: of keys, of certificates, and of operations that are
 * pending or ended. For the canary scan only.
 */
export function keysEverHeld(stateDir: string): readonly Buffer[] {
  const found = new Map<string, Buffer>();
  for (const file of readdirSync(stateDir).filter((name) => name.endsWith(".journal"))) {
    for (const record of recordsOf(stateDir, file)) {
      for (const key of keysIn(JSON.parse(record))) {
        for (const number of privateNumbers(key)) found.set(number.toString("hex"), number);
      }
    }
  }
  return [...found.values()];
}

/** Keys in any value of JSON: as a JSON Web Key, as PEM, or in base64 of PKCS #8. */
function* keysIn(value: unknown): Iterable<KeyObject> {
  if (typeof value === "string") {
    const key = keyIn(value);
    if (key !== undefined) yield key;
    return;
  }
  if (typeof value !== "object" || value === null) return;
  if ("kty" in value && "d" in value) yield createPrivateKey({ key: value as JsonWebKey, format: "jwk" });
  for (const member of Object.values(value)) yield* keysIn(member);
}

function keyIn(text: string): KeyObject | undefined {
  try {
    if (text.includes("PRIVATE KEY-----")) return createPrivateKey(text);
    // A PKCS #8 of every kind begins so.
    return text.startsWith("MI")
      ? createPrivateKey({ key: text, format: "der", type: "pkcs8", encoding: "base64" })
      : undefined;
  } catch {
    return undefined;
  }
}

/** What every file with a private key shows, whatever key is in it: a PFX (OID 1.2.840.113549.1.7.1, RFC 7292 section 4), and a PEM. */
export const keyFiles: readonly (string | Buffer)[] = [
  Buffer.from("06092a864886f70d010701", "hex"),
  "PRIVATE KEY-----",
];
