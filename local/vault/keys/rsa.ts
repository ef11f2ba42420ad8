import {
  constants,
  createHash,
  privateDecrypt,
  privateEncrypt,
  publicDecrypt,
  publicEncrypt,
  randomBytes,
} from "node:crypto";
import type { KeyObject } from "node:crypto";

// RSA (RFC 8017) over digests that the caller made, which node:crypto only signs when it hashes the message itself: the
// encodings are here, the exponentiation is node:crypto's.

export type Hash = "sha256" | "sha384" | "sha512";

/** A pair of keys, with the length of the modulus in bytes. */
export interface RsaKey {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly bytes: number;
}

/** DER of DigestInfo up to the digest: RFC 8017, section 9.2, note 1. */
const digestInfo: Readonly<Record<Hash, Buffer>> = {
  sha256: Buffer.from("3031300d060960864801650304020105000420", "hex"),
  sha384: Buffer.from("3041300d060960864801650304020205000430", "hex"),
  sha512: Buffer.from("3051300d060960864801650304020305000440", "hex"),
};

const none = constants.RSA_NO_PADDING;

/** RSASSA-PKCS1-v1_5; without a hash the digest is padded as it is (RSNULL), and may be up to 11 bytes below the modulus. */
export function pkcs1Sign({ privateKey }: RsaKey, hash: Hash | undefined, digest: Buffer): Buffer {
  const info = hash ? Buffer.concat([digestInfo[hash], digest]) : digest;
  return privateEncrypt({ key: privateKey, padding: constants.RSA_PKCS1_PADDING }, info);
}

export function pkcs1Verify(key: RsaKey, hash: Hash | undefined, digest: Buffer, signature: Buffer): boolean {
  const info = hash ? Buffer.concat([digestInfo[hash], digest]) : digest;
  const padding = Buffer.alloc(key.bytes - 3 - info.length, 0xff);
  const expected = Buffer.concat([Buffer.from([0, 1]), padding, Buffer.from([0]), info]);
  return open(key, signature)?.equals(expected) ?? false;
}

/** RSASSA-PSS with a salt as long as the digest and MGF1 of the same hash. */
export function pssSign({ privateKey, bytes }: RsaKey, hash: Hash, digest: Buffer): Buffer {
  const salt = randomBytes(digest.length);
  const h = saltedHash(hash, digest, salt);
  const block = Buffer.concat([Buffer.alloc(bytes - 2 * digest.length - 2), Buffer.from([1]), salt]);
  const masked = xor(block, mask(hash, h, block.length));
  masked[0]! &= 0x7f;
  return privateEncrypt({ key: privateKey, padding: none }, Buffer.concat([masked, h, Buffer.from([0xbc])]));
}

export function pssVerify(key: RsaKey, hash: Hash, digest: Buffer, signature: Buffer): boolean {
  const message = open(key, signature);
  if (!message || message.at(-1) !== 0xbc || message[0]! > 0x7f) return false;
  const blockLength = message.length - digest.length - 1;
  const h = message.subarray(blockLength, -1);
  const block = xor(message.subarray(0, blockLength), mask(hash, h, blockLength));
  block[0]! &= 0x7f;
  const one = blockLength - digest.length - 1;
  if (block[one] !== 1 || block.subarray(0, one).some((byte) => byte !== 0)) return false;
  return saltedHash(hash, digest, block.subarray(one + 1)).equals(h);
}

/** What was signed, with its padding; undefined for what no key of this length has signed. */
function open({ publicKey, bytes }: RsaKey, signature: Buffer): Buffer | undefined {
  if (signature.length !== bytes) return undefined;
  try {
    return publicDecrypt({ key: publicKey, padding: none }, signature);
  } catch {
    return undefined; // a number that is not below the modulus
  }
}

const saltedHash = (hash: Hash, digest: Buffer, salt: Buffer): Buffer =>
  createHash(hash).update(Buffer.alloc(8)).update(digest).update(salt).digest();

/** MGF1. */
function mask(hash: Hash, seed: Buffer, length: number): Buffer {
  const blocks: Buffer[] = [];
  for (let count = 0, made = 0; made < length; count++) {
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(count);
    const block = createHash(hash).update(seed).update(counter).digest();
    blocks.push(block);
    made += block.length;
  }
  return Buffer.concat(blocks).subarray(0, length);
}

const xor = (one: Buffer, other: Buffer): Buffer => Buffer.from(one.map((byte, index) => byte ^ other[index]!));

/** RSAES-PKCS1-v1_5; the text must be 11 bytes shorter than the modulus. */
export const pkcs1Encrypt = ({ publicKey }: RsaKey, text: Buffer): Buffer =>
  publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_PADDING }, text);

/**
 * Undefined when the padding is wrong, which the service says; OpenSSL would give random bytes instead. Whoever may ask may
 * therefore find out texts that were encrypted for others, as with the service.
 */
export function pkcs1Decrypt({ privateKey, bytes }: RsaKey, cipher: Buffer): Buffer | undefined {
  if (cipher.length !== bytes) return undefined;
  try {
    const block = privateDecrypt({ key: privateKey, padding: none }, cipher);
    const end = block.indexOf(0, 2);
    return block[0] === 0 && block[1] === 2 && end >= 10 ? block.subarray(end + 1) : undefined;
  } catch {
    return undefined;
  }
}

/** RSAES-OAEP with MGF1 of the same hash and no label; the text must be 2 hashes and 2 bytes shorter than the modulus. */
export const oaepEncrypt = ({ publicKey }: RsaKey, oaepHash: "sha1" | "sha256", text: Buffer): Buffer =>
  publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash }, text);

/** Undefined for what was not encrypted with this key. */
export function oaepDecrypt({ privateKey }: RsaKey, oaepHash: "sha1" | "sha256", cipher: Buffer): Buffer | undefined {
  try {
    return privateDecrypt({ key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash }, cipher);
  } catch {
    return undefined;
  }
}
