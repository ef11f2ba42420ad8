import { readValue } from "../format.ts";
import { PinionError } from "../errors.ts";
import type { Credential, CredentialRef, Proof } from "../rotator.ts";
import { stagingName } from "../vault/staging.ts";
import { Unproven, type Scene } from "./step.ts";

/** The credential that a version of the managed object holds. A value without a user name belongs to the account of `ref`. */
export async function credentialIn(scene: Scene, version: string, ref?: CredentialRef): Promise<Credential> {
  const { subject, signal } = scene;
  const { vault, object } = subject;
  if (object.kind !== "secret") return inVault(vault.url(object.name, version), version, ref);
  const credential = toCredential(scene, await vault.value(object.name, version, signal), ref);
  return { ...credential, reference: vault.url(object.name, version) };
}

/** A credential that stays in the vault: its material is the version's URL, and its id, where nobody gave another, the version. */
function inVault(url: string, version: string, ref: CredentialRef | undefined): Credential {
  return { id: version, ...ref, material: { vaultVersion: url } };
}

/** The candidate, from the very staged version that the history names, never from "the latest". */
export async function stagedCredential(scene: Scene, version: string, ref: CredentialRef): Promise<Credential> {
  const { subject, signal } = scene;
  if (subject.object.kind !== "secret") {
    const { vault, staging, object, key, madeIn } = subject;
    const url = madeIn === "object" ? vault.url(object.name, version) : staging.url(stagingName(key), version);
    return inVault(url, version, ref);
  }
  try {
    const { staging, key } = subject;
    const credential = toCredential(scene, await staging.value(stagingName(key), version, signal), ref);
    return { ...credential, reference: staging.url(stagingName(key), version) };
  } catch (error) {
    if (error instanceof PinionError && (error.code === "SECRET_NOT_FOUND" || error.code === "SECRET_DISABLED")) {
      throw new PinionError(
        "STAGED_LOST",
        `The staged candidate of ${subject.object.id} is gone: it was deleted or disabled during the rotation; start again.`,
      );
    }
    throw error;
  }
}

/** Parses a value by the object's format; of a certificate or key it is the version's URL. `SECRET_MALFORMED` names the object, never the value. */
export function toCredential({ subject }: Pick<Scene, "subject">, text: string, ref?: CredentialRef): Credential {
  const { object, rotator } = subject;
  if (object.kind !== "secret") return inVault(text, text.split("/").at(-1) ?? "", ref);
  const fallback = ref?.id ?? rotator.soleAccount?.(object.rotator.target);
  const { username, password } = readValue(object.format, text, fallback);
  return { ...ref, id: username, material: password };
}

/** Passes the proofs on when all hold; otherwise a fault with all of them. */
export function demand(proofs: readonly Proof[], otherwise: (failed: Proof) => PinionError): readonly Proof[] {
  const failed = proofs.find(({ ok }) => !ok);
  if (failed !== undefined) throw new Unproven(otherwise(failed), proofs);
  return proofs;
}
