import type { BlobConfig, StorageConfig } from "../config-storage.ts";
import type { PolicyVault } from "../policy.ts";
import { accountName, type Connections, hostsOf, readAccount } from "./account.ts";
import type { Context } from "./context.ts";
import { eachOf, type Said } from "./finding.ts";
import { vaultsOf } from "./vault.ts";
import { readVault } from "./vault-properties.ts";

/** A vault or a storage account as its private endpoints concern it. */
interface Place {
  readonly name: string;
  /** The hosts that have to resolve to private addresses. */
  readonly hosts: readonly string[];
  /** Nobody comes in from a public network. */
  readonly shut: boolean;
  readonly connections: Connections;
}

/** Looks at each vault of the policy, and each of the app's storage accounts, that is shut to the public network. */
export async function eachShut(
  context: Context,
  signal: AbortSignal,
  look: (place: Place) => Promise<readonly Said[]>,
): Promise<readonly Said[]> {
  return eachOf(
    await placesOf(context, signal),
    ({ name }) => name,
    async ({ find }) => {
      const place = await find();
      return place?.shut === true ? look(place) : [];
    },
  );
}

async function placesOf(
  context: Context,
  signal: AbortSignal,
): Promise<readonly { readonly name: string; find(): Promise<Place | undefined> }[]> {
  const { config, hostStorage } = context;
  const accounts = new Map([config.evidence, config.storage, hostStorage].map((one) => [accountName(one), one]));
  return [
    ...(await vaultsOf(context)).map((one) => ({
      name: new URL(one.uri).host,
      find: () => vaultPlace(context, one, signal),
    })),
    ...[...accounts].map(([name, storage]) => ({ name, find: () => accountPlace(context, storage, signal) })),
  ];
}

async function vaultPlace(context: Context, one: PolicyVault, signal: AbortSignal): Promise<Place | undefined> {
  const found = await readVault(context, one, signal);
  const { host, hostname } = new URL(one.uri);
  return (
    found && {
      name: host,
      hosts: [hostname],
      shut: found.publicNetworkAccess === "Disabled",
      connections: found.privateEndpointConnections ?? [],
    }
  );
}

async function accountPlace(
  context: Context,
  storage: BlobConfig | StorageConfig,
  signal: AbortSignal,
): Promise<Place | undefined> {
  const found = await readAccount(context, storage, signal);
  return (
    found && {
      name: accountName(storage),
      hosts: hostsOf(storage),
      shut: found.publicNetworkAccess === "Disabled",
      connections: found.privateEndpointConnections ?? [],
    }
  );
}
