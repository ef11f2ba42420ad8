/** One value of DER (X.690, 8.1): the first byte, all of it, and what is inside. */
export interface DerValue {
  readonly tag: number;
  readonly whole: Buffer;
  readonly content: Buffer;
}

/** The values that follow each other in some bytes, read one at a time; for lists too long to be made into objects. Throws on what is no DER. */
export function* derValues(bytes: Buffer): Generator<DerValue, undefined> {
  for (let at = 0; at < bytes.length;) {
    const tag = bytes[at]!;
    let length = bytes[at + 1] ?? Infinity;
    let start = at + 2;
    if (length >= 0x80) {
      const size = length - 0x80;
      if (size < 1 || size > 4 || start + size > bytes.length) throw new RangeError("no DER length");
      length = bytes.readUIntBE(start, size);
      start += size;
    }
    const end = start + length;
    if ((tag & 0x1f) === 0x1f || end > bytes.length) throw new RangeError("no DER value");
    yield { tag, whole: bytes.subarray(at, end), content: bytes.subarray(start, end) };
    at = end;
  }
  return undefined;
}
