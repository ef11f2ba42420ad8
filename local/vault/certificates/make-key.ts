import { createPrivateKey } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { curves } from "../keys/curves.ts";
import { generateKey } from "../keys/material.ts";
import type { Vault } from "../model.ts";
import { newestWhole } from "./certificate.ts";
import { describeKey } from "./content.ts";
import type { CertificateObject, KeyProps } from "./model.ts";

/** A new private key as the policy wants it, or the one of the newest version when that is to be used again and fits. */
export async function makeKey(
  vault: Vault,
  before: CertificateObject | undefined,
  props: KeyProps,
): Promise<KeyObject> {
  const old = props.reuse_key && before ? oldKey(vault, before) : undefined;
  if (old && fits(old, props)) return old;
  const jwk = await generateKey(
    props.kty === "RSA"
      ? { kty: "RSA", size: props.key_size, exponent: 65_537 }
      : { kty: "EC", curve: curves.find(({ name }) => name === props.crv)! },
  );
  return createPrivateKey({ key: jwk, format: "jwk" });
}

function oldKey(vault: Vault, certificate: CertificateObject): KeyObject | undefined {
  const id = newestWhole(certificate)?.id;
  const jwk = vault.keys.find(certificate.name)?.versions.find((one) => one.id === id)?.jwk;
  return jwk && createPrivateKey({ key: jwk, format: "jwk" });
}

function fits(key: KeyObject, { kty, key_size, crv }: KeyProps): boolean {
  const found = describeKey(key);
  return found.kty === kty && found.key_size === key_size && found.crv === crv;
}
