import { createHmac, randomBytes } from "node:crypto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { sign, tsigAlgorithms, verify } from "../../rotators/shared/dns/tsig.ts";
import type { TsigKey } from "../../rotators/shared/dns/tsig.ts";
import {
  classes,
  lastRecord,
  nameBytes,
  readName,
  record,
  types,
  uint16,
  uint48,
} from "../../rotators/shared/dns/wire.ts";

// Promise: no reply counts as the server's unless the key signs it as the answer to this very request. That BIND agrees is in rfc2136.test.ts.

const now = Date.parse("2026-11-26T10:00:00Z");
const key: TsigKey = { name: "pinion.contoso.com", algorithm: "hmac-sha256", secret: randomBytes(32) };
const request = Buffer.concat([
  uint16(77, 5 << 11, 1, 0, 0, 0),
  nameBytes("contoso.com"),
  uint16(types.SOA, classes.IN),
]);
const reply = Buffer.concat([uint16(77, 0xa800, 1, 0, 0, 0), nameBytes("contoso.com"), uint16(types.SOA, classes.IN)]);

const none: Buffer = Buffer.alloc(0);

/** A reply signed as RFC 8945 section 5.3 has it, written down here a second time on purpose. */
function signedReply(requestMac: Buffer, { error = 0, other = none, cut = 0, by = key } = {}): Buffer {
  const time = uint48(now / 1000);
  const name = nameBytes(by.name);
  const algorithm = nameBytes(by.algorithm);
  const hash = by.algorithm.replace("hmac-", "");
  const mac = createHmac(hash, by.secret)
    .update(Buffer.concat([uint16(requestMac.length), requestMac, reply]))
    .update(Buffer.concat([name, uint16(255, 0, 0), algorithm, time, uint16(300, error, other.length), other]))
    .digest();
  const sent = mac.subarray(0, mac.length - cut);
  const data = Buffer.concat([algorithm, time, uint16(300, sent.length), sent, uint16(77, error, other.length), other]);
  const whole = Buffer.concat([reply, record(by.name, types.TSIG, classes.ANY, 0, data)]);
  whole.writeUInt16BE(1, 10);
  return whole;
}

test.each(tsigAlgorithms)("%s: a good reply, and every one that is not", (algorithm) => {
  const mine = { ...key, algorithm };
  const { mac, message } = sign(request, mine, now);
  expect(message.readUInt16BE(10)).toBe(1);
  expect(lastRecord(message)).toMatchObject({ name: mine.name, type: types.TSIG, at: request.length });
  const good = signedReply(mac, { by: mine });
  expect(verify(good, mine, mac)).toEqual({ is: "good" });
  // A forwarder may have given it another id.
  const forwarded = Buffer.from(good);
  forwarded.writeUInt16BE(4711, 0);
  expect(verify(forwarded, mine, mac)).toEqual({ is: "good" });
  expect(verify(reply, mine, mac)).toEqual({ is: "unsigned" });
  expect(verify(good, mine, randomBytes(mac.length))).toEqual({ is: "forged" });
  expect(verify(good, { ...mine, secret: randomBytes(32) }, mac)).toEqual({ is: "forged" });
  expect(verify(good, { ...mine, name: "other" }, mac)).toEqual({ is: "forged" });
  expect(verify(signedReply(mac, { by: mine, cut: 1 }), mine, mac)).toEqual({ is: "forged" });
  expect(verify(signedReply(mac, { by: mine, cut: mac.length }), mine, mac)).toEqual({ is: "forged" });
});

test("a refusal of the time is signed and says the server's; one of the key never is", () => {
  const { mac } = sign(request, key, now);
  const other = uint48(now / 1000 - 1000);
  expect(verify(signedReply(mac, { error: 18, other }), key, mac)).toEqual({
    is: "refused",
    error: "BADTIME",
    serverTime: now - 1_000_000,
  });
  expect(verify(signedReply(mac, { error: 18, other, by: { ...key, secret: randomBytes(32) } }), key, mac)).toEqual({
    is: "forged",
  });
  expect(verify(signedReply(mac, { error: 17, cut: 32 }), key, mac)).toEqual({ is: "refused", error: "BADKEY" });
  expect(verify(signedReply(mac, { error: 16, cut: 32 }), key, mac)).toEqual({ is: "refused", error: "BADSIG" });
});

test("a reply with any one byte changed is never good, and never more than a verdict", () => {
  const { mac } = sign(request, key, now);
  const good = signedReply(mac);
  const broken: unknown[] = [];
  for (let at = 0; at < good.length; at += 1) {
    for (const bit of [0x01, 0x20, 0x80]) {
      const changed = Buffer.from(good);
      changed[at]! ^= bit;
      const { is } = verify(changed, key, mac);
      // The id is free (see above); names are compared without regard to case; TTL and class of the record are not signed as sent.
      const free = at < 2 || changed.toString("latin1").toLowerCase() === good.toString("latin1").toLowerCase();
      const unsigned =
        at >= reply.length + nameBytes(key.name).length + 2 && at < reply.length + nameBytes(key.name).length + 8;
      if (is === "good" && !free && !unsigned) broken.push([at, bit]);
    }
  }
  expect(broken).toEqual([]);
});

test("any bytes at all are read without a fault", () => {
  const { mac } = sign(request, key, now);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(["unsigned", "forged", "refused"]).toContain(verify(Buffer.from(bytes), key, mac).is);
    }),
    { numRuns: 2000 },
  );
});

test("a name that points at itself ends", () => {
  expect(() => readName(Buffer.from([0xc0, 0x00]), 0)).toThrow(RangeError);
  expect(readName(Buffer.concat([nameBytes("a.b"), Buffer.from([0xc0, 0x02])]), 5)).toEqual({ name: "b", end: 7 });
});
