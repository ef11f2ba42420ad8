import { readValue } from "../format.ts";
import { PinionError } from "../errors.ts";
import type { Credential, CredentialRef, Proof } from "../rotator.ts";
import { stagingName } from "../vault/staging.ts";
import { Unproven, type Scene } from "./step.ts";

/** The credential that a version of the managed object holds. A value without a user name belongs to the account of `ref`. */
export async function credentialIn(scene: Scene, version: string, ref?: CredentialRef): Promise<Credential> {
  const { subject, signal } = scene;
  return toCredential(scene, await subject.vault.value(subject.object.name, version, signal), ref);
}

/** The candidate, from the very staged version that the history names, never from "the latest". */
export async function stagedCredential(scene: Scene, version: string, ref: CredentialRef): Promise<Credential> {
  const { subject, signal } = scene;
  try {
    return toCredential(scene, await subject.staging.value(stagingName(subject.key), version, signal), ref);
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

/** Parses a value by the object's format. `SECRET_MALFORMED` names the object, never the value. */
export function toCredential({ subject }: Pick<Scene, "subject">, text: string, ref?: CredentialRef): Credential {
  const { object, rotator } = subject;
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
