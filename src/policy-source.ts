import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { TokenCredential } from "@azure/core-auth";
import { BlobClient, type BlobServiceClient } from "@azure/storage-blob";
import type { Config } from "./config.ts";
import { parsePolicyText, type ParsedPolicy, type RotatorFacts } from "./policy-file.ts";

const freshFor = 10_000;

/**
 * The policy, read again when it is older than 10 seconds, and parsed again only when its text changed. A policy that cannot be read is
 * one fault, and starts nothing; running rotations wait for it.
 */
export function openPolicy(
  where: Config["policy"],
  folder: string,
  blobs: BlobServiceClient,
  credential: TokenCredential,
  rotators: RotatorFacts,
): () => Promise<ParsedPolicy> {
  let known: { text: string; parsed: ParsedPolicy } | undefined;
  let readAt = -Infinity;
  const read = async (): Promise<string> =>
    "path" in where
      ? await readFile(join(folder, where.path), "utf8")
      : (await blobAt(where.url, blobs, credential).downloadToBuffer()).toString("utf8");
  return async () => {
    if (known !== undefined && performance.now() - readAt < freshFor) return known.parsed;
    try {
      const text = await read();
      if (known?.text !== text) known = { text, parsed: parsePolicyText(text, rotators) };
      readAt = performance.now();
      return known.parsed;
    } catch {
      const place = "path" in where ? where.path : new URL(where.url).pathname;
      return {
        policy: undefined,
        faults: [
          {
            path: "",
            message: `${place} could not be read`,
            expected: "a policy that PINION_POLICY names and the app's identity may read",
          },
        ],
      };
    }
  };
}

/** A blob of Pinion's own account is opened as that account is; any other with the app's identity. */
function blobAt(url: string, own: BlobServiceClient, credential: TokenCredential): BlobClient {
  if (!url.startsWith(`${own.url.replace(/\/+$/, "")}/`)) return new BlobClient(url, credential);
  const [container = "", ...name] = url.slice(own.url.replace(/\/+$/, "").length + 1).split("/");
  return own.getContainerClient(container).getBlobClient(decodeURIComponent(name.join("/")));
}
