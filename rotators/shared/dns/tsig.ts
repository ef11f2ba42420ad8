import { createHmac, timingSafeEqual } from "node:crypto";
import { classes, lastRecord, nameBytes, readName, record, types, uint16, uint48 } from "./wire.ts";

/** A secret shared with a server (RFC 8945). */
export interface TsigKey {
  readonly name: string;
  readonly algorithm: TsigAlgorithm;
  readonly secret: Buffer;
}

export const tsigAlgorithms = ["hmac-sha256", "hmac-sha384", "hmac-sha512"] as const;
export type TsigAlgorithm = (typeof tsigAlgorithms)[number];

/**
 * What the signature of a reply says. `good`: it is the server's answer to this very request. `unsigned`, `forged`: not to be believed.
 * `refused`: the server did not take our signature (RFC 8945 section 5.2): it knows no such key, its secret is another one, or the clocks
 * differ. A refusal of key or signature is never signed; that of the time is, and says the server's time in milliseconds.
 */
export type Verdict =
  | { readonly is: "good" | "unsigned" | "forged" }
  | { readonly is: "refused"; readonly error: "BADSIG" | "BADKEY" | "BADTRUNC" }
  | { readonly is: "refused"; readonly error: "BADTIME"; readonly serverTime: number };

/** Seconds that the clocks may differ; the value that RFC 8945 section 10 recommends. */
const fudge = 300;
const errors: Readonly<Record<number, "BADSIG" | "BADKEY" | "BADTIME" | "BADTRUNC">> = {
  16: "BADSIG",
  17: "BADKEY",
  18: "BADTIME",
  22: "BADTRUNC",
};

/** Adds the TSIG record to a message. `now` in milliseconds; `mac` is needed to check the reply. */
export function sign(message: Buffer, key: TsigKey, now: number): { readonly message: Buffer; readonly mac: Buffer } {
  const time = Math.floor(now / 1000);
  const mac = digest(key, [message, variables(key, { time, fudge, error: 0, other: Buffer.alloc(0) })]);
  const data = Buffer.concat([
    nameBytes(key.algorithm),
    uint48(time),
    uint16(fudge, mac.length),
    mac,
    uint16(message.readUInt16BE(0), 0, 0),
  ]);
  const signed = Buffer.concat([message, record(key.name, types.TSIG, classes.ANY, 0, data)]);
  signed.writeUInt16BE(message.readUInt16BE(10) + 1, 10);
  return { message: signed, mac };
}

/**
 * Checks the signature of a reply. Its time is not compared with ours: the request's own MAC is part of what is signed, so no old reply
 * passes. Shortened MACs do not pass.
 */
export function verify(reply: Buffer, key: TsigKey, requestMac: Buffer): Verdict {
  const found = readTsig(reply);
  if (found === undefined) return { is: "unsigned" };
  const error = errors[found.error];
  if ((error === "BADKEY" || error === "BADSIG") && found.mac.length === 0) return { is: "refused", error };
  if (found.keyName !== key.name.toLowerCase() || found.algorithm !== key.algorithm) return { is: "forged" };
  // What the server signed: the message as it was without the TSIG, under the id that we gave it.
  const bare = Buffer.from(reply.subarray(0, found.at));
  bare.writeUInt16BE(found.originalId, 0);
  bare.writeUInt16BE(reply.readUInt16BE(10) - 1, 10);
  const mac = digest(key, [uint16(requestMac.length), requestMac, bare, variables(key, found)]);
  if (mac.length !== found.mac.length || !timingSafeEqual(mac, found.mac)) return { is: "forged" };
  if (error === undefined) return { is: "good" };
  if (error !== "BADTIME") return { is: "refused", error };
  return { is: "refused", error, serverTime: found.other.length === 6 ? found.other.readUIntBE(0, 6) * 1000 : 0 };
}

interface TsigFields {
  readonly time: number;
  readonly fudge: number;
  readonly error: number;
  readonly other: Buffer;
}

/** What is signed besides the message (RFC 8945 section 4.3.3). */
function variables(key: TsigKey, { time, fudge, error, other }: TsigFields): Buffer {
  return Buffer.concat([
    nameBytes(key.name),
    uint16(classes.ANY, 0, 0),
    nameBytes(key.algorithm),
    uint48(time),
    uint16(fudge, error, other.length),
    other,
  ]);
}

function digest({ algorithm, secret }: TsigKey, parts: readonly Buffer[]): Buffer {
  const hmac = createHmac(algorithm.slice("hmac-".length), secret);
  for (const part of parts) hmac.update(part);
  return hmac.digest();
}

interface Tsig extends TsigFields {
  readonly at: number;
  readonly keyName: string;
  readonly algorithm: string;
  readonly mac: Buffer;
  readonly originalId: number;
}

/** The TSIG record of a message (RFC 8945 section 4.2); undefined: none, or one that cannot be read. */
function readTsig(message: Buffer): Tsig | undefined {
  try {
    const last = lastRecord(message);
    if (last?.type !== types.TSIG) return undefined;
    const { data } = last;
    const { name: algorithm, end } = readName(data, 0);
    const macEnd = end + 10 + data.readUInt16BE(end + 8);
    if (macEnd + 6 + data.readUInt16BE(macEnd + 4) !== data.length) return undefined;
    return {
      at: last.at,
      keyName: last.name,
      algorithm,
      time: data.readUIntBE(end, 6),
      fudge: data.readUInt16BE(end + 6),
      mac: data.subarray(end + 10, macEnd),
      originalId: data.readUInt16BE(macEnd),
      error: data.readUInt16BE(macEnd + 2),
      other: data.subarray(macEnd + 6),
    };
  } catch {
    return undefined;
  }
}
