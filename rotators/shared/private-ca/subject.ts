import { AttributeTypeAndValue, AttributeValue, Name, RelativeDistinguishedName } from "@peculiar/asn1-x509";
import { PinionError } from "../../../src/errors.ts";

// The forms of RFC 4514 that a certificate's policy uses.

const oids: Readonly<Record<string, string>> = {
  CN: "2.5.4.3",
  SERIALNUMBER: "2.5.4.5",
  C: "2.5.4.6",
  L: "2.5.4.7",
  ST: "2.5.4.8",
  S: "2.5.4.8",
  STREET: "2.5.4.9",
  O: "2.5.4.10",
  OU: "2.5.4.11",
  UID: "0.9.2342.19200300.100.1.1",
  DC: "0.9.2342.19200300.100.1.25",
};

const attribute = /\s*([A-Za-z]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|((?:[^,+;"\\]|\\.)*?))\s*(?:,|$)/y;

/**
 * The X.500 name of a text such as `CN=www.contoso.com, O=Contoso, C=NL`; an empty text is a name without parts. The first part of the
 * text is the last one in the certificate. `TARGET_MISCONFIGURED` for what it cannot read.
 */
export function subjectOf(text: string): Name {
  const parts: RelativeDistinguishedName[] = [];
  attribute.lastIndex = 0;
  for (let at = 0; at < text.trim().length; at = attribute.lastIndex) {
    const match = attribute.exec(text);
    const [, type = "", quoted, plain = ""] = match ?? [];
    const oid = oids[type.toUpperCase()];
    const value = (quoted ?? plain).replaceAll(/\\(.)/g, "$1");
    if (match === null || oid === undefined || value === "") throw unreadable(text);
    parts.push(new RelativeDistinguishedName([new AttributeTypeAndValue({ type: oid, value: valueOf(oid, value) })]));
  }
  return new Name(parts.reverse());
}

/** The common name in a subject, if it has one. */
export function commonNameOf(name: Name): string | undefined {
  return [...name]
    .flatMap((part) => [...part])
    .find(({ type }) => type === oids["CN"])
    ?.value.toString();
}

/** RFC 5280, 4.1.2.4 and its appendix A: C and SERIALNUMBER are PrintableString, DC is IA5String, the rest may be UTF8String. */
function valueOf(oid: string, text: string): AttributeValue {
  if (oid === oids["DC"]) return new AttributeValue({ ia5String: text });
  return /^[A-Za-z0-9 '()+,\-./:=?]*$/.test(text)
    ? new AttributeValue({ printableString: text })
    : new AttributeValue({ utf8String: text });
}

function unreadable(text: string): PinionError {
  return new PinionError(
    "TARGET_MISCONFIGURED",
    `The subject ${JSON.stringify(text)} cannot be read: write CN=name, O=organisation, ... with ${Object.keys(oids).join(", ")}.`,
  );
}
