import type { TokenCredential } from "@azure/core-auth";
import { TableClient } from "@azure/data-tables";
import { BlobServiceClient, type ContainerClient } from "@azure/storage-blob";
import { PinionError } from "../errors.ts";

/** Where Pinion keeps its own records: a connection string, or service URLs opened with the app's identity. */
export type StorageSettings =
  | { readonly connectionString: string }
  | { readonly blobUrl: string; readonly tableUrl: string };

/** Pinion's own storage: one table of records, one container of leases, one of evidence. */
export interface Storage {
  readonly records: TableClient;
  readonly leases: ContainerClient;
  readonly evidence: ContainerClient;
  /** A blob by its full URL, in this or another account (a policy kept in storage). */
  readonly blobService: BlobServiceClient;
  /** Makes table and containers where they are missing; cheap after the first call. */
  ready(): Promise<void>;
}

const names = { records: "PinionRecords", leases: "pinion-leases", evidence: "pinion-evidence" } as const;

// Every call is written so that a repeat after a lost reply is harmless, so a short retry by the SDK is safe here.
const retry = { maxRetries: 2, retryDelayInMs: 100, maxRetryDelayInMs: 500 };

export function openStorage(settings: StorageSettings, credential: TokenCredential): Storage {
  const blobRetry = { maxTries: 3, retryDelayInMs: 100, maxRetryDelayInMs: 500 };
  const [blobService, records] =
    "connectionString" in settings
      ? [
          BlobServiceClient.fromConnectionString(settings.connectionString, { retryOptions: blobRetry }),
          TableClient.fromConnectionString(settings.connectionString, names.records, {
            retryOptions: retry,
            allowInsecureConnection: settings.connectionString.includes("http://"),
          }),
        ]
      : [
          new BlobServiceClient(settings.blobUrl, credential, { retryOptions: blobRetry }),
          new TableClient(settings.tableUrl, names.records, credential, { retryOptions: retry }),
        ];
  const leases = blobService.getContainerClient(names.leases);
  const evidence = blobService.getContainerClient(names.evidence);
  let made: Promise<void> | undefined;
  return {
    records,
    leases,
    evidence,
    blobService,
    ready() {
      made ??= Promise.all([records.createTable(), leases.createIfNotExists(), evidence.createIfNotExists()]).then(
        () => undefined,
        (error: unknown) => {
          made = undefined;
          throw storageError(error);
        },
      );
      return made;
    },
  };
}

/** The status of a storage reply, or undefined for anything that is not one. */
export function statusOf(error: unknown): number | undefined {
  return typeof error === "object" && error !== null && "statusCode" in error && typeof error.statusCode === "number"
    ? error.statusCode
    : undefined;
}

/** Storage's failures: a right that is missing may still be spreading; everything else passes. */
export function storageError(error: unknown): Error {
  if (error instanceof PinionError) return error;
  if (error instanceof Error && error.name === "AbortError") return error;
  const status = statusOf(error);
  const kind = status === 403 || status === 401 ? "propagation" : "transient";
  return new PinionError(
    "STORAGE_UNAVAILABLE",
    `Pinion's storage did not do its part (${status ?? "no connection"}): check PINION_STORAGE and the identity's roles on it.`,
    {
      class: kind,
    },
  );
}
