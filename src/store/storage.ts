import type { TokenCredential } from "@azure/core-auth";
import { TableClient } from "@azure/data-tables";
import { BlobServiceClient, type ContainerClient } from "@azure/storage-blob";
import { PinionError } from "../errors.ts";

/** Where Pinion keeps its own records: a connection string, or service URLs opened with the app's identity. */
export type StorageSettings =
  | { readonly connectionString: string }
  | { readonly blobUrl: string; readonly tableUrl: string };

/** Where evidence is kept: the same account, or one of its own. */
export type EvidenceSettings = { readonly connectionString: string } | { readonly blobUrl: string };

/** Pinion's own storage: one table of records, one container of leases, one of evidence. */
export interface Storage {
  readonly records: TableClient;
  readonly leases: ContainerClient;
  readonly evidence: ContainerClient;
  /** A blob by its full URL, in this or another account (a policy kept in storage). */
  readonly blobService: BlobServiceClient;
  /**
   * Makes table and containers where they are missing; cheap after the first call. It asks before: where they are there already, the
   * identity needs no right to make any.
   */
  ready(): Promise<void>;
}

const names = { records: "PinionRecords", leases: "pinion-leases", evidence: "pinion-evidence" } as const;

// Every call is written so that a repeat after a lost reply is harmless, so a short retry by the SDK is safe here.
const retry = { maxRetries: 2, retryDelayInMs: 100, maxRetryDelayInMs: 500 };

/** Opens Pinion's storage; `evidenceSettings` where its records of rotations have an account of their own. */
export function openStorage(
  settings: StorageSettings,
  credential: TokenCredential,
  evidenceSettings: EvidenceSettings = settings,
): Storage {
  const blobService = openBlobs(settings, credential);
  const records =
    "connectionString" in settings
      ? TableClient.fromConnectionString(settings.connectionString, names.records, {
          retryOptions: retry,
          allowInsecureConnection: settings.connectionString.includes("http://"),
        })
      : new TableClient(settings.tableUrl, names.records, credential, { retryOptions: retry });
  const leases = blobService.getContainerClient(names.leases);
  const evidence = openBlobs(evidenceSettings, credential).getContainerClient(names.evidence);
  let made: Promise<void> | undefined;
  return {
    records,
    leases,
    evidence,
    blobService,
    ready() {
      made ??= Promise.all([
        Promise.all([haveTable(records), haveContainer(leases)]).catch(failing("PINION_STORAGE")),
        haveContainer(evidence).catch(failing("PINION_EVIDENCE")),
      ]).then(
        () => undefined,
        (error: unknown) => {
          made = undefined;
          throw error;
        },
      );
      return made;
    },
  };
}

const failing = (setting: string) => (error: unknown) => {
  throw storageError(error, setting);
};

function openBlobs(settings: EvidenceSettings, credential: TokenCredential): BlobServiceClient {
  const retryOptions = { maxTries: 3, retryDelayInMs: 100, maxRetryDelayInMs: 500 };
  return "connectionString" in settings
    ? BlobServiceClient.fromConnectionString(settings.connectionString, { retryOptions })
    : new BlobServiceClient(settings.blobUrl, credential, { retryOptions });
}

/** Whether a container is there. Reading what is not in it tells; a right to read blobs is enough for that. */
export async function hasContainer(container: ContainerClient): Promise<boolean> {
  const found = container.getBlobClient("none").getProperties();
  return (await found.then(() => undefined, codeOf)) !== "ContainerNotFound";
}

/** The same of a table. */
export async function hasTable(table: TableClient): Promise<boolean> {
  return (await table.getEntity("none", "none").then(() => undefined, codeOf)) !== "TableNotFound";
}

async function haveContainer(container: ContainerClient): Promise<void> {
  if (!(await hasContainer(container))) await container.createIfNotExists();
}

async function haveTable(table: TableClient): Promise<void> {
  if (!(await hasTable(table))) await table.createTable();
}

/** Storage's code for what was not found; any other error is thrown on. */
function codeOf(error: unknown): string | undefined {
  if (statusOf(error) !== 404) throw error;
  const { code, details } = error as {
    code?: string;
    details?: { errorCode?: string; odataError?: { code?: string } };
  };
  return code ?? details?.errorCode ?? details?.odataError?.code;
}

/** The status of a storage reply, or undefined for anything that is not one. */
export function statusOf(error: unknown): number | undefined {
  return typeof error === "object" && error !== null && "statusCode" in error && typeof error.statusCode === "number"
    ? error.statusCode
    : undefined;
}

/** Storage's failures: a right that is missing may still be spreading; everything else passes. */
export function storageError(error: unknown, setting = "PINION_STORAGE"): Error {
  if (error instanceof PinionError) return error;
  if (error instanceof Error && error.name === "AbortError") return error;
  const status = statusOf(error);
  const kind = status === 403 || status === 401 ? "propagation" : "transient";
  return new PinionError(
    "STORAGE_UNAVAILABLE",
    `Pinion's storage did not do its part (${status ?? "no connection"}): check ${setting} and the identity's roles on it.`,
    {
      class: kind,
    },
  );
}
