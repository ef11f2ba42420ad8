import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { brotliDecompressSync, inflateRawSync, inflateSync } from "node:zlib";
import { byteForms, forms } from "./forms.ts";

/** A secret found where none may be. The secret itself is not told. */
export interface Leak {
  readonly place: string;
  readonly form: string;
  /** Which of the given secrets. */
  readonly secret: number;
}

/** Something to search: a file, or a reply or log that was kept in memory. */
export interface Place {
  readonly name: string;
  readonly content: Buffer;
}

/**
 * Searches places for secrets, texts or bytes, in every form, in what is compressed or broken into lines too. Secrets shorter than 8
 * characters are refused: they are everywhere.
 */
export function scan(places: Iterable<Place>, secrets: readonly (string | Buffer)[]): readonly Leak[] {
  if (secrets.some((secret) => secret.length < 8)) throw new RangeError("a canary must have at least 8 characters");
  const needles = secrets.flatMap((secret, index) =>
    encodings(secret).flatMap(([name, all]) => all.map((needle) => ({ index, name, needle }))),
  );
  const leaks = new Map<string, Leak>();
  for (const place of places) {
    for (const [how, content] of opened(place.content)) {
      for (const { index, name, needle } of needles) {
        if (!content.includes(needle)) continue;
        const form = how === "" ? name : `${name}, ${how}`;
        leaks.set(`${place.name} ${form} ${index}`, { place: place.name, form, secret: index });
      }
    }
  }
  return [...leaks.values()];
}

const encodings = (secret: string | Buffer): (readonly [string, readonly Buffer[]])[] =>
  typeof secret === "string"
    ? forms.map(({ name, encode }) => [name, encode(secret)] as const)
    : byteForms.map(({ name, encode }) => [name, encode(secret)] as const);

/** Every file below a folder, but those that `except` names (by their path from the folder). */
export function* filesBelow(folder: string, except: (path: string) => boolean = () => false): Iterable<Place> {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = relative(folder, path).replaceAll("\\", "/");
    if (!entry.isFile() || except(name) || statSync(path).size === 0) continue;
    yield { name, content: readFileSync(path) };
  }
}

const gzipMagic = Buffer.from([0x1f, 0x8b, 0x08]);
const openers = [
  ["deflated", inflateSync],
  ["raw deflated", inflateRawSync],
  ["brotli", brotliDecompressSync],
] as const;

/** The content as it is, opened where something in it is compressed, and each of these without line breaks. */
function* opened(content: Buffer): Iterable<readonly [string, Buffer]> {
  for (const [how, inner] of unpacked(content)) {
    yield [how, inner];
    const whole = unbroken(inner);
    if (whole !== undefined) yield [how === "" ? "in lines" : `${how}, in lines`, whole];
  }
}

/** Gzip is opened anywhere (blobs stand one after the other in a file), others as a whole. */
function* unpacked(content: Buffer): Iterable<readonly [string, Buffer]> {
  yield ["", content];
  for (let at = content.indexOf(gzipMagic); at >= 0; at = content.indexOf(gzipMagic, at + 1)) {
    const inner = attempt(() => inflateRawSync(content.subarray(at + gzipHeader(content, at))));
    if (inner !== undefined) yield ["gzip", inner];
  }
  if (content.length > 4_000_000) return;
  for (const [how, open] of openers) {
    const inner = attempt(() => open(content));
    if (inner !== undefined) yield [how, inner];
  }
}

/** Without line breaks, those that are escaped in JSON too: PEM and MIME break base64 after some characters. */
function unbroken(content: Buffer): Buffer | undefined {
  const text = content.toString("latin1");
  const whole = text.replaceAll(/(?:\\+[rn]|[\r\n])+/g, "");
  return whole.length === text.length ? undefined : Buffer.from(whole, "latin1");
}

/** Length of a gzip header (RFC 1952). What follows the compressed data is not read: other blobs may stand there. */
function gzipHeader(content: Buffer, at: number): number {
  const flags = content[at + 3] ?? 0;
  let length = 10;
  if (flags & 4) length += 2 + content.readUInt16LE(at + length);
  for (const flag of [8, 16]) if (flags & flag) length = content.indexOf(0, at + length) + 1 - at;
  return flags & 2 ? length + 2 : length;
}

function attempt(open: () => Buffer): Buffer | undefined {
  try {
    return open();
  } catch {
    return undefined;
  }
}
