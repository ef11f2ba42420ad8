import { AsnConvert } from "@peculiar/asn1-schema";
import { NameConstraints, id_ce_nameConstraints } from "@peculiar/asn1-x509";
import type { Certificate, GeneralName, Name } from "@peculiar/asn1-x509";
import { PinionError } from "../../../src/errors.ts";

/** What one authority, or the policy, allows. An empty `permitted` allows everything that is not excluded. */
export interface Constraints {
  /** Who says so, for the error. */
  readonly by: string;
  readonly permitted: readonly string[];
  readonly excluded: readonly string[];
  /** Subtrees of X.500 names: each is the DER of its parts, from the root. */
  readonly permittedSubjects: readonly (readonly string[])[];
  readonly excludedSubjects: readonly (readonly string[])[];
}

/**
 * The constraints in a certificate (RFC 5280, 4.2.1.10). Forms that our certificates never have (addresses of mail, IP, URI) constrain
 * nothing here.
 */
export function constraintsOf(certificate: Certificate, by: string): Constraints {
  const extension = certificate.tbsCertificate.extensions?.find(({ extnID }) => extnID === id_ce_nameConstraints);
  const found = extension && AsnConvert.parse(extension.extnValue.buffer, NameConstraints);
  const bases = (trees: NameConstraints["permittedSubtrees"]) => [...(trees ?? [])].map(({ base }) => base);
  const [permitted, excluded] = [bases(found?.permittedSubtrees), bases(found?.excludedSubtrees)];
  return {
    by,
    permitted: dnsNames(permitted),
    excluded: dnsNames(excluded),
    permittedSubjects: subjects(permitted),
    excludedSubjects: subjects(excluded),
  };
}

const dnsNames = (bases: readonly GeneralName[]) =>
  bases.flatMap(({ dNSName }) => (dNSName === undefined ? [] : [dNSName.toLowerCase()]));

const subjects = (bases: readonly GeneralName[]) =>
  bases.flatMap(({ directoryName }) => (directoryName === undefined ? [] : [partsOf(directoryName)]));

function partsOf(name: Name): string[] {
  return [...name].map((part) => Buffer.from(AsnConvert.serialize(part)).toString("hex"));
}

/**
 * Refuses what lies outside with `NAME_NOT_PERMITTED`. X.500 names are compared byte by byte, which is stricter than RFC 5280, 7.1: a
 * name written in another string type counts as another one.
 */
export function demandPermitted(names: readonly string[], subject: Name, all: readonly Constraints[]): void {
  const refuse = (name: string, by: string) => {
    throw new PinionError(
      "NAME_NOT_PERMITTED",
      `${name} is outside of the names that ${by} permits: take it out of the policy, or ask whoever runs the authority.`,
    );
  };
  const parts = partsOf(subject);
  const within = (tree: readonly string[]) => tree.every((part, index) => parts[index] === part);
  for (const { by, permitted, excluded, permittedSubjects, excludedSubjects } of all) {
    for (const name of names) {
      const inside = permitted.length === 0 || permitted.some((suffix) => lies(name, suffix));
      if (!inside || excluded.some((suffix) => touches(name, suffix))) refuse(name, by);
    }
    // A certificate without a subject has no such name to constrain.
    if (parts.length === 0) continue;
    const inside = permittedSubjects.length === 0 || permittedSubjects.some(within);
    if (!inside || excludedSubjects.some(within)) refuse("The subject", by);
  }
}

/**
 * Whether a DNS name, or every name that a wildcard stands for, lies in a subtree: the name itself and all below it; with a leading
 * dot, as OpenSSL reads it, only what is below.
 */
export function lies(name: string, suffix: string): boolean {
  if (suffix === "") return true;
  if (suffix.startsWith(".")) return name.endsWith(suffix);
  return name === suffix || name.endsWith(`.${suffix}`);
}

/** Whether any name that `name` stands for lies in a subtree: `*.contoso.com` stands for `vpn.contoso.com` too. */
export function touches(name: string, suffix: string): boolean {
  if (lies(name, suffix)) return true;
  if (!name.startsWith("*.") || suffix.startsWith(".")) return false;
  const parent = name.slice(1);
  return suffix.endsWith(parent) && !suffix.slice(0, -parent.length).includes(".");
}
