import { seedAlternating, seedInPlace } from "../targets/postgres-seed.ts";
import { type Cloud, siteResourceId, vaultResourceId } from "./cloud.ts";

export const vault = "kv-contoso-orders-dev";
export const ordersSite = "orders-api";
export const reportsSite = "reports-api";

const day = 86_400_000;

/** ISO 8601 durations of the sample objects; tests shorten them. */
export interface Timing {
  readonly grace: string;
  readonly lag: string;
  readonly watch: string;
  readonly idleFor: string;
}

export const demoTiming: Timing = { grace: "PT1H", lag: "PT5M", watch: "PT10M", idleFor: "PT5M" };

/**
 * Days for which the first credentials of the demonstration are good. Thirty days before the end each is renewed for ninety, so that their
 * times never meet: one comes near its expiry after 60 days and every 60 from then on, the other 15 days later, and the certificate of
 * shop.ts another 15.
 */
export const firstValidDays = { orders: 90, reports: 105 } as const;

/** The settings the sites begin with: a reference that seeding pins, and one that has nothing to do with Pinion. */
export const sites = {
  [ordersSite]: { ORDERS_DB: "unset", LOG_LEVEL: "info" },
  [reportsSite]: { REPORTS_DB: "unset", FEATURE_X: "on" },
} as const;

/** Where the app finds a consumer's health endpoint, by site. */
export type HealthUrls = Readonly<Partial<Record<string, string>>>;

/**
 * Seeds what a team would have: a database with two roles for the orders service and one for the reports service, their credentials in
 * the vault, and each site's setting pinned to its version. Returns the policy for it.
 */
export async function seed(
  cloud: Cloud,
  health: HealthUrls = {},
  timing: Timing = demoTiming,
  validDays = firstValidDays,
) {
  const { postgres } = cloud;
  const orders = await seedAlternating(postgres, {
    database: "orders",
    owner: "orders_owner",
    roles: ["orders_a", "orders_b"],
    admin: "pinion_orders",
  });
  const reports = await seedInPlace(postgres, { database: "reports", role: "reports", admin: "pinion_reports" });
  const secrets = cloud.secrets(vault);
  const expiry = (days: number) => new Date(cloud.clock.now() + days * day);
  const login = ({ user, password }: { user: string; password: string }, database: string) =>
    JSON.stringify({ host: postgres.host, port: postgres.port, database, username: user, password });
  const put = async (name: string, value: string, contentType: string, days: number) =>
    (await secrets.setSecret(name, value, { contentType, expiresOn: expiry(days) })).properties.version ?? "";
  await put("pinion-orders-admin", orders.admin.password, "text/plain", validDays.orders);
  await put("pinion-reports-admin", reports.admin.password, "text/plain", validDays.reports);
  const versions = {
    orders: await put("orders-db", login(orders.roles[0], "orders"), "application/json", validDays.orders),
    reports: await put("reports-db", login(reports.role, "reports"), "application/json", validDays.reports),
  };
  const url = cloud.vaultUrl(vault);
  await setSetting(
    cloud,
    ordersSite,
    "ORDERS_DB",
    `@Microsoft.KeyVault(SecretUri=${url}/secrets/orders-db/${versions.orders})`,
  );
  await setSetting(
    cloud,
    reportsSite,
    "REPORTS_DB",
    `@Microsoft.KeyVault(SecretUri=${url}/secrets/reports-db/${versions.reports})`,
  );
  return { policy: policyFor(cloud, health, timing), versions };
}

/** The sample policy. It is what a team would write, with this machine's addresses. */
export function policyFor(cloud: Cloud, health: HealthUrls, timing: Timing) {
  const { host, port } = cloud.postgres;
  const url = cloud.vaultUrl(vault);
  const common = {
    vault: "orders",
    kind: "secret",
    validity: "P90D",
    rotateBefore: "P30D",
    grace: timing.grace,
    suspend: { watch: timing.watch, idleFor: timing.idleFor },
    format: { type: "json", username: "username", password: "password" },
  };
  const consumer = (site: string, setting: string) => ({
    kind: "app-service",
    id: site,
    resourceId: siteResourceId(site),
    setting,
    reads: "pinned",
    lag: timing.lag,
    ...(health[site] !== undefined && { health: { url: health[site], versionField: "version" } }),
  });
  const admin = (name: string) => ({ user: `pinion_${name}`, secret: `${url}/secrets/pinion-${name}-admin` });
  return {
    version: 1,
    mode: "rotate",
    vaults: { orders: { uri: url, resourceId: vaultResourceId(vault) } },
    objects: [
      {
        id: "orders-db",
        name: "orders-db",
        ...common,
        rotator: {
          kind: "postgres",
          strategy: "alternating",
          target: {
            host,
            port,
            database: "orders",
            tls: { mode: "disable" },
            roles: ["orders_a", "orders_b"],
            admin: admin("orders"),
            probe: "SELECT item FROM app.orders",
          },
        },
        consumers: [consumer(ordersSite, "ORDERS_DB")],
      },
      {
        id: "reports-db",
        name: "reports-db",
        ...common,
        acceptGap: true,
        rotator: {
          kind: "postgres",
          strategy: "in-place",
          target: {
            host,
            port,
            database: "reports",
            tls: { mode: "disable" },
            role: "reports",
            admin: admin("reports"),
            probe: "SELECT item FROM app.orders",
          },
        },
        consumers: [consumer(reportsSite, "REPORTS_DB")],
      },
    ],
  };
}

/** Changes one setting of a site as a deployment would, through ARM. */
export async function setSetting(cloud: Cloud, site: string, name: string, value: string): Promise<void> {
  const current = await arm<{ properties: Record<string, string> }>(
    cloud,
    "POST",
    `${siteResourceId(site)}/config/appsettings/list`,
  );
  await arm(cloud, "PUT", `${siteResourceId(site)}/config/appsettings`, {
    properties: { ...current.properties, [name]: value },
  });
}

/** An ARM call with the rights of a person. */
export async function arm<T>(cloud: Cloud, method: string, path: string, body?: unknown): Promise<T> {
  const { request } = await import("node:https");
  const { token } = await cloud.azure.tokens.issue({
    audience: "https://management.azure.com",
    objectId: "cccccccc-0000-4000-8000-000000000002",
    appId: "cccccccc-0000-4000-8000-000000000001",
  });
  return new Promise<T>((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const call = request(
      `${cloud.azure.url}${path}?api-version=2025-03-01`,
      { method, headers, ca: cloud.tls.ca },
      (reply) => {
        const chunks: Buffer[] = [];
        reply.on("data", (chunk: Buffer) => chunks.push(chunk));
        reply.on("end", () => {
          const text = Buffer.concat(chunks).toString();
          if ((reply.statusCode ?? 0) >= 300) reject(new Error(`${method} ${path}: ${reply.statusCode} ${text}`));
          else resolve((text === "" ? undefined : JSON.parse(text)) as T);
        });
      },
    );
    call.on("error", reject);
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
