// RC2 in CBC mode (RFC 2268), to read certificates in old PFX files: the OpenSSL in Node has no RC2 any more.

/** The RFC's table of random bytes, from the digits of pi. */
const pi = Buffer.from(
  "d978f9c419ddb5ed28e9fd794aa0d89dc67e37832b76538e624c6488448bfba2" +
    "179a59f587b34f1361456d8d09817d32bd8f40eb86b77b0bf09521225c6b4e82" +
    "54d66593ce60b21c7356c014a78cf1dc1275ca1f3bbee4d1423dd430a33cb626" +
    "6fbf0eda4669075727f21d9bbc944303f811c7f690ef3ee706c3d52fc8661ed7" +
    "08e8eade8052eef784aa72ac354d6a2a961ad2715a1549744b9fd05e0418a4ec" +
    "c2e0416e0f51cbcc2491af50a1f47039997c3a8523b8b47afc02365b25559731" +
    "2d5dfa98e38a92ae05df2910676cbac9d300e6cfe19ea82c6316013f58e289a9" +
    "0d38341bab33ffb0bb480c5fb9b1cd2ec5f3db47e5a59c770aa62068fe7fc1ad",
  "hex",
);

const block = 8;
const rotations = [1, 2, 3, 5] as const;

/** Decrypts and takes the padding off; throws when there is none. The key's length is its strength. */
export function decryptRc2(key: Uint8Array, iv: Uint8Array, data: Buffer): Buffer {
  if (data.length === 0 || data.length % block !== 0) throw new Error("Not whole blocks.");
  const words = expand(key);
  const plain = Buffer.alloc(data.length);
  let previous: Uint8Array = iv;
  for (let at = 0; at < data.length; at += block) {
    const piece = data.subarray(at, at + block);
    decryptBlock(words, piece).forEach((byte, index) => (plain[at + index] = byte ^ previous[index]!));
    previous = piece;
  }
  const padding = plain.at(-1)!;
  const end = plain.length - padding;
  if (padding < 1 || padding > block || plain.subarray(end).some((byte) => byte !== padding)) {
    throw new Error("No padding.");
  }
  return plain.subarray(0, end);
}

function expand(key: Uint8Array): Uint16Array {
  const bytes = new Uint8Array(128);
  bytes.set(key);
  for (let at = key.length; at < 128; at++) bytes[at] = pi[(bytes[at - 1]! + bytes[at - key.length]!) & 255]!;
  const start = 128 - key.length;
  bytes[start] = pi[bytes[start]!]!;
  for (let at = start - 1; at >= 0; at--) bytes[at] = pi[bytes[at + 1]! ^ bytes[at + key.length]!]!;
  return Uint16Array.from({ length: 64 }, (_, at) => bytes[2 * at]! | (bytes[2 * at + 1]! << 8));
}

function decryptBlock(key: Uint16Array, data: Buffer): Buffer {
  const r = Uint16Array.from({ length: 4 }, (_, at) => data.readUInt16LE(2 * at));
  const word = (at: number) => r[at & 3]!;
  let next = 63;
  for (let round = 15; round >= 0; round--) {
    for (let at = 3; at >= 0; at--) {
      const turned = word(at);
      const shift = rotations[at as 0 | 1 | 2 | 3];
      const mixed = (turned >> shift) | (turned << (16 - shift));
      r[at] = mixed - key[next--]! - (word(at + 3) & word(at + 2)) - (~word(at + 3) & word(at + 1));
    }
    if (round !== 11 && round !== 5) continue;
    for (let at = 3; at >= 0; at--) r[at] = word(at) - key[word(at + 3) & 63]!;
  }
  const plain = Buffer.alloc(block);
  r.forEach((value, at) => plain.writeUInt16LE(value, 2 * at));
  return plain;
}
