// The parts of a DNS message that dns-packet cannot write or point at (RFC 1035 section 4, RFC 2136 section 2).

/** Numbers of types and classes (IANA, DNS parameters). */
export const types = { SOA: 6, TXT: 16, TSIG: 250 } as const;
export const classes = { IN: 1, NONE: 254, ANY: 255 } as const;

/** A name in wire form: lower case, not compressed (RFC 4034 section 6.2 calls that canonical). */
export function nameBytes(name: string): Buffer {
  const labels = name
    .toLowerCase()
    .split(".")
    .filter((label) => label !== "");
  return Buffer.concat([...labels.map(characterString), Buffer.from([0])]);
}

/** A text of up to 255 bytes with its length before it. */
export function characterString(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

export function uint16(...numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(numbers.length * 2);
  numbers.forEach((number, at) => bytes.writeUInt16BE(number, at * 2));
  return bytes;
}

/** 48 bits, as TSIG counts seconds. */
export function uint48(number: number): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUIntBE(number, 0, 6);
  return bytes;
}

/** A resource record. */
export function record(name: string, type: number, klass: number, ttl: number, data: Buffer): Buffer {
  const time = Buffer.alloc(4);
  time.writeUInt32BE(ttl);
  return Buffer.concat([nameBytes(name), uint16(type, klass), time, uint16(data.length), data]);
}

/** A record of a message, with where it begins. */
export interface Found {
  readonly at: number;
  readonly name: string;
  readonly type: number;
  readonly data: Buffer;
}

/** The last record of a message, which is where a TSIG has to be; undefined: it has none. Throws a RangeError when it is cut short. */
export function lastRecord(message: Buffer): Found | undefined {
  let at = 12;
  for (let left = message.readUInt16BE(4); left > 0; left -= 1) at = readName(message, at).end + 4;
  let found: Found | undefined;
  const records = message.readUInt16BE(6) + message.readUInt16BE(8) + message.readUInt16BE(10);
  for (let left = records; left > 0; left -= 1) {
    const { name, end } = readName(message, at);
    const length = message.readUInt16BE(end + 8);
    const start = end + 10;
    if (start + length > message.length) throw new RangeError("The message is cut short.");
    found = { at, name, type: message.readUInt16BE(end), data: message.subarray(start, start + length) };
    at = start + length;
  }
  return found;
}

/** A name that may be compressed, and where what follows it begins. */
export function readName(message: Buffer, start: number): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let at = start;
  let end: number | undefined;
  // A pointer costs two bytes, so a message cannot have more of them than half its length.
  for (let steps = 0; steps <= message.length / 2; steps += 1) {
    const length = message.readUInt8(at);
    if (length === 0) return { name: labels.join("."), end: end ?? at + 1 };
    if (length >= 0xc0) {
      end ??= at + 2;
      at = message.readUInt16BE(at) & 0x3fff;
    } else {
      labels.push(message.toString("latin1", at + 1, at + 1 + length).toLowerCase());
      at += 1 + length;
    }
  }
  throw new RangeError("The name never ends.");
}
