import { z } from "zod";
import type { BlobConfig, StorageConfig } from "../config-storage.ts";
import { type Context, once } from "./context.ts";
import { nameOf, readArm } from "./read-arm.ts";
import { siteId } from "./site.ts";

const connection = z.array(
  z.object({
    properties: z.object({ privateLinkServiceConnectionState: z.object({ status: z.string() }).nullish() }),
  }),
);
export type Connections = z.output<typeof connection>;
export const connections = connection.nullish();

/** For how long blobs are kept, and whether that can still be shortened. */
export const immutability = z.object({
  state: z.string().nullish(),
  immutabilityPeriodSinceCreationInDays: z.number().nullish(),
});
export type Immutability = z.output<typeof immutability>;

const account = z.object({
  properties: z.object({
    allowSharedKeyAccess: z.boolean().nullish(),
    allowBlobPublicAccess: z.boolean().nullish(),
    publicNetworkAccess: z.string().nullish(),
    networkAcls: z.object({ defaultAction: z.string().nullish(), bypass: z.string().nullish() }).nullish(),
    privateEndpointConnections: connections,
    immutableStorageWithVersioning: z
      .object({ enabled: z.boolean().nullish(), immutabilityPolicy: immutability.nullish() })
      .nullish(),
  }),
});
export type Account = z.output<typeof account>["properties"];

/** The hosts of an account's services, by which DNS and TLS are checked. */
export function hostsOf(storage: BlobConfig | StorageConfig): readonly string[] {
  if ("connectionString" in storage) return [];
  return Object.values(storage).map((url: string) => new URL(url).hostname);
}

/** An account's name, out of its address or its connection string. */
export function accountName(storage: BlobConfig): string {
  if ("connectionString" in storage)
    return /AccountName=([^;]+)/i.exec(storage.connectionString)?.[1] ?? "devstoreaccount1";
  const { hostname, pathname } = new URL(storage.blobUrl);
  // An emulator has the account in the path.
  return /^(localhost|127\.|\[::1\])/.test(hostname) ? (pathname.split("/")[1] ?? "") : (hostname.split(".")[0] ?? "");
}

/** The account's ARM id: as azd's output names it, else beside the function app, where infra/main.bicep puts it. */
export function accountId({ env }: Context, storage: BlobConfig): string | undefined {
  const name = accountName(storage);
  const told = env["PINION_EVENTS_STORAGE_ID"];
  if (told !== undefined && nameOf(told).toLowerCase() === name.toLowerCase()) return told;
  const group = /^.*\/resourceGroups\/[^/]+/i.exec(siteId(env) ?? "")?.[0];
  return group === undefined ? undefined : `${group}/providers/Microsoft.Storage/storageAccounts/${name}`;
}

/** What Azure Resource Manager says of the account; undefined where its id is not known, or nothing is there. */
export function readAccount(context: Context, storage: BlobConfig, signal: AbortSignal): Promise<Account | undefined> {
  const id = accountId(context, storage);
  if (id === undefined) return Promise.resolve(undefined);
  return once(context, id, async () => (await readArm(context, id, "2024-01-01", account, signal))?.properties);
}
