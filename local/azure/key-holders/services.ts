import { isRecord } from "../http.ts";
import type { Properties } from "./resources.ts";

/** What one service does with its key, beside what all do. URLs have a version, or none when the newest is followed. */
export interface Service {
  readonly type: string;
  /** Faults and counts go by `<operation>.get`, `.put` and `.patch`. */
  readonly operation: string;
  /** How PATCH is answered; `accepted` has no header to poll, the state in the resource tells. */
  readonly answers: "at once" | "accepted" | "location" | "async operation";
  /** Whether its data is wrapped anew for a while after a change. */
  readonly rewraps: boolean;
  /** The error for a key that is not to be had [unconfirmed where docs/consumers/keys.md says so]. */
  readonly keyMissing: string;
  /** The properties after a PATCH, before the key is taken. */
  merge(before: Properties, given: Properties): Properties;
  /** Every key that the properties name; none: not a customer's. */
  keys(properties: Properties): readonly string[];
  /** The version in use, as far as the resource shows it. */
  uses(properties: Properties): string;
  /** Whether the first of them follows the newest version. */
  follows(properties: Properties): boolean;
  /** The properties with the version that the first key stands for now. */
  use(properties: Properties, url: string, now: string): Properties;
}

const text = (value: unknown): string => (typeof value === "string" ? value : "");
const record = (value: unknown): Record<string, unknown> => (isRecord(value) ? value : {});
const list = (value: unknown): readonly Record<string, unknown>[] =>
  Array.isArray(value) ? value.filter(isRecord) : [];
const url = (vault: unknown, name: unknown, version: unknown): string =>
  [text(vault).replace(/\/+$/, ""), "keys", text(name), text(version)].filter((part) => part !== "").join("/");
const versionOf = (key: unknown): string => text(key).split("/").at(-1) ?? "";
const hasVersion = (key: string): boolean => new URL(key).pathname.split("/").length > 3;

/** Whether PATCH would keep what is not sent is not documented: here it does not, so that a client which relies on it is found. */
const storage: Service = {
  type: "Microsoft.Storage/storageAccounts",
  operation: "storageAccounts",
  answers: "at once",
  rewraps: false,
  keyMissing: "KeyVaultEncryptionKeyNotFound",
  merge: (before, given) => ({ ...before, ...given }),
  keys: ({ encryption }) => {
    const { keyname, keyvaulturi, keyversion } = record(record(encryption)["keyvaultproperties"]);
    return keyname === undefined ? [] : [url(keyvaulturi, keyname, keyversion)];
  },
  uses: ({ encryption }) =>
    versionOf(record(record(encryption)["keyvaultproperties"])["currentVersionedKeyIdentifier"]),
  follows: ({ encryption }) => text(record(record(encryption)["keyvaultproperties"])["keyversion"]) === "",
  use: (properties, key, now) => {
    const encryption = record(properties["encryption"]);
    const { keyname, keyvaulturi, keyversion } = record(encryption["keyvaultproperties"]);
    const told = { currentVersionedKeyIdentifier: key, lastKeyRotationTimestamp: now };
    return {
      ...properties,
      encryption: { ...encryption, keyvaultproperties: { keyname, keyvaulturi, keyversion, ...told } },
    };
  },
};

const disks: Service = {
  type: "Microsoft.Compute/diskEncryptionSets",
  operation: "diskEncryptionSets",
  answers: "location",
  rewraps: true,
  keyMissing: "KeyVaultSecretDoesNotExist",
  merge: (before, given) => ({ ...before, ...given }),
  keys: ({ activeKey }) => [text(record(activeKey)["keyUrl"])],
  uses: ({ activeKey }) => versionOf(record(activeKey)["keyUrl"]),
  follows: ({ rotationToLatestKeyVersionEnabled: latest }) => latest === true,
  use: (properties, key, now) => ({
    ...properties,
    activeKey: { ...record(properties["activeKey"]), keyUrl: key },
    lastKeyRotationTimestamp: now,
  }),
};

const cosmos: Service = {
  type: "Microsoft.DocumentDB/databaseAccounts",
  operation: "databaseAccounts",
  answers: "async operation",
  rewraps: false,
  keyMissing: "BadRequest",
  merge: (before, given) => ({ ...before, ...given }),
  keys: ({ keyVaultKeyUri: key }) => (key === undefined ? [] : [text(key)]),
  uses: ({ keyVaultKeyUriVersion }) => text(keyVaultKeyUriVersion),
  follows: ({ keyVaultKeyUri: key }) => !hasVersion(text(key)),
  use: (properties, key) => ({ ...properties, keyVaultKeyUriVersion: key.split("/").at(-1) }),
};

const namespace = (provider: string, operation: string): Service => ({
  type: `${provider}/namespaces`,
  operation,
  answers: "accepted",
  rewraps: false,
  keyMissing: "BadRequest",
  merge: (before, given) => ({ ...before, ...given }),
  keys: ({ encryption }) =>
    list(record(encryption)["keyVaultProperties"]).map(({ keyVaultUri, keyName, keyVersion }) =>
      url(keyVaultUri, keyName, keyVersion),
    ),
  uses: () => "",
  follows: () => false,
  use: (properties) => properties,
});

export const services: readonly Service[] = [
  storage,
  disks,
  cosmos,
  namespace("Microsoft.ServiceBus", "serviceBusNamespaces"),
  namespace("Microsoft.EventHub", "eventHubsNamespaces"),
];
