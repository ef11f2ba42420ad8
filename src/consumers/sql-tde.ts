import { type AzureRole, groupOf, type Need } from "../azure/role.ts";
import { type Backup, isInstance, openSqlServer, type Partner, type SqlServer } from "../azure/sql-server.ts";
import type { ConsumerStep, Retention } from "../consumer.ts";
import { holdsKey, isOurs, type KeyRoles, misconfigured, versionIn, type HeldKey } from "./customer-key.ts";

type Step = ConsumerStep<"sql-tde">;

/** A server whose databases are protected by the key, or that must know it since it holds replicas. */
interface Linked {
  readonly server: SqlServer;
  /** The version of our key that protects it; undefined for one that has a key of its own. */
  readonly version: string | undefined;
  readonly followsNewest: boolean;
}

interface Held extends HeldKey {
  /** In the order in which they move. */
  readonly servers: readonly Linked[];
}

const actionsAt = (type: string, ...names: readonly string[]) => names.map((name) => `Microsoft.Sql/${type}/${name}`);
const restorable = [
  "databases/read",
  "databases/backupShortTermRetentionPolicies/read",
  "databases/backupLongTermRetentionPolicies/read",
  "restorableDroppedDatabases/read",
];

/** At each server, whichever way it reads the key. */
const protection = (key: string, what: string, type: string): KeyRoles => ({
  pinned: {
    key,
    description: `Adds keys to ${what} and makes one its TDE protector.`,
    actions: actionsAt(type, "keys/read", "keys/write", "encryptionProtector/read", "encryptionProtector/write"),
  },
  latest: {
    key: `${key}-latest`,
    description: `Reads which key is the TDE protector of ${what}.`,
    actions: actionsAt(type, "encryptionProtector/read"),
  },
});
const serverRoles = protection("sql-server", "a logical server", "servers");
const instanceRoles = protection("sql-instance", "a managed instance", "managedInstances");

const sqlRoles = {
  serverGroup: {
    key: "sql-server-group",
    description: "Reads the failover groups of a logical server.",
    actions: actionsAt("servers", "failoverGroups/read"),
  },
  /** At a resource group: Azure has these groups nowhere else, by region. */
  instanceGroup: {
    key: "sql-instance-group",
    description: "Reads the failover groups of managed instances.",
    actions: actionsAt("locations", "instanceFailoverGroups/read"),
  },
  instanceRegion: {
    key: "sql-instance-region",
    description: "Reads in which region a managed instance is.",
    actions: actionsAt("managedInstances", "read"),
  },
  serverRetention: {
    key: "sql-server-retention",
    description: "Reads for how long the databases of a logical server can be restored.",
    actions: actionsAt("servers", "read", ...restorable),
  },
  instanceRetention: {
    key: "sql-instance-retention",
    description: "Reads for how long the databases of a managed instance can be restored.",
    actions: actionsAt("managedInstances", ...restorable),
  },
  /** At a resource group, as the next one: where backups outlive their servers. */
  serverBackups: {
    key: "sql-server-backups",
    description: "Reads which long-term backups of logical servers' databases are kept.",
    actions: actionsAt("locations", "longTermRetentionServers/longTermRetentionBackups/read"),
  },
  instanceBackups: {
    key: "sql-instance-backups",
    description: "Reads which long-term backups of managed instances' databases are kept.",
    actions: actionsAt("locations", "longTermRetentionManagedInstances/longTermRetentionManagedInstanceBackups/read"),
  },
} as const satisfies Readonly<Record<string, AzureRole>>;

/** The server itself, whose partners are looked for, and those that the policy names. */
const serversOf = ({ resourceId, secondaries = [] }: Step["consumer"]) => [
  { id: resourceId, isOwn: true },
  ...secondaries.map((id) => ({ id, isOwn: false })),
];

/**
 * The TDE protector of a logical server or a managed instance, and of its partners in failover groups. Every server that is linked by
 * geo-replication must know a key before the primary's protector may become it (`SameKeyMaterialNotFoundOnRemoteServer`): so the key is
 * added everywhere, then the secondaries move, the primary last. Keys are only ever added: old backups need the old ones.
 */
export const sqlTde = holdsKey<"sql-tde", Held>({
  kind: "sql-tde",
  roles: [...Object.values(serverRoles), ...Object.values(instanceRoles), ...Object.values(sqlRoles)],
  // Partners that only a failover group tells of are not known beforehand.
  needs: (consumer) =>
    serversOf(consumer).flatMap(({ id, isOwn }): readonly Need[] => {
      const { [consumer.reads]: role } = isInstance(id) ? instanceRoles : serverRoles;
      if (!isOwn) return [{ role, at: id }];
      const group = isInstance(id)
        ? [
            { role: sqlRoles.instanceRegion, at: id },
            { role: sqlRoles.instanceGroup, at: groupOf(id) },
          ]
        : [{ role: sqlRoles.serverGroup, at: id }];
      return [{ role, at: id }, ...group];
    }),
  retentionNeeds: (consumer) =>
    serversOf(consumer).flatMap(({ id, isOwn }): readonly Need[] =>
      isInstance(id)
        ? [
            { role: sqlRoles.instanceRetention, at: id },
            { role: sqlRoles.instanceBackups, at: groupOf(id) },
            ...(isOwn ? [] : [{ role: sqlRoles.instanceRegion, at: id }]),
          ]
        : [
            { role: sqlRoles.serverRetention, at: id },
            { role: sqlRoles.serverBackups, at: groupOf(id) },
          ],
    ),

  async look(step) {
    const { own, partners } = await linked(step);
    if (own.version === undefined) throw misconfigured(step, `is not protected by ${step.object.baseUrl}`);
    const ours = [...partners.map(({ link }) => link), own].filter(({ version }) => version !== undefined);
    if (ours.some(({ followsNewest }) => followsNewest !== own.followsNewest))
      throw misconfigured(step, "and its failover partners must all follow the newest version by themselves, or none");
    const behind = ours.filter(({ version }) => version !== own.version).map(({ server }) => server.name);
    const chosen = (primary: boolean) => partners.filter((one) => one.primary === primary).map(({ link }) => link);
    return {
      servers: [...chosen(false), own, ...chosen(true)],
      pinned: own.followsNewest ? undefined : own.version,
      active: own.version,
      pending: undefined,
      apart: behind.length === 0 ? undefined : `${behind.join(", ")} on another version`,
    };
  },

  async write({ object }, version, { servers }) {
    const url = `${object.baseUrl}/${version}`;
    const name = serverKeyName(url);
    for (const { server } of servers) {
      const known = await server.keyNames();
      if (!known.some((one) => one.toLowerCase() === name.toLowerCase())) await server.addKey(name, url);
    }
    for (const { server, version: now } of servers)
      if (now !== undefined && now !== version) await server.protect(name, false);
  },

  async retention(step, now) {
    const { own, partners } = await linked(step);
    const servers = [own, ...partners.map(({ link }) => link)].map(({ server }) => server);
    const found = (await Promise.all(servers.map((server) => retentionsOf(server, now)))).flat();
    return found.reduce((longest, one) => (one.days > longest.days ? one : longest));
  },
});

async function linked(step: Step) {
  const { arm, consumer, signal } = step;
  const look = async (id: string): Promise<Linked> => {
    const server = await openSqlServer(arm, id, signal);
    const { url, followsNewest } = await server.protector();
    return { server, followsNewest, version: isOurs(step, url) ? versionIn(step, url) : undefined };
  };
  const own = await look(consumer.resourceId);
  const declared = (consumer.secondaries ?? []).map((id): Partner => ({ id, primary: false }));
  const found = [...declared, ...(await own.server.partners())];
  const known = new Map(found.map((partner) => [partner.id.toLowerCase(), partner]));
  const partners = await Promise.all(
    [...known.values()].map(async ({ id, primary }) => ({ link: await look(id), primary })),
  );
  return { own, partners };
}

/** `<vault>_<key>_<version>`, the only name that a server takes (Azure resource name rules, servers / keys). */
function serverKeyName(url: string): string {
  const { hostname, pathname } = new URL(url);
  const [, , key = "", version = ""] = pathname.split("/");
  return `${hostname.split(".")[0] ?? ""}_${key}_${version}`;
}

const day = 86_400_000;
/** The most that point-in-time restore can be set to; the policy of a dropped database is not told any more. */
const longestPointInTime = 35;

/** The longest that long-term retention can be set to: ten years. */
const longestLongTerm = 3660;

async function retentionsOf(server: SqlServer, now: number): Promise<readonly Retention[]> {
  const [databases, dropped, backups] = await Promise.all([server.retentions(), server.dropped(), server.backups()]);
  const at = `of ${server.name}`;
  return [
    { days: 0, why: `no backup ${at} needs a former version` },
    ...databases.map(({ name, days }) => ({ days, why: `point-in-time restore of ${name} ${at}` })),
    ...databases.flatMap(({ name, longTerm }) =>
      longTerm.map((text) => ({ days: daysOf(text), why: `long-term retention (${text}) of ${name} ${at}` })),
    ),
    ...(dropped === 0 ? [] : [{ days: longestPointInTime, why: `restore of a dropped database ${at}` }]),
    ...backups.map((backup) => ({ days: lifeOf(backup, now), why: `a kept long-term backup ${at}` })),
  ];
}

/**
 * A backup's whole life in days, and not what is left of it: what needs a version was taken before the move, so it ends within its life
 * from then. One that is there beyond its end (a legal hold) counts for as long as it is.
 */
function lifeOf({ backupTime, backupExpirationTime }: Backup, now: number): number {
  if (backupTime === undefined || backupExpirationTime === undefined) return longestLongTerm;
  return Math.max(0, Math.ceil((Math.max(backupExpirationTime.getTime(), now) - backupTime.getTime()) / day));
}

/** An ISO 8601 duration of years, months, weeks and days, in days, rounded up. One that cannot be read counts as the longest, ten years. */
function daysOf(text: string): number {
  const match = /^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T.*)?$/.exec(text);
  if (match === null) return longestLongTerm;
  const [years = 0, months = 0, weeks = 0, days = 0] = match.slice(1).map((part) => Number(part ?? 0));
  return years * 366 + months * 31 + weeks * 7 + days;
}
