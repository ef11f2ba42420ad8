import { createCipheriv, createDecipheriv, createHash, createHmac, hash as hashOnce, pbkdf2Sync } from "node:crypto";
import { children, integer, isOctets, octets, oid, parse } from "./der.ts";
import type { Node } from "./der.ts";
import { decryptRc2 } from "./rc2.ts";

// Encryption and MACs by password: PBES2 (RFC 8018) and PKCS#12's own scheme (RFC 7292, appendix B).

/** How many rounds of hashing may still be spent on a file. Windows draws the line at 600,000 too. */
export interface Budget {
  rounds: number;
}

export const newBudget = (): Budget => ({ rounds: 600_000 });

const hashes: Readonly<Record<string, string>> = {
  "1.3.14.3.2.26": "sha1",
  "2.16.840.1.101.3.4.2.1": "sha256",
  "2.16.840.1.101.3.4.2.2": "sha384",
  "2.16.840.1.101.3.4.2.3": "sha512",
};
const hmacs: Readonly<Record<string, string>> = {
  "1.2.840.113549.2.7": "sha1",
  "1.2.840.113549.2.9": "sha256",
  "1.2.840.113549.2.10": "sha384",
  "1.2.840.113549.2.11": "sha512",
};
const ciphers: Readonly<Record<string, { readonly name: string; readonly keyLength: number }>> = {
  "1.2.840.113549.3.7": { name: "des-ede3-cbc", keyLength: 24 },
  "2.16.840.1.101.3.4.1.2": { name: "aes-128-cbc", keyLength: 16 },
  "2.16.840.1.101.3.4.1.22": { name: "aes-192-cbc", keyLength: 24 },
  "2.16.840.1.101.3.4.1.42": { name: "aes-256-cbc", keyLength: 32 },
};
const pbes2 = "1.2.840.113549.1.5.13";
const pbkdf2 = "1.2.840.113549.1.5.12";
export const tripleDes = "1.2.840.113549.1.12.1.3";
const twoKeyTripleDes = "1.2.840.113549.1.12.1.4";
const rc2With128 = "1.2.840.113549.1.12.1.5";
const rc2With40 = "1.2.840.113549.1.12.1.6";
export const sha1 = "1.3.14.3.2.26";

/** The name of a hash in node:crypto; throws for one that is not known. */
export const hashOf = (id: string): string => known(hashes, id);

function known<T>(table: Readonly<Record<string, T>>, id: string): T {
  const found = Object.hasOwn(table, id) ? table[id] : undefined;
  if (found === undefined) throw new Error(`${id} is not supported.`);
  return found;
}

/** A password as PKCS#12 hashes it: UTF-16 in big endian with a zero at the end. */
export const wide = (password: string): Buffer => Buffer.from(`${password}\0`, "utf16le").swap16();

/**
 * Decrypts what the AlgorithmIdentifier describes; throws on a wrong password in nearly all cases. An empty password is
 * nothing at all to some programs: `bytes` says which one is meant for PKCS#12's own scheme.
 */
export function decrypt(algorithm: Node, data: Buffer, password: string, bytes: Buffer, budget: Budget): Buffer {
  const [id, parameters] = children(algorithm);
  if (oid(id) === pbes2) return decryptPbes2(children(parameters), data, password, budget);
  const [saltNode, roundsNode] = children(parameters);
  const salt = octets(saltNode);
  const rounds = integer(roundsNode);
  // A key of two digests, and a vector of one.
  spend(budget, 3 * rounds);
  const derive = (purpose: 1 | 2, length: number) => pkcs12Key("sha1", bytes, salt, purpose, rounds, length);
  switch (oid(id)) {
    case tripleDes:
      return decipher("des-ede3-cbc", derive(1, 24), derive(2, 8), data);
    case twoKeyTripleDes: {
      const key = derive(1, 16);
      return decipher("des-ede3-cbc", Buffer.concat([key, key.subarray(0, 8)]), derive(2, 8), data);
    }
    case rc2With128:
      return decryptRc2(derive(1, 16), derive(2, 8), data);
    case rc2With40:
      return decryptRc2(derive(1, 5), derive(2, 8), data);
    default:
      throw new Error(`${oid(id)} is not supported.`);
  }
}

/** The PKCS#8 in an EncryptedPrivateKeyInfo (RFC 5958). Unlike OpenSSL's way it does not hash for hours when told to. */
export function decryptKey(der: Buffer, password: string): Buffer {
  const [algorithm, encrypted] = children(parse(der));
  return decrypt(algorithm!, octets(encrypted), password, wide(password), newBudget());
}

function decryptPbes2([derivation, scheme]: Node[], data: Buffer, password: string, budget: Budget): Buffer {
  const [derivationId, parameters] = children(derivation);
  if (oid(derivationId) !== pbkdf2) throw new Error("Only PBKDF2 is supported.");
  const [salt, roundsNode, ...rest] = children(parameters);
  const rounds = spend(budget, integer(roundsNode));
  // The key's length may stand before the hash; the cipher knows it too.
  const prf = rest.find((node) => node.idBlock.tagNumber === 16);
  const hash = prf ? known(hmacs, oid(children(prf)[0])) : "sha1";
  const [cipherId, iv] = children(scheme);
  const { name, keyLength } = known(ciphers, oid(cipherId));
  if (!isOctets(salt)) throw new Error("The salt is elsewhere.");
  return decipher(name, pbkdf2Sync(password, octets(salt), rounds, keyLength, hash), octets(iv), data);
}

function decipher(name: string, key: Buffer, iv: Buffer, data: Buffer): Buffer {
  const cipher = createDecipheriv(name, key, iv);
  return Buffer.concat([cipher.update(data), cipher.final()]);
}

/** Encrypts by PKCS#12's own scheme with 3DES and SHA-1, which every program can read. */
export function encryptTripleDes(data: Buffer, bytes: Buffer, salt: Buffer, rounds: number): Buffer {
  const derive = (purpose: 1 | 2, length: number) => pkcs12Key("sha1", bytes, salt, purpose, rounds, length);
  const cipher = createCipheriv("des-ede3-cbc", derive(1, 24), derive(2, 8));
  return Buffer.concat([cipher.update(data), cipher.final()]);
}

/** The MAC of a PFX file's content. */
export function mac(hash: string, data: Buffer, bytes: Buffer, salt: Buffer, rounds: number): Buffer {
  const length = createHash(hash).digest().length;
  return createHmac(hash, pkcs12Key(hash, bytes, salt, 3, rounds, length))
    .update(data)
    .digest();
}

/** Takes the rounds off the budget; throws when it does not hold them. */
export function spend(budget: Budget, rounds: number): number {
  budget.rounds -= rounds;
  if (!(rounds >= 1) || budget.rounds < 0) throw new Error("Too many rounds.");
  return rounds;
}

/** RFC 7292, B.2. Purpose 1 makes keys, 2 initial vectors, 3 keys of MACs. */
function pkcs12Key(
  hash: string,
  password: Buffer,
  salt: Buffer,
  purpose: 1 | 2 | 3,
  rounds: number,
  length: number,
): Buffer {
  const width = hash === "sha1" || hash === "sha256" ? 64 : 128;
  const filled = (bytes: Buffer) => Buffer.alloc(width * Math.ceil(bytes.length / width), bytes);
  const diversifier = Buffer.alloc(width, purpose);
  let input: Buffer = Buffer.concat([filled(salt), filled(password)]);
  const pieces: Buffer[] = [];
  for (let have = 0; have < length; have += pieces.at(-1)!.length) {
    let digest: Buffer = createHash(hash).update(diversifier).update(input).digest();
    for (let round = 1; round < rounds; round++) digest = hashOnce(hash, digest, "buffer");
    pieces.push(digest);
    input = addToBlocks(input, Buffer.alloc(width, digest), width);
  }
  return Buffer.concat(pieces).subarray(0, length);
}

/** Adds `term` + 1 to every block, each a big number of its own. */
function addToBlocks(input: Buffer, term: Buffer, width: number): Buffer {
  const sum = Buffer.from(input);
  for (let start = 0; start < sum.length; start += width) {
    let carry = 1;
    for (let at = width - 1; at >= 0; at--) {
      carry += sum[start + at]! + term[at]!;
      sum[start + at] = carry & 255;
      carry >>= 8;
    }
  }
  return sum;
}
