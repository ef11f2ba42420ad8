import { isIP } from "node:net";
import { AsnConvert, AsnUtf8StringConverter, OctetString } from "@peculiar/asn1-schema";
import {
  AuthorityKeyIdentifier,
  BasicConstraints,
  ExtendedKeyUsage,
  Extension,
  GeneralName,
  KeyIdentifier,
  KeyUsage,
  OtherName,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
} from "@peculiar/asn1-x509";
import type { Certificate } from "@peculiar/asn1-x509";
import { fromBER } from "asn1js";
import type { SanKind, Sans, X509Props } from "./model.ts";
import { keyUsages } from "./policy-parts.ts";

// X.509 extensions out of a policy, and a policy out of X.509 extensions.

const upnOid = "1.3.6.1.4.1.311.20.2.3";

/** The extensions of a request, in the order in which the service writes them. */
export function requestExtensions(props: X509Props): Extension[] {
  return [...keyUsage(props), ...extendedKeyUsage(props), ...alternativeNames(props), basicConstraints(props)];
}

/** The extensions of a certificate; the identifiers are of its own key and of the issuer's. */
export function certificateExtensions(props: X509Props, subjectKeyId: Buffer, issuerKeyId: Buffer): Extension[] {
  const authority = new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(issuerKeyId) });
  return [
    ...keyUsage(props),
    basicConstraints(props),
    ...extendedKeyUsage(props),
    ...alternativeNames(props),
    extension(id_ce_authorityKeyIdentifier, false, authority),
    extension(id_ce_subjectKeyIdentifier, false, new SubjectKeyIdentifier(subjectKeyId)),
  ];
}

function extension(extnID: string, critical: boolean, value: unknown): Extension {
  return new Extension({ extnID, critical, extnValue: new OctetString(AsnConvert.serialize(value)) });
}

function keyUsage({ key_usage }: X509Props): Extension[] {
  if (key_usage.length === 0) return [];
  const flags = key_usage.reduce((sum, usage) => sum | (1 << keyUsages.indexOf(usage as never)), 0);
  return [extension(id_ce_keyUsage, true, new KeyUsage(flags))];
}

function extendedKeyUsage({ ekus }: X509Props): Extension[] {
  return ekus.length === 0 ? [] : [extension(id_ce_extKeyUsage, false, new ExtendedKeyUsage([...ekus]))];
}

function basicConstraints({ basic_constraints: { ca } }: X509Props): Extension {
  return extension(id_ce_basicConstraints, ca, new BasicConstraints({ cA: ca }));
}

/** Critical when the subject is empty, as RFC 5280 has it. */
function alternativeNames({ sans = {}, subject }: X509Props): Extension[] {
  const names = (Object.keys(sans) as SanKind[]).flatMap((kind) => (sans[kind] ?? []).map(generalNames[kind]));
  if (names.length === 0) return [];
  return [extension(id_ce_subjectAltName, subject === undefined, new SubjectAlternativeName(names))];
}

const generalNames: Readonly<Record<SanKind, (value: string) => GeneralName>> = {
  emails: (rfc822Name) => new GeneralName({ rfc822Name }),
  dns_names: (dNSName) => new GeneralName({ dNSName }),
  upns: (value) =>
    new GeneralName({
      otherName: new OtherName({ typeId: upnOid, value: AsnUtf8StringConverter.toASN(value).toBER() }),
    }),
  uris: (uniformResourceIdentifier) => new GeneralName({ uniformResourceIdentifier }),
  ipAddresses: (iPAddress) => new GeneralName({ iPAddress }),
};

/** What a certificate's extensions say, in a policy's words; throws on malformed ones. */
export function readExtensions(
  certificate: Certificate,
): Pick<X509Props, "ekus" | "key_usage" | "basic_constraints" | "sans"> {
  const find = <T>(oid: string, type: new () => T): T | undefined => {
    const found = certificate.tbsCertificate.extensions?.find(({ extnID }) => extnID === oid);
    return found && AsnConvert.parse(found.extnValue.buffer, type);
  };
  const usage = find(id_ce_keyUsage, KeyUsage);
  const sans = readNames(find(id_ce_subjectAltName, SubjectAlternativeName) ?? []);
  return {
    ekus: [...(find(id_ce_extKeyUsage, ExtendedKeyUsage) ?? [])],
    key_usage: keyUsages.filter((_, bit) => usage && usage.toNumber() & (1 << bit)),
    basic_constraints: { ca: find(id_ce_basicConstraints, BasicConstraints)?.cA ?? false },
    ...(Object.keys(sans).length > 0 ? { sans } : {}),
  };
}

function readNames(names: Iterable<GeneralName>): Sans {
  const found: Partial<Record<SanKind, string[]>> = {};
  const add = (kind: SanKind, value: string | undefined) => {
    if (value !== undefined) (found[kind] ??= []).push(value);
  };
  for (const name of names) {
    add("emails", name.rfc822Name);
    add("dns_names", name.dNSName);
    add("uris", name.uniformResourceIdentifier);
    add("ipAddresses", name.iPAddress && isIP(name.iPAddress) ? name.iPAddress : undefined);
    add("upns", name.otherName?.typeId === upnOid ? readUpn(name.otherName.value) : undefined);
  }
  return found;
}

function readUpn(value: ArrayBuffer): string | undefined {
  const { result } = fromBER(value);
  const text = (result.valueBlock as { value?: unknown }).value;
  return typeof text === "string" ? text : undefined;
}
