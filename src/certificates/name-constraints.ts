import { BlockList, isIP } from "node:net";
import type { GeneralName, Name, NameConstraints } from "@peculiar/asn1-x509";
import type { ReadCertificate } from "./read.ts";

// Name constraints: RFC 5280, 4.2.1.10.

type Kind = Exclude<keyof GeneralName, "toString">;
const emailAddress = "1.2.840.113549.1.9.1";

/** Why the names of a certificate are not what an authority above it may name; undefined where they are. */
export function outsideConstraints(certificate: ReadCertificate, constraints: NameConstraints): string | undefined {
  const permitted = [...(constraints.permittedSubtrees ?? [])].map(({ base }) => base);
  const excluded = [...(constraints.excludedSubtrees ?? [])].map(({ base }) => base);
  for (const name of namesOf(certificate)) {
    const kind = kindOf(name);
    const inside = (base: GeneralName) => kindOf(base) === kind && matches(kind, name, base);
    if (excluded.some((base) => inside(base) || covers(name, base))) return `${textOf(name)} is excluded`;
    const asked = permitted.filter((base) => kindOf(base) === kind);
    if (asked.length > 0 && !asked.some(inside)) return `${textOf(name)} is not permitted`;
    // A form of name that cannot be compared is safe only where nothing is said about it.
    if (matchers[kind] === undefined && [...excluded, ...permitted].some((base) => kindOf(base) === kind))
      return `a name of the form ${kind} cannot be told to be permitted`;
  }
  return undefined;
}

/** The subject, where there is one, counts as a directory name, and its mail addresses as such where no others are given. */
function namesOf({ subjectName, alternatives }: ReadCertificate): readonly Partial<GeneralName>[] {
  const mails = alternatives.some(({ rfc822Name }) => rfc822Name !== undefined)
    ? []
    : [...subjectName].flatMap((rdn) => [...rdn].filter(({ type }) => type === emailAddress));
  return [
    ...(subjectName.length > 0 ? [{ directoryName: subjectName }] : []),
    ...mails.map(({ value }) => ({ rfc822Name: value.toString() })),
    ...alternatives,
  ];
}

function kindOf(name: Partial<GeneralName>): Kind {
  return (Object.keys(name) as Kind[]).find((kind) => name[kind] !== undefined) ?? "x400Address";
}

type Matcher = (name: string, base: string) => boolean;

/** A host inside a base: itself or anything below it; with a leading dot only what is below. */
const hostMatches: Matcher = (name, base) =>
  base === "" || name === base || name.endsWith(base.startsWith(".") ? base : `.${base}`);

const matchers: Partial<Record<Kind, Matcher>> = {
  dNSName: hostMatches,
  rfc822Name: (name, base) => {
    const host = name.slice(name.lastIndexOf("@") + 1);
    if (base.includes("@")) return name === base;
    return base.startsWith(".") ? host.endsWith(base) : host === base;
  },
  uniformResourceIdentifier: (name, base) => {
    const host = URL.canParse(name) ? new URL(name).hostname : "";
    return base.startsWith(".") ? host.endsWith(base) : host === base;
  },
  iPAddress: (name, base) => {
    const [net = "", prefix = ""] = base.split("/");
    const family = isIP(net) === 6 ? "ipv6" : "ipv4";
    if (isIP(net) === 0 || isIP(name) !== isIP(net)) return false;
    const list = new BlockList();
    list.addSubnet(net, Number(prefix), family);
    return list.check(name, family);
  },
  directoryName: (name, base) => name === base || name.startsWith(base === "" ? "" : `${base}\n`),
};

function matches(kind: Kind, name: Partial<GeneralName>, base: GeneralName): boolean {
  return matchers[kind]?.(comparable(name), comparable(base)) ?? false;
}

/** A wildcard stands for every host one label below, so it also holds a host that is excluded. */
function covers({ dNSName: name }: Partial<GeneralName>, { dNSName: base }: GeneralName): boolean {
  if (name === undefined || base === undefined || !name.startsWith("*.")) return false;
  return (
    base
      .toLowerCase()
      .replace(/^\./, "")
      .replace(/^[^.]+/, "*") === name.toLowerCase()
  );
}

function comparable(name: Partial<GeneralName>): string {
  if (name.directoryName !== undefined) return lines(name.directoryName);
  return (name.dNSName ?? name.rfc822Name ?? name.uniformResourceIdentifier ?? name.iPAddress ?? "").toLowerCase();
}

/** One line for each relative distinguished name, without case and doubled blanks (RFC 5280, 7.1). */
function lines(name: Name): string {
  const part = ({ type, value }: { type: string; value: { toString(): string } }) =>
    `${type}=${value.toString().trim().replace(/\s+/g, " ").toLowerCase()}`;
  return [...name].map((rdn) => [...rdn].map(part).sort().join("+")).join("\n");
}

const textOf = (name: Partial<GeneralName>): string => {
  const text = name.directoryName === undefined ? comparable(name) : "the subject";
  return text === "" ? `a name of the form ${kindOf(name)}` : text.slice(0, 260);
};
