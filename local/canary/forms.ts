/** One way in which a secret could be written somewhere: a text, or the number of a private key. */
export interface Form<T = string> {
  readonly name: string;
  /** Byte strings; finding any of them is a leak. */
  encode(secret: T): readonly Buffer[];
}

const bytes = (text: string): Buffer => Buffer.from(text, "utf8");

/**
 * The forms that are searched for. Base64 depends on what stands before the secret, so all three alignments are tried, each without
 * the characters that its neighbours decide.
 */
export const forms: readonly Form[] = [
  { name: "raw", encode: (secret) => [bytes(secret)] },
  {
    name: "JSON-escaped",
    encode: (secret) => [bytes(JSON.stringify(secret).slice(1, -1)), bytes(unicodeEscaped(secret))],
  },
  { name: "UTF-16", encode: (secret) => [Buffer.from(secret, "utf16le"), Buffer.from(secret, "utf16le").swap16()] },
  { name: "base64", encode: (secret) => base64Alignments(bytes(secret), "base64") },
  { name: "base64url", encode: (secret) => base64Alignments(bytes(secret), "base64url") },
  { name: "base64 of UTF-16", encode: (secret) => base64Alignments(Buffer.from(secret, "utf16le"), "base64") },
  { name: "hex", encode: (secret) => hex(bytes(secret)) },
  {
    name: "URL-encoded",
    encode: (secret) => [
      bytes(encodeURIComponent(secret)),
      bytes(percentAll(secret)),
      bytes(percentAll(secret).toLowerCase()),
    ],
  },
  { name: "reversed", encode: (secret) => [bytes(Array.from(secret).reverse().join(""))] },
];

/**
 * A private number is in DER, PFX and PEM files, in a JWK, and in what programs print. PEM breaks its base64 after every 48 bytes, so that
 * at least one of two neighbouring pieces of 16 bytes stays whole; and 16 bytes are nowhere by chance.
 */
export const numberForms: readonly Form<Buffer>[] = [
  { name: "DER", encode: piecesOf },
  { name: "PEM or base64", encode: (number) => piecesOf(number).flatMap((piece) => base64Alignments(piece, "base64")) },
  { name: "JWK", encode: (number) => piecesOf(number).flatMap((piece) => base64Alignments(piece, "base64url")) },
  { name: "hex", encode: (number) => piecesOf(number).flatMap(hex) },
];

function piecesOf(number: Buffer): readonly Buffer[] {
  return [number.subarray(0, 16), number.subarray(16, 32)];
}

function hex(secret: Buffer): readonly Buffer[] {
  const text = secret.toString("hex");
  return [bytes(text), bytes(text.toUpperCase())];
}

function unicodeEscaped(secret: string): string {
  return Array.from(secret)
    .map((character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("");
}

function percentAll(secret: string): string {
  return [...bytes(secret)].map((byte) => `%${byte.toString(16).padStart(2, "0").toUpperCase()}`).join("");
}

function base64Alignments(secret: Buffer, encoding: "base64" | "base64url"): readonly Buffer[] {
  return [0, 1, 2].map((before) => {
    const padded = Buffer.concat([Buffer.alloc(before), secret]);
    const text = padded.toString(encoding).replace(/=+$/, "");
    // Characters that hold bits of what stands before or after are left out.
    const from = before === 0 ? 0 : before + 1;
    const until = padded.length % 3 === 0 ? text.length : text.length - 1;
    return bytes(text.slice(from, until));
  });
}
