import { createHash } from "node:crypto";
import type { AzureRole, Need } from "../../../src/azure/role.ts";
import { PinionError } from "../../../src/errors.ts";
import { blobActions, containerAt } from "../storage.ts";
import { ask } from "../http.ts";
import type { Answer } from "../http.ts";
import { within } from "../within.ts";
import { jwksHeaders, parseSet } from "./document.ts";
import type { JwkSet } from "./document.ts";
import type { JwksTarget, Publishing } from "./target.ts";

/** At the container of a set of keys. */
export const jwksBlobRole: AzureRole = {
  key: "jwks-blob",
  description: "Reads and writes the blobs of a container, in which the public keys of signers are published.",
  dataActions: blobActions("read", "write"),
};

/** What publishing in a blob needs; nothing where the app itself serves the set. */
export const blobNeeds = ({ blob, storageAccount }: JwksTarget): readonly Need[] =>
  blob === undefined ? [] : [{ role: jwksBlobRole, at: containerAt(blob, storageAccount) }];

/** A blob as it was read. */
export interface Blob {
  readonly set: JwkSet;
  readonly etag: string;
  /** Names without `x-ms-meta-`; they are replaced with the blob, so whoever writes it must hand them on. */
  readonly metadata: Readonly<Record<string, string>>;
}

const prefix = "x-ms-meta-";

/** The set in a blob; undefined where there is none yet. `TARGET_MISCONFIGURED` for anything that is no set: it is never overwritten. */
export async function readBlob(step: Publishing, url: string): Promise<Blob | undefined> {
  const answer = await call(step, url, "GET");
  if (answer.status === 404 && answer.headers.get("x-ms-error-code") === "BlobNotFound") return undefined;
  if (answer.status !== 200) throw refusal(answer, url);
  const set = parseSet(answer.text);
  if (set === undefined) {
    throw new PinionError(
      "TARGET_MISCONFIGURED",
      `${url} holds no JSON Web Key Set: move away what is there, or name another blob.`,
    );
  }
  const metadata = [...answer.headers].filter(([name]) => name.startsWith(prefix));
  return {
    set,
    etag: answer.headers.get("etag") ?? "",
    metadata: Object.fromEntries(metadata.map(([name, value]) => [name.slice(prefix.length), value])),
  };
}

/** Writes the set as long as the blob is still the one that was read, or still absent; false where it is not. */
export async function writeBlob(
  step: Publishing,
  url: string,
  { set, metadata }: Pick<Blob, "set" | "metadata">,
  etag: string | undefined,
): Promise<boolean> {
  const headers = jwksHeaders(step.target);
  const answer = await call(step, url, "PUT", {
    body: JSON.stringify(set),
    headers: {
      "content-type": headers["content-type"],
      "x-ms-blob-type": "BlockBlob",
      "x-ms-blob-content-type": headers["content-type"],
      "x-ms-blob-cache-control": headers["cache-control"],
      ...Object.fromEntries(Object.entries(metadata).map(([name, value]) => [`${prefix}${name}`, value])),
      ...(etag === undefined ? { "if-none-match": "*" } : { "if-match": etag }),
    },
  });
  if (answer.status === 201) return true;
  // 409 is a blob that another call has just made, or that is being written.
  if (answer.status === 412 || (answer.status === 409 && answer.headers.get("x-ms-error-code") === "BlobAlreadyExists"))
    return false;
  throw refusal(answer, url);
}

/** Shows that the app may write the blob, by a write that no blob can meet the condition of. Throws `TARGET_FORBIDDEN` where it may not. */
export async function demandMayWrite(step: Publishing, url: string): Promise<void> {
  const impossible = '"0x0"';
  const absent = { set: { keys: [] }, metadata: {} };
  if (!(await writeBlob(step, url, absent, impossible))) return;
  throw new PinionError("TARGET_MISCONFIGURED", `${url} ignores the condition of a write: it is no Azure blob.`);
}

/** Metadata's name for the mark of one key's rotations: several signers may publish in one set. */
export function markName(keyUrl: string): string {
  const name = keyUrl.split("/").slice(0, 5).join("/").toLowerCase();
  return `pinion_${createHash("sha256").update(name).digest("hex").slice(0, 16)}`;
}

async function call(
  { ports, signal }: Publishing,
  url: string,
  method: "GET" | "PUT",
  { headers = {}, body }: { headers?: Readonly<Record<string, string>>; body?: string } = {},
): Promise<Answer> {
  const token = await within(signal, ports.token("https://storage.azure.com/.default"));
  return await ask(url, {
    method,
    signal,
    headers: {
      authorization: `Bearer ${token}`,
      "x-ms-version": "2024-11-04",
      "x-ms-date": new Date(ports.now()).toUTCString(),
      ...headers,
    },
    ...(body === undefined ? {} : { body }),
  });
}

function refusal({ status, headers }: Answer, url: string): PinionError {
  const code = headers.get("x-ms-error-code") ?? String(status);
  if (status === 401 || status === 403) {
    return new PinionError(
      "TARGET_FORBIDDEN",
      `The app may not read and write ${url} (${code}): give it Storage Blob Data Contributor on the container, and its network a way in.`,
      { class: "propagation" },
    );
  }
  return new PinionError(
    "TARGET_MISCONFIGURED",
    `${url} answered ${code}: check the account, the container and the name.`,
  );
}
