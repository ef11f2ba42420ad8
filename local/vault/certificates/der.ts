import { Constructed, Integer, ObjectIdentifier, OctetString, Primitive, Sequence, fromBER } from "asn1js";
import type { AsnType } from "asn1js";

// Short words for reading and writing the few ASN.1 forms of PKCS#12. Reading throws on whatever has another form.

export type Node = AsnType;

/** The value that the bytes begin with, in DER or BER. */
export function parse(bytes: Uint8Array): Node {
  const { offset, result } = fromBER(bytes);
  if (offset === -1) throw new Error(result.error || "Not ASN.1.");
  return result;
}

/** Members of a SEQUENCE, a SET, or what a constructed `[n]` holds. */
export function children(node: Node | undefined): Node[] {
  if (!(node instanceof Constructed)) throw new Error("Not a sequence.");
  return node.valueBlock.value;
}

export function oid(node: Node | undefined): string {
  if (!(node instanceof ObjectIdentifier)) throw new Error("Not an object identifier.");
  return node.valueBlock.toString();
}

export function integer(node: Node | undefined): number {
  if (!(node instanceof Integer) || node.valueBlock.isHexOnly) throw new Error("Not an integer.");
  return node.valueBlock.valueDec;
}

/** Also of a string in pieces, as BER allows. */
export function octets(node: Node | undefined): Buffer {
  if (node instanceof OctetString) return Buffer.from(node.getValue());
  // `[0] IMPLICIT OCTET STRING`
  if (node instanceof Primitive) return Buffer.from(node.valueBlock.valueHexView);
  if (node instanceof Constructed) return Buffer.concat(children(node).map(octets));
  throw new Error("Not an octet string.");
}

/** The value as it stood in the file. */
export const raw = (node: Node | undefined): Buffer => {
  if (!node) throw new Error("There is no value.");
  return Buffer.from(node.toBER());
};

export const isOctets = (node: Node | undefined): boolean => node instanceof OctetString;

export const sequence = (...value: Node[]): Node => new Sequence({ value });
export const identifier = (value: string): Node => new ObjectIdentifier({ value });
export const number = (value: number): Node => new Integer({ value });
export const string = (valueHex: Uint8Array): Node => new OctetString({ valueHex });

/** `[0] EXPLICIT` */
export const tagged = (value: Node): Node =>
  new Constructed({ idBlock: { tagClass: 3, tagNumber: 0 }, value: [value] });

/** `[0] IMPLICIT OCTET STRING` */
export const implicit = (valueHex: Uint8Array): Node =>
  new Primitive({ idBlock: { tagClass: 3, tagNumber: 0 }, valueHex });

export const encode = (node: Node): Buffer => Buffer.from(node.toBER());
