import type { X509Certificate } from "node:crypto";
import type { Vault } from "../model.ts";
import { assemble, readCertificate } from "./content.ts";
import type { Material } from "./content.ts";
import { authorityOf } from "./issuers.ts";
import type { CertificateObject, OperationError } from "./model.ts";
import { end, keyOf, periodOf } from "./pending.ts";
import { complete } from "./publish.ts";
import { createCertificate } from "./x509.ts";

/** What the last look at a vault saw, so that the next one need not look at every certificate again. */
const seen = new WeakMap<Vault, { readonly revision: number; readonly nextAt: number }>();

/**
 * Ends the operations whose time has come: they complete, fail or are cancelled. To be called before a request looks at
 * the vault, and as the clock goes on.
 */
export function settleCertificates(vault: Vault, now: number): void {
  const { certificates } = vault;
  const before = seen.get(vault);
  if (before?.revision === certificates.revision() && now < before.nextAt) return;
  let nextAt = Infinity;
  for (const name of certificates.names()) {
    const certificate = certificates.find(name);
    const due = certificate?.pending?.due;
    if (!certificate || due === undefined || certificate.deleted) continue;
    const at = Math.max(due, certificate.settledAt ?? 0);
    if (now < at) nextAt = Math.min(nextAt, at);
    else settle(vault, certificate, now);
  }
  seen.set(vault, { revision: certificates.revision(), nextAt });
}

function settle(vault: Vault, certificate: CertificateObject, now: number): void {
  const pending = certificate.pending!;
  if (pending.cancellationRequested) return vault.certificates.write(end(certificate, "cancelled"), []);
  const made = make(vault, certificate, now);
  if ("code" in made) return vault.certificates.write(end(certificate, "failed", made), []);
  complete(vault, certificate, made, now);
  return undefined;
}

/** Nothing that a policy says may stop those who come after: a failure of this program ends the operation alone. */
function make(vault: Vault, certificate: CertificateObject, now: number): Material | OperationError {
  try {
    const issued = issue(vault, certificate, now);
    return "code" in issued ? issued : assemble(keyOf(certificate.pending!), issued, false);
  } catch (error) {
    console.error(error instanceof Error ? error.stack : "The certificate could not be made.");
    return { code: "Certificate issuer error", message: "The issuer met an internal error." };
  }
}

/** The certificates that the issuer answers with, the new one first, or why it does not. */
function issue(vault: Vault, { name, pending }: CertificateObject, now: number): X509Certificate[] | OperationError {
  const { policy } = pending!;
  const key = keyOf(pending!);
  const issuer = policy.issuer.name;
  for (const collection of [vault.keys, vault.secrets]) {
    const other = collection.find(name);
    if (other && (other.deleted || !other.versions.at(-1)!.managed)) {
      return {
        code: "Conflict",
        message: `The name ${name} is taken by an object of the collection ${collection.kind}.`,
      };
    }
  }
  if (issuer === "Self") return [readCertificate(createCertificate(policy.x509_props, key, periodOf(policy, now)))];
  if (vault.settings.issuerError) return vault.settings.issuerError;
  const authority = authorityOf(vault, issuer);
  if (!authority) return { code: "Certificate issuer error", message: `The issuer ${issuer} does not exist any more.` };
  const leaf = createCertificate(policy.x509_props, key, periodOf(policy, now), authority);
  return [readCertificate(leaf), authority.root];
}
