import { AsnConvert } from "@peculiar/asn1-schema";
import { Certificate } from "@peculiar/asn1-x509";
import { attributesOf, seconds } from "../attributes.ts";
import { latest } from "../collection.ts";
import { idOf } from "../kind.ts";
import type { Fields, Kind, View } from "../kind.ts";
import type { Vault } from "../model.ts";
import type { CertificateObject, CertificateVersion } from "./model.ts";
import { showPolicy } from "./policy.ts";
import { formatSubject } from "./subject.ts";
import { thumbprint } from "./x509.ts";

/** Certificates, to everything that all kinds share. */
export const certificateKind: Kind<CertificateVersion, CertificateObject> = {
  type: "Certificate",
  collection: (vault) => vault.certificates,
  companions: ({ keys, secrets }) => [keys, secrets],
  bundle: (view, certificate, version) => ({
    ...versionBundle(view, certificate, version),
    ...(version === latest(certificate) ? standing(view, certificate) : {}),
    tags: version.tags,
  }),
  item: (_view, _certificate, version, id) => {
    const der = version.cer === undefined ? undefined : Buffer.from(version.cer, "base64");
    return {
      id,
      x5t: der && thumbprint(der),
      attributes: {
        enabled: version.enabled,
        nbf: version.nbf,
        exp: version.exp,
        created: seconds(version.created),
        updated: seconds(version.updated),
      },
      tags: version.tags,
      subject: der && formatSubject(AsnConvert.parse(der, Certificate).tbsCertificate.subject),
    };
  },
  notFound: (id) => `Certificate not found: ${id}`,
};

/** What is said of a version alone: all but policy and operation, which are the certificate's. */
export function versionBundle({ vault }: View, { name }: CertificateObject, version: CertificateVersion): Fields {
  const id = (type: "Certificate" | "Key" | "Secret") => idOf({ type }, vault, name, version.id);
  const { cer, keepOrder } = version;
  return {
    id: id("Certificate"),
    ...(cer === undefined
      ? {}
      : { kid: id("Key"), sid: id("Secret"), x5t: thumbprint(Buffer.from(cer, "base64")), cer }),
    attributes: attributesOf(vault, version),
    tags: version.tags,
    ...(keepOrder ? { preserveCertOrder: true } : {}),
  };
}

function standing({ vault, apiVersion }: View, { name, policy, pending }: CertificateObject): Fields {
  return {
    policy: showPolicy(policy, `${idOf(certificateKind, vault, name)}/policy`, apiVersion),
    ...(pending ? { pending: { id: pendingId(vault, name) } } : {}),
  };
}

/** The id of a certificate's operation. */
export const pendingId = (vault: Vault, name: string): string => `${idOf(certificateKind, vault, name)}/pending`;

/** The newest version that is one, not a placeholder. */
export function newestWhole({ versions }: CertificateObject): CertificateVersion | undefined {
  return versions.findLast(({ cer }) => cer !== undefined);
}
