import { createPrivateKey, type JsonWebKey } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { unseal } from "../vault/seal.ts";
import { sealingKey } from "../vault/vault-key.ts";

interface Line {
  readonly versions?: readonly { readonly value?: string; readonly jwk?: JsonWebKey }[];
  /** Of a certificate that is being made; its key is PKCS#8 in base64. */
  readonly state?: { readonly pending?: { readonly key?: string } };
}

/** Every value that a vault of this state folder has ever held, disabled and deleted versions too. For the canary scan only. */
export function valuesEverHeld(stateDir: string): readonly string[] {
  const values = [...changesEverMade(stateDir)].flatMap(({ versions }) => versions ?? []).map(({ value }) => value);
  return [...new Set(values.filter((value) => value !== undefined))];
}

/** Every private key that such a vault has ever held, those of certificates too, whether they may be exported or not: the numbers that nobody else may know. */
export function privateNumbersEverHeld(stateDir: string): readonly Buffer[] {
  const keys = [...changesEverMade(stateDir)].flatMap(({ versions, state }) => [
    ...(versions ?? []).map(({ jwk }) => jwk),
    ...(state?.pending?.key === undefined ? [] : [jwkOf(state.pending.key)]),
  ]);
  const numbers = keys.flatMap((jwk) => [jwk?.d, jwk?.p, jwk?.q]).filter((number) => number !== undefined);
  return [...new Set(numbers)].map((number) => Buffer.from(number, "base64url"));
}

function* changesEverMade(stateDir: string): Iterable<Line> {
  const key = sealingKey();
  for (const file of readdirSync(stateDir).filter((name) => name.endsWith(".journal"))) {
    for (const line of readFileSync(join(stateDir, file), "latin1")
      .split("\n")
      .filter((text) => text !== "")) {
      const record = unseal(key, file, Buffer.from(line, "base64"));
      if (record !== undefined) yield* [JSON.parse(record) as Line | readonly Line[]].flat();
    }
  }
}

const jwkOf = (pkcs8: string): JsonWebKey =>
  createPrivateKey({ key: Buffer.from(pkcs8, "base64"), format: "der", type: "pkcs8" }).export({ format: "jwk" });

/** The passwords in such values: a JSON value's `password`, or the whole value. */
export function passwordsIn(values: readonly string[]): readonly string[] {
  return [...new Set(values.map(passwordOf))];
}

function passwordOf(value: string): string {
  try {
    const { password } = JSON.parse(value) as { password?: unknown };
    return typeof password === "string" ? password : value;
  } catch {
    return value;
  }
}
