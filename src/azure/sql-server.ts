import { PinionError } from "../errors.ts";
import type { Arm } from "./arm.ts";
import { openSql } from "./sql.ts";

/** What protects the databases of a server (TDE). */
export interface Protector {
  /** URL of the key's version; "" while the service manages the key. */
  readonly url: string;
  /** Whether the service itself moves to newer versions. */
  readonly followsNewest: boolean;
}

/** Another server that holds replicas of this one's databases, or whose databases this one holds replicas of. */
export interface Partner {
  readonly id: string;
  /** Whether its databases are the ones that are written to. */
  readonly primary: boolean;
}

/** How long one database can be restored: days of point-in-time restore, and ISO 8601 durations of long-term retention. */
export interface DatabaseRetention {
  readonly name: string;
  readonly days: number;
  readonly longTerm: readonly string[];
}

/** A logical server or a managed instance: both hold keys and a protector in the same way. */
export interface SqlServer {
  readonly id: string;
  readonly name: string;
  protector(): Promise<Protector>;
  /** Names of the keys that it knows, `<vault>_<key>_<version>`. */
  keyNames(): Promise<readonly string[]>;
  addKey(name: string, url: string): Promise<void>;
  /** Makes a key that it knows its protector. */
  protect(name: string, followsNewest: boolean): Promise<void>;
  partners(): Promise<readonly Partner[]>;
  retentions(): Promise<readonly DatabaseRetention[]>;
  /** Dropped databases that can still be restored. */
  dropped(): Promise<number>;
  /** The backups of long-term retention that are kept, also those of databases that are gone. */
  backups(): Promise<readonly Backup[]>;
}

/** A backup of long-term retention: when it was taken, and until when it is to be kept. */
export interface Backup {
  readonly backupTime?: Date;
  readonly backupExpirationTime?: Date;
}

const idPattern =
  /^\/subscriptions\/([^/]+)\/resourceGroups\/([^/]+)\/providers\/Microsoft\.Sql\/(servers|managedInstances)\/([^/]+)$/i;

/** Whether a resource id is that of a managed instance. */
export const isInstance = (id: string): boolean => idPattern.exec(id)?.[3]?.toLowerCase() === "managedinstances";

/** Opens a server by its ARM id. Errors are those of `openArm`. */
export async function openSqlServer(arm: Arm, id: string, signal: AbortSignal): Promise<SqlServer> {
  const [, subscription, group, , name] = idPattern.exec(id) ?? [];
  if (subscription === undefined || group === undefined || name === undefined)
    throw new PinionError("CONSUMER_MISCONFIGURED", `${id} is no server of Azure SQL: correct the policy.`);
  const client = await openSql(arm, subscription, signal);
  const at = [group, name] as const;
  const protector = ({ uri = "", autoRotationEnabled = false }): Protector => ({
    url: uri,
    followsNewest: autoRotationEnabled,
  });
  const key = (uri: string) => ({ serverKeyType: "AzureKeyVault", uri });
  const by = (serverKeyName: string, autoRotationEnabled: boolean) => ({
    serverKeyType: "AzureKeyVault",
    serverKeyName,
    autoRotationEnabled,
  });

  const server: SqlServer = {
    id,
    name,
    protector: async () => protector(await client.encryptionProtectors.get(...at, "current")),
    keyNames: async () => names(await all(client.serverKeys.listByServer(...at))),
    addKey: async (keyName, url) =>
      void (await client.serverKeys.beginCreateOrUpdateAndWait(...at, keyName, key(url), quick)),
    protect: async (keyName, follow) =>
      void (await client.encryptionProtectors.beginCreateOrUpdateAndWait(...at, "current", by(keyName, follow), quick)),
    partners: async () =>
      (await all(client.failoverGroups.listByServer(...at)))
        .flatMap(({ partnerServers = [] }) => partnerServers)
        .map((partner) => ({ id: partner.id, primary: partner.replicationRole === "Primary" })),
    retentions: async () => {
      const databases = names(await all(client.databases.listByServer(...at))).filter((one) => one !== "master");
      return inTurns(databases, async (one) => {
        const short = client.backupShortTermRetentionPolicies.get(...at, one, "default");
        const long = client.longTermRetentionPolicies.get(...at, one, "default");
        return retentionOf(one, await short, await long);
      });
    },
    dropped: async () => (await all(client.restorableDroppedDatabases.listByServer(...at))).length,
    backups: async () => {
      const { location } = await client.servers.get(...at);
      return await all(client.longTermRetentionBackups.listByResourceGroupServer(group, location, name));
    },
  };
  if (!isInstance(id)) return server;

  return {
    ...server,
    protector: async () => protector(await client.managedInstanceEncryptionProtectors.get(...at, "current")),
    keyNames: async () => names(await all(client.managedInstanceKeys.listByInstance(...at))),
    addKey: async (keyName, url) =>
      void (await client.managedInstanceKeys.beginCreateOrUpdateAndWait(...at, keyName, key(url), quick)),
    protect: async (keyName, follow) =>
      void (await client.managedInstanceEncryptionProtectors.beginCreateOrUpdateAndWait(
        ...at,
        "current",
        by(keyName, follow),
        quick,
      )),
    partners: async () => {
      const { location } = await client.managedInstances.get(...at);
      const groups = await all(client.instanceFailoverGroups.listByLocation(group, location));
      const pairs = groups.flatMap(({ managedInstancePairs = [] }) => managedInstancePairs);
      const same = (other: string | undefined) => other?.toLowerCase() === id.toLowerCase();
      return pairs.flatMap(({ primaryManagedInstanceId: one, partnerManagedInstanceId: other }): Partner[] => {
        if (one !== undefined && same(other)) return [{ id: one, primary: true }];
        return other !== undefined && same(one) ? [{ id: other, primary: false }] : [];
      });
    },
    retentions: async () => {
      const databases = names(await all(client.managedDatabases.listByInstance(...at)));
      return inTurns(databases, async (one) => {
        const short = client.managedBackupShortTermRetentionPolicies.get(...at, one, "default");
        const long = client.managedInstanceLongTermRetentionPolicies.get(...at, one, "default");
        return retentionOf(one, await short, await long);
      });
    },
    dropped: async () => (await all(client.restorableDroppedManagedDatabases.listByInstance(...at))).length,
    backups: async () => {
      const { location } = await client.managedInstances.get(...at);
      const backups = client.longTermRetentionManagedInstanceBackups;
      return await all(backups.listByResourceGroupInstance(group, location, name));
    },
  };
}

/** Our own ARM has waited already. */
const quick = { updateIntervalInMs: 0 };

async function all<T>(pages: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const one of pages) found.push(one);
  return found;
}

const names = (found: readonly { readonly name?: string }[]): string[] => found.flatMap(({ name }) => name ?? []);

const retentionOf = (
  name: string,
  { retentionDays = 0 }: { readonly retentionDays?: number },
  long: { readonly weeklyRetention?: string; readonly monthlyRetention?: string; readonly yearlyRetention?: string },
): DatabaseRetention => ({
  name,
  days: retentionDays,
  longTerm: [long.weeklyRetention, long.monthlyRetention, long.yearlyRetention].filter((one) => one !== undefined),
});

/** A few at a time: a server may have hundreds of databases. */
async function inTurns<T>(things: readonly string[], ask: (thing: string) => Promise<T>): Promise<T[]> {
  const found: T[] = [];
  for (let at = 0; at < things.length; at += 10) found.push(...(await Promise.all(things.slice(at, at + 10).map(ask))));
  return found;
}
