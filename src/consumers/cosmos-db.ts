import type { ConsumerStep } from "../consumer.ts";
import {
  atResource,
  holdsKey,
  isOurs,
  misconfigured,
  unsettled,
  versionIn,
  wholeResource,
  type HeldKey,
} from "./customer-key.ts";

const apiVersion = "2025-04-15";

interface Account {
  readonly properties?: {
    readonly keyVaultKeyUri?: string;
    /** Read only: the version in use. Documented as the version; taken also when it is a whole URL. */
    readonly keyVaultKeyUriVersion?: string;
    readonly provisioningState?: string;
    readonly backupPolicy?: {
      readonly type?: string;
      readonly periodicModeProperties?: { readonly backupRetentionIntervalInHours?: number };
      readonly continuousModeProperties?: { readonly tier?: string };
    };
  };
}

/**
 * A Cosmos DB account. The documented form of `keyVaultKeyUri` has no version, and the account then follows the newest one by itself; an
 * account that does name a version is moved as the others are.
 */
export const cosmosDb = holdsKey<"cosmos-db", HeldKey>({
  kind: "cosmos-db",
  ...atResource(wholeResource("cosmos-db", "a Cosmos DB account", "Microsoft.DocumentDB/databaseAccounts")),

  async look(step) {
    const { properties } = await get(step);
    const { keyVaultKeyUri: url = "", keyVaultKeyUriVersion: told } = properties ?? {};
    if (!isOurs(step, url)) throw misconfigured(step, `is not encrypted with ${step.object.baseUrl}`);
    return {
      pinned: versionIn(step, url),
      active: told === undefined || told === "" ? undefined : told.split("/").at(-1)?.toLowerCase(),
      pending: unsettled(properties?.provisioningState),
    };
  },

  async write({ arm, consumer, object, signal }, version) {
    const body = { properties: { keyVaultKeyUri: `${object.baseUrl}/${version}` } };
    await arm({ method: "PATCH", path: consumer.resourceId, apiVersion, body, signal });
  },

  /** A backup is restored with the version that was in use when it was taken. */
  async retention(step) {
    const policy = (await get(step)).properties?.backupPolicy;
    if (policy?.type === "Continuous") {
      const days = policy.continuousModeProperties?.tier === "Continuous7Days" ? 7 : 30;
      return { days, why: `continuous backup restores to any point of the last ${days} days` };
    }
    const hours = policy?.periodicModeProperties?.backupRetentionIntervalInHours;
    if (hours === undefined) return undefined;
    return { days: Math.max(1, Math.ceil(hours / 24)), why: `periodic backups are kept for ${hours} hours` };
  },
});

async function get({ arm, consumer, signal }: ConsumerStep<"cosmos-db">): Promise<Account> {
  return (await arm({ method: "GET", path: consumer.resourceId, apiVersion, signal })) as Account;
}
