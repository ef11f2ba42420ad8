import type { BlockBlobClient, ContainerClient } from "@azure/storage-blob";
import { PinionError } from "../errors.ts";
import { statusOf, storageError } from "../store/storage.ts";
import type { Command, Outcome } from "../store/types.ts";
import type { Before, Ending } from "../workflow/steps.ts";

/** The evidence of one rotation: who asked, what was proven, when. References only; times come from the durable history. */
export interface EvidenceRecord {
  readonly schema: "pinion-evidence/1";
  readonly rotationId: string;
  readonly object: { readonly id: string; readonly vault: string; readonly kind: string; readonly name: string };
  readonly rotator: { readonly kind: string; readonly strategy: string; readonly idle: "observable" | "unobservable" };
  readonly outcome: Outcome;
  readonly fault?: Ending["fault"];
  readonly startedAt: string;
  readonly endedAt: string;
  readonly commands: readonly Command[];
  readonly versions: { readonly source?: string; readonly staged?: string; readonly published?: string };
  readonly consumers: readonly Before[];
  readonly steps: Ending["timeline"];
}

/** Writes a record once. A second call finds the blob and is satisfied; nothing ever replaces it. Needs the rights to create and to read blobs. */
export async function writeEvidence(
  container: ContainerClient,
  record: EvidenceRecord,
  signal: AbortSignal,
): Promise<string> {
  const name = blobName(record.rotationId);
  const text = JSON.stringify(record, null, 2);
  const blob = container.getBlockBlobClient(name);
  try {
    await blob.upload(text, Buffer.byteLength(text), {
      conditions: { ifNoneMatch: "*" },
      blobHTTPHeaders: { blobContentType: "application/json" },
      abortSignal: signal,
    });
  } catch (error) {
    // A blob that is there answers 409 or 412, or, to an identity that may create and no more, 403.
    const there = [403, 409, 412].includes(statusOf(error) ?? 0) && (await exists(blob, signal));
    if (!there) throw storageError(error, "PINION_EVIDENCE");
  }
  return name;
}

async function exists(blob: BlockBlobClient, abortSignal: AbortSignal): Promise<boolean> {
  try {
    return await blob.exists({ abortSignal });
  } catch {
    return false;
  }
}

/** The record as it was written, or undefined. */
export async function readEvidence(
  container: ContainerClient,
  rotationId: string,
): Promise<EvidenceRecord | undefined> {
  try {
    return JSON.parse(
      (await container.getBlockBlobClient(blobName(rotationId)).downloadToBuffer()).toString("utf8"),
    ) as EvidenceRecord;
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw storageError(error, "PINION_EVIDENCE");
  }
}

function blobName(rotationId: string): string {
  if (!/^[a-z0-9-]{1,80}$/.test(rotationId)) throw new PinionError("NOT_FOUND", "That is not a rotation id.");
  return `${rotationId}.json`;
}
