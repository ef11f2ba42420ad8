import { randomInt } from "node:crypto";
import { decode } from "dns-packet";
import type { DecodedPacket } from "dns-packet";
import { z } from "zod";
import { PinionError } from "../../../src/errors.ts";
import { isWithin, parentOf, placeOf, soaOwner } from "./lookup.ts";
import { dnsName, lookupFields, secretUrl } from "./provider.ts";
import type { ChallengeRecord, ChallengeStep, Challenger } from "./provider.ts";
import { overTcp, serverText } from "./query.ts";
import type { Reply } from "./query.ts";
import { withSecret } from "./secret.ts";
import { sign, tsigAlgorithms, verify } from "./tsig.ts";
import type { TsigKey, Verdict } from "./tsig.ts";
import { visible } from "./visible.ts";
import { characterString, classes, nameBytes, record, types, uint16 } from "./wire.ts";

export const rfc2136Config = z.strictObject({
  kind: z.literal("rfc2136"),
  /** The primary server: name or IP address. */
  server: z.string().regex(/^[a-z0-9._-]+$|^[0-9a-f:.]+$/i, "a host name or an IP address"),
  port: z.int().min(1).max(65_535).default(53),
  /** Absent: the server is asked for the SOA of the name. */
  zone: dnsName.optional(),
  key: z.strictObject({
    /** As in the server's `key` statement. */
    name: dnsName,
    algorithm: z.enum(tsigAlgorithms).default("hmac-sha256"),
    /** Vault secret with the key in base64. */
    secret: secretUrl,
  }),
  /** Seconds. */
  ttl: z.int().min(0).max(2_147_483_647).default(60),
  ...lookupFields,
});
export type Rfc2136Config = z.output<typeof rfc2136Config>;

type Step = ChallengeStep<Rfc2136Config>;

/**
 * DNS UPDATE (RFC 2136) over TCP, signed by TSIG (RFC 8945), as nsupdate does it: BIND, Knot, PowerDNS and others take it. Single records are
 * added and deleted, so writers never meet, and both are harmless the second time.
 */
export const rfc2136: Challenger<Rfc2136Config> = {
  kind: "rfc2136",
  config: rfc2136Config,
  publish: async (at, record) => await update(at, record, { klass: classes.IN, ttl: at.config.ttl }),
  // RFC 2136 section 2.5.4: class NONE deletes the one record that has this data.
  withdraw: async (at, record) => await update(at, record, { klass: classes.NONE, ttl: 0 }),
  visible,
};

async function update(
  at: Step,
  to: ChallengeRecord,
  { klass, ttl }: { readonly klass: number; readonly ttl: number },
): Promise<void> {
  const name = await placeOf(to, at.config, at.signal);
  await withSecret(at, at.config.key.secret, async (secret) => {
    const key: TsigKey = { ...at.config.key, secret: keyBytes(secret, at.config.key.secret) };
    const zone = await zoneFor(at, key, name);
    const data = Buffer.concat((to.value.match(/.{1,255}/gs) ?? []).map(characterString));
    // Header with opcode 5, the zone, no prerequisites, one record to update (RFC 2136 section 2).
    const message = Buffer.concat([
      uint16(randomInt(65_536), 5 << 11, 1, 0, 1, 0),
      nameBytes(zone),
      uint16(types.SOA, classes.IN),
      record(name, types.TXT, klass, ttl, data),
    ]);
    const { rcode } = await exchange(at, key, message);
    if (rcode !== "NOERROR") throw refusal(at, rcode, `an update of ${name} in the zone ${zone}`);
  });
}

/** The zone of the config, else that of the SOA the server answers with. The question is signed too: views may be chosen by the key. */
async function zoneFor(at: Step, key: TsigKey, name: string): Promise<string> {
  const { zone } = at.config;
  if (zone !== undefined) {
    if (isWithin(name, zone)) return zone;
    throw new PinionError("TARGET_MISCONFIGURED", `${name} is not in the zone ${zone} that the policy names.`);
  }
  for (let above = name; above !== ""; above = parentOf(above)) {
    const question = [nameBytes(above), uint16(types.SOA, classes.IN)];
    const reply = await exchange(at, key, Buffer.concat([uint16(randomInt(65_536), 0, 1, 0, 0, 0), ...question]));
    if (reply.rcode === "SERVFAIL") throw refusal(at, reply.rcode, `the SOA of ${above}`);
    // What a server answers beyond its own zones, REFUSED say, is no concern of ours.
    if (reply.rcode !== "NOERROR" && reply.rcode !== "NXDOMAIN") break;
    const found = soaOwner(above, reply);
    if (found !== undefined) return found;
  }
  throw new PinionError(
    "TARGET_MISCONFIGURED",
    `${serverOf(at)} has no zone that holds ${name}: check server, or name its zone.`,
  );
}

/** Sends a signed message; what comes back is signed by the same key, or it is a fault. */
async function exchange(at: Step, key: TsigKey, message: Buffer): Promise<Reply> {
  const { server: host, port } = at.config;
  const { message: signed, mac } = sign(message, key, at.ports.now());
  const reply = await overTcp({ host, port }, signed, at.signal);
  const verdict = verify(reply, key, mac);
  const packet = read(reply);
  if (verdict.is !== "good") throw distrust(at, key, verdict, packet?.rcode);
  if (packet === undefined || reply.readUInt16BE(0) !== message.readUInt16BE(0)) {
    throw new PinionError("TARGET_REFUSED", `${serverOf(at)} gave an answer that cannot be read.`, {
      class: "transient",
    });
  }
  return packet;
}

function read(reply: Buffer): Reply | undefined {
  try {
    const packet = decode(reply) as DecodedPacket & { readonly rcode: string };
    return { rcode: packet.rcode, answers: packet.answers ?? [], authorities: packet.authorities ?? [] };
  } catch {
    return undefined;
  }
}

function keyBytes(secret: string, url: string): Buffer {
  const bytes = Buffer.from(secret, "base64");
  if (bytes.length > 0 && bytes.toString("base64").replace(/=+$/, "") === secret.replace(/=+$/, "")) return bytes;
  throw new PinionError(
    "TARGET_MISCONFIGURED",
    `The secret ${url} is not base64: store what stands behind "secret" in the server's key statement.`,
  );
}

function distrust(
  at: Step,
  key: TsigKey,
  verdict: Exclude<Verdict, { is: "good" }>,
  rcode: string | undefined,
): PinionError {
  const server = serverOf(at);
  if (verdict.is !== "refused") {
    return new PinionError(
      "TARGET_FORBIDDEN",
      `${server} gave an answer (${rcode ?? "unreadable"}) that the key ${key.name} does not sign: check that server and key are those of the zone.`,
    );
  }
  if (verdict.error === "BADTIME") {
    const seconds = Math.round((verdict.serverTime - at.ports.now()) / 1000);
    return new PinionError(
      "CLOCK_SKEW",
      `The clock of ${server} is ${Math.abs(seconds)} seconds ${seconds < 0 ? "behind" : "ahead of"} ours (BADTIME): more than 300 are refused, so set the clock that is wrong.`,
    );
  }
  const why =
    verdict.error === "BADKEY"
      ? `knows no key ${key.name} with ${key.algorithm}`
      : `does not accept what is signed with the key ${key.name}`;
  return new PinionError(
    "TARGET_FORBIDDEN",
    `${server} ${why} (${verdict.error}): compare name, algorithm and secret (${at.config.key.secret}) with its key statement.`,
  );
}

/** RFC 2136 section 2.2 has the codes. */
function refusal(at: Step, rcode: string, what: string): PinionError {
  const server = serverOf(at);
  switch (rcode) {
    case "REFUSED":
      return new PinionError(
        "TARGET_FORBIDDEN",
        `${server} does not let the key ${at.config.key.name} ask ${what} (REFUSED): allow it in the zone's update policy.`,
      );
    case "NOTAUTH":
    case "NOTZONE":
    case "NOTIMP":
      return new PinionError(
        "TARGET_MISCONFIGURED",
        `${server} cannot do ${what} (${rcode}): server must be the zone's primary, and zone the one that holds the name.`,
      );
    case "SERVFAIL":
      return new PinionError("TARGET_UNREACHABLE", `${server} failed at ${what} (SERVFAIL); it is tried again.`, {
        class: "transient",
      });
    default:
      return new PinionError("TARGET_REFUSED", `${server} refused ${what} (${rcode}): its log has the reason.`);
  }
}

const serverOf = ({ config: { server: host, port } }: Step): string => serverText({ host, port });
