/** One way in which a secret, a text or bytes, could be written somewhere. */
export interface Form<S = string> {
  readonly name: string;
  /** Byte strings; finding any of them is a leak. */
  encode(secret: S): readonly Buffer[];
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
  {
    name: "hex",
    encode: (secret) => [bytes(bytes(secret).toString("hex")), bytes(bytes(secret).toString("hex").toUpperCase())],
  },
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

/** The forms in which bytes are searched for, a private key's number say. Whatever holds it holds it so: DER, PEM and a JSON Web Key alike. */
export const byteForms: readonly Form<Buffer>[] = [
  { name: "raw", encode: (secret) => [secret] },
  { name: "base64", encode: (secret) => base64Alignments(secret, "base64") },
  { name: "base64url", encode: (secret) => base64Alignments(secret, "base64url") },
  {
    name: "hex",
    encode: (secret) => {
      const text = secret.toString("hex");
      const pairs = text.replaceAll(/..(?=.)/g, "$&:");
      return [text, text.toUpperCase(), pairs, pairs.toUpperCase()].map(bytes);
    },
  },
  // As JSON shows a Buffer, and a Uint8Array.
  {
    name: "numbers",
    encode: (secret) => [
      bytes([...secret].join(",")),
      bytes([...secret].map((byte, at) => `"${at}":${byte}`).join(",")),
    ],
  },
  { name: "reversed", encode: (secret) => [Buffer.from(secret.toReversed())] },
];

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
