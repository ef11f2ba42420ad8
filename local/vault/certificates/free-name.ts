import { lifeOf } from "../collection.ts";
import { readFree, refuseTaken } from "../kind.ts";
import type { Call } from "../model.ts";
import { conflict } from "../refusal.ts";
import { certificateKind } from "./certificate.ts";
import type { CertificateObject } from "./model.ts";

/** The certificate under the call's name, if any; refuses when the name is not free for a new version. */
export function readUnoccupied(call: Call): CertificateObject | undefined {
  const { vault, now, name } = call;
  const before = readFree(certificateKind, call);
  if (before?.pending?.status === "inProgress") {
    throw conflict(
      "A new key vault certificate can not be created or imported while a pending key vault certificate's status is inProgress.",
    );
  }
  for (const [type, collection] of [
    ["Key", vault.keys],
    ["Secret", vault.secrets],
  ] as const) {
    const other = collection.find(name);
    refuseTaken(type, other, now);
    if (other && lifeOf(other, now) === "live" && !other.versions.at(-1)!.managed) {
      throw conflict(`${type} ${other.name} already exists in this key vault and is not managed by a certificate.`);
    }
  }
  return before;
}
