import { bend } from "./material.ts";
import { signLeaf } from "./material.ts";
import type { Received } from "./wire.ts";

/** What answers have told that later requests speak of. */
export interface Known {
  /** The last version of each kind. */
  readonly versions: Map<string, string>;
  /** The last backup of each kind. */
  readonly blobs: Map<string, string>;
  skip?: string;
  /** Of the last operation on a certificate. */
  request?: string;
  csr?: string;
}

/** Remembers what an accepted answer tells. */
export function learn(known: Known, path: string, { body }: Received): void {
  if (!body.startsWith("{")) return;
  const { id, key, value, nextLink, request_id, csr } = JSON.parse(body) as Record<string, string> & {
    key?: { kid?: string };
  };
  const [, kind, version] = /\/(secret|key|certificate)s\/[^/]+\/([0-9a-f]{32})$/.exec(String(key?.kid ?? id)) ?? [];
  if (kind && version) known.versions.set(kind, version);
  const [, backedUp] = /\/(secret|key|certificate)s\/+[^/]+\/+backup\/*$/i.exec(path) ?? [];
  if (backedUp && typeof value === "string") known.blobs.set(backedUp.toLowerCase(), value);
  const [, skip] = /[$]skiptoken=([^&]+)/.exec(String(nextLink)) ?? [];
  if (skip) known.skip = skip;
  if (request_id && csr) Object.assign(known, { request: request_id, csr });
}

/** Puts what is known in the places that are kept for it. */
export const fill = (text: string, known: Known): string =>
  text.replace(/@(\w+)\(([\w:,-]*)\)/g, (_, word: string, argument: string) => {
    const blob = known.blobs.get(argument) ?? "AA";
    const middle = Math.floor(blob.length / 2);
    if (word === "version") return known.versions.get(argument) ?? "0".repeat(32);
    if (word === "blob") return blob;
    if (word === "bent") return `${blob.slice(0, middle)}${blob[middle] === "A" ? "B" : "A"}${blob.slice(middle + 1)}`;
    if (word === "half") return blob.slice(0, middle);
    if (word === "skip") return known.skip ?? "AA";
    if (word === "request") return known.request ?? "0".repeat(32);
    return known.csr ? bend(signLeaf(known.csr), argument).toString("base64") : "AA==";
  });
