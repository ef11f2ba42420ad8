/** An elliptic curve that keys of a vault can have. */
export interface Curve {
  /** As the wire has it. */
  readonly name: string;
  /** As a JWK of node:crypto has it. */
  readonly jwkName: string;
  /** As OpenSSL has it. */
  readonly openssl: string;
  readonly bits: number;
  /** Of a coordinate, of the private scalar, and of each half of a signature. */
  readonly bytes: number;
  /** The number of points: SEC 2, version 2.0, and FIPS 186-4. */
  readonly order: bigint;
}

/** All curves; the one for keys that ask for none comes first. */
export const curves: readonly Curve[] = [
  {
    name: "P-256",
    jwkName: "P-256",
    openssl: "prime256v1",
    bits: 256,
    bytes: 32,
    order: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  },
  {
    name: "P-384",
    jwkName: "P-384",
    openssl: "secp384r1",
    bits: 384,
    bytes: 48,
    order: 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  },
  {
    name: "P-521",
    jwkName: "P-521",
    openssl: "secp521r1",
    bits: 521,
    bytes: 66,
    order:
      0x1fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
  },
  {
    name: "P-256K",
    jwkName: "secp256k1",
    openssl: "secp256k1",
    bits: 256,
    bytes: 32,
    order: 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n,
  },
];

/** The curve of a JWK of node:crypto. */
export const curveOf = (jwk: { readonly crv?: string }): Curve =>
  curves.find(({ jwkName }) => jwkName === jwk.crv) ?? curves[0]!;
