import { AttributeTypeAndValue, AttributeValue, Name, RelativeDistinguishedName } from "@peculiar/asn1-x509";

// X.500 names as text: RFC 4514 with what Windows' parser, which the service uses, takes besides.

const oids: Readonly<Record<string, string>> = {
  CN: "2.5.4.3",
  SN: "2.5.4.4",
  SERIALNUMBER: "2.5.4.5",
  C: "2.5.4.6",
  L: "2.5.4.7",
  S: "2.5.4.8",
  STREET: "2.5.4.9",
  O: "2.5.4.10",
  OU: "2.5.4.11",
  T: "2.5.4.12",
  DESCRIPTION: "2.5.4.13",
  POSTALCODE: "2.5.4.17",
  G: "2.5.4.42",
  I: "2.5.4.43",
  DNQUALIFIER: "2.5.4.46",
  UID: "0.9.2342.19200300.100.1.1",
  DC: "0.9.2342.19200300.100.1.25",
  E: "1.2.840.113549.1.9.1",
};

const aliases: Readonly<Record<string, string>> = {
  ST: "S",
  STATE: "S",
  EMAIL: "E",
  EMAILADDRESS: "E",
  TITLE: "T",
  SURNAME: "SN",
  GN: "G",
  GIVENNAME: "G",
  INITIALS: "I",
};

/** Characters; what is longer is no name of anything. */
const maxLength = 4096;
const names = new Map(Object.entries(oids).map(([name, oid]) => [oid, name]));
const ia5 = new Set([oids["E"], oids["DC"]]);

/**
 * The name that `text` stands for, or undefined when it is none. The first part of the text is the most specific one and
 * comes last in the certificate.
 */
export function parseSubject(text: string): Name | undefined {
  if (text.length > maxLength) return undefined;
  const parts = split(text);
  const rdns = parts?.map((part) => part.map(attribute));
  if (!rdns?.length || rdns.some((rdn) => rdn.includes(undefined))) return undefined;
  return new Name(rdns.reverse().map((rdn) => new RelativeDistinguishedName(rdn as AttributeTypeAndValue[])));
}

/** The text of a name, as policies have it: `CN=orders, O=Contoso, C=NL`. */
export function formatSubject(name: Name): string {
  return [...name]
    .reverse()
    .map((rdn) => [...rdn].map(formatAttribute).join(" + "))
    .join(", ");
}

/** One `type=value` of the text, its value still as it was written. */
interface Pair {
  readonly type: string;
  readonly value: string;
}

/** Parts between `,` or `;`, each of attributes joined by `+`. */
function split(text: string): Pair[][] | undefined {
  const pattern =
    /\s*([A-Za-z][\w-]*|(?:OID\.)?\d+(?:\.\d+)+)\s*=\s*(?:("(?:[^"\\]|""|\\.)*")\s*|((?:[^,;+"\\]|\\.)*))([,;+]|$)/iy;
  const parts: Pair[][] = [[]];
  while (pattern.lastIndex < text.length || parts.at(-1)!.length === 0) {
    const match = pattern.exec(text);
    if (!match) return undefined;
    parts.at(-1)!.push({ type: match[1]!, value: match[2] ?? match[3]!.replace(/(?<!\\)\s+$/, "") });
    if (match[4] === "") return parts;
    if (match[4] !== "+") parts.push([]);
    else if (pattern.lastIndex === text.length) return undefined;
  }
  return parts;
}

function attribute({ type, value: written }: Pair): AttributeTypeAndValue | undefined {
  const upper = type.toUpperCase();
  const oid = /^[\d.]+$/.test(type) ? type : upper.startsWith("OID.") ? type.slice(4) : oids[aliases[upper] ?? upper];
  const text = unquote(written);
  if (!oid || !isOid(oid) || !text) return undefined;
  return new AttributeTypeAndValue({ type: oid, value: attributeValue(oid, text) });
}

function attributeValue(oid: string, text: string): AttributeValue {
  if (ia5.has(oid) && isAscii(text)) return new AttributeValue({ ia5String: text });
  return /^[A-Za-z0-9 '()+,\-./:=?]*$/.test(text)
    ? new AttributeValue({ printableString: text })
    : new AttributeValue({ utf8String: text });
}

function unquote(written: string): string | undefined {
  const quoted = written.startsWith('"');
  const inner = quoted ? written.slice(1, -1).replaceAll('""', '"') : written;
  // Hex pairs stand for bytes of UTF-8.
  const bytes: Buffer[] = [];
  for (const [piece] of inner.matchAll(/\\[0-9a-f]{2}|\\.|[^\\]+/gis)) {
    if (/^\\[0-9a-f]{2}$/i.test(piece)) bytes.push(Buffer.from(piece.slice(1), "hex"));
    else bytes.push(Buffer.from(piece.startsWith("\\") ? piece.slice(1) : piece));
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(bytes));
  } catch {
    return undefined;
  }
}

function formatAttribute({ type, value }: AttributeTypeAndValue): string {
  const text = value.toString();
  const plain = /^[^\s,;+="\\<>#]([^,;+="\\<>]*[^\s,;+="\\<>])?$/.test(text);
  return `${names.get(type) ?? `OID.${type}`}=${plain ? text : `"${text.replaceAll("\\", "\\\\").replaceAll('"', '""')}"`}`;
}

/** True for the text of an object identifier that DER can hold. */
export function isOid(text: string): boolean {
  return text.length <= 128 && /^([01]\.[1-3]?\d|2\.\d{1,9})(\.(0|[1-9]\d{0,14}))+$/.test(text);
}

/** True for what an IA5String can hold, without control characters. */
export function isAscii(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text);
}
