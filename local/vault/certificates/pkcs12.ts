import { randomBytes, timingSafeEqual } from "node:crypto";
import { Null, Set as AsnSet } from "asn1js";
import {
  children,
  encode,
  identifier,
  implicit,
  integer,
  number,
  octets,
  oid,
  parse,
  raw,
  sequence,
  string,
  tagged,
} from "./der.ts";
import type { Node } from "./der.ts";
import { decrypt, encryptTripleDes, hashOf, mac, newBudget, sha1, spend, tripleDes, wide } from "./pbe.ts";
import type { Budget } from "./pbe.ts";

// PKCS#12 (RFC 7292): PFX files with a private key and certificates.

/** What a file holds, in DER: private keys as PKCS#8, certificates in the order of the file. */
export interface Contents {
  readonly keys: readonly Buffer[];
  readonly certificates: readonly Buffer[];
}

const data = "1.2.840.113549.1.7.1";
const encryptedData = "1.2.840.113549.1.7.6";
const x509Certificate = "1.2.840.113549.1.9.22.1";
const localKeyId = "1.2.840.113549.1.9.21";
const bag = (kind: number) => `1.2.840.113549.1.12.10.1.${kind}`;
const keyBag = bag(1);
const shroudedKeyBag = bag(2);
const certificateBag = bag(3);
const nestedBag = bag(6);
const rounds = 2000;

/** Throws on what is no PFX file, on a wrong password, and on encryption that is not supported (RC4). */
export function readPkcs12(file: Buffer, password: string): Contents {
  // To some programs an empty password is nothing at all, to others an empty text.
  const spellings = password === "" ? [wide(""), Buffer.alloc(0)] : [wide(password)];
  const budget = newBudget();
  let reason: unknown;
  for (const bytes of spellings) {
    try {
      return readFile(file, password, bytes, budget);
    } catch (error) {
      reason = error;
    }
  }
  throw reason;
}

function readFile(file: Buffer, password: string, bytes: Buffer, budget: Budget): Contents {
  const [version, safe, macData] = children(parse(file));
  if (integer(version) !== 3) throw new Error("Not version 3.");
  const content = contentOf(safe, data);
  if (macData) checkMac(children(macData), content, bytes, budget);
  const keys: Buffer[] = [];
  const certificates: Buffer[] = [];

  const readBags = (bags: Node) => {
    for (const one of children(bags)) {
      const [id, holder] = children(one);
      const value = children(holder)[0];
      switch (oid(id)) {
        case keyBag:
          keys.push(raw(value));
          break;
        case shroudedKeyBag: {
          const [algorithm, encrypted] = children(value);
          keys.push(decrypt(algorithm!, octets(encrypted), password, bytes, budget));
          break;
        }
        case certificateBag: {
          const [type, certificate] = children(value);
          if (oid(type) === x509Certificate) certificates.push(octets(children(certificate)[0]));
          break;
        }
        case nestedBag:
          readBags(value!);
      }
    }
  };

  for (const part of children(parse(content))) {
    const [type, holder] = children(part);
    if (oid(type) === data) readBags(parse(contentOf(part, data)));
    else if (oid(type) === encryptedData) readBags(parse(decryptPart(children(holder)[0], password, bytes, budget)));
    else throw new Error("A part is for a public key.");
  }
  return { keys, certificates };
}

/** The octets of a ContentInfo of the given type. */
function contentOf(info: Node | undefined, type: string): Buffer {
  const [id, holder] = children(info);
  if (oid(id) !== type) throw new Error("Another type of content.");
  return octets(children(holder)[0]);
}

function decryptPart(encrypted: Node | undefined, password: string, bytes: Buffer, budget: Budget): Buffer {
  const [, info] = children(encrypted);
  const [, algorithm, content] = children(info);
  return decrypt(algorithm!, octets(content), password, bytes, budget);
}

function checkMac([digestInfo, salt, roundsNode]: Node[], content: Buffer, bytes: Buffer, budget: Budget): void {
  const [algorithm, digest] = children(digestInfo);
  const hash = hashOf(oid(children(algorithm)[0]));
  const count = spend(budget, roundsNode ? integer(roundsNode) : 1);
  const expected = mac(hash, content, bytes, octets(salt), count);
  const found = octets(digest);
  if (found.length !== expected.length || !timingSafeEqual(found, expected)) throw new Error("The MAC differs.");
}

/**
 * A PFX file with an empty password, as the service gives it out: 3DES and a MAC of SHA-1, which every program can read.
 * The key (PKCS#8), if there is one, belongs to the first certificate.
 */
export function writePkcs12({
  key,
  certificates,
}: {
  key?: Buffer | undefined;
  certificates: readonly Buffer[];
}): Buffer {
  const empty = wide("");
  const shroud = (plain: Buffer) => {
    const salt = randomBytes(8);
    const algorithm = sequence(identifier(tripleDes), sequence(string(salt), number(rounds)));
    return { algorithm, encrypted: encryptTripleDes(plain, empty, salt, rounds) };
  };
  const mark = new AsnSet({
    value: [sequence(identifier(localKeyId), new AsnSet({ value: [string(Buffer.from([1, 0, 0, 0]))] }))],
  });
  const keyPart = (plain: Buffer) => {
    const { algorithm, encrypted } = shroud(plain);
    const value = sequence(algorithm, string(encrypted));
    const bags = sequence(sequence(identifier(shroudedKeyBag), tagged(value), mark));
    return sequence(identifier(data), tagged(string(encode(bags))));
  };
  const certificatePart = () => {
    const bags = certificates.map((der, index) => {
      const value = sequence(identifier(x509Certificate), tagged(string(der)));
      return sequence(identifier(certificateBag), tagged(value), ...(index === 0 && key ? [mark] : []));
    });
    const { algorithm, encrypted } = shroud(encode(sequence(...bags)));
    const info = sequence(identifier(data), algorithm, implicit(encrypted));
    return sequence(identifier(encryptedData), tagged(sequence(number(0), info)));
  };
  const content = encode(sequence(...(key ? [keyPart(key)] : []), certificatePart()));
  const salt = randomBytes(20);
  const digest = mac("sha1", content, empty, salt, rounds);
  const digestInfo = sequence(sequence(identifier(sha1), new Null()), string(digest));
  return encode(
    sequence(
      number(3),
      sequence(identifier(data), tagged(string(content))),
      sequence(digestInfo, string(salt), number(rounds)),
    ),
  );
}
