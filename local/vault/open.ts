import { join } from "node:path";
import { judge } from "./azure-policy.ts";
import type { CertificateObject, CertificateVersion, ContactsVersion, IssuerVersion } from "./certificates/model.ts";
import { createCollection } from "./collection.ts";
import type { AnyCollection, Commit, ObjectRecord } from "./collection.ts";
import type { Events, Source } from "./events.ts";
import { openJournal } from "./journal.ts";
import type { Journal } from "./journal.ts";
import { noticeMs } from "./keys/rotation-policy.ts";
import { createThrottle } from "./throttle.ts";
import type { Budget, Throttle } from "./throttle.ts";
import type { Key, KeyVersion, ObjectType, SecretVersion, Vault, VaultOptions, VaultSettings } from "./model.ts";

/** What a vault begins with and a reset goes back to. */
export const defaultSettings: Readonly<VaultSettings> = {
  deleteDelayMs: 0,
  certificateDelayMs: 500,
  issuerDelayMs: 500,
  issuerError: undefined,
  throttling: false,
  network: undefined,
  policy: undefined,
};

/** What one line of a journal holds: changes that belong together. Older journals have a single one, without brackets. */
export type Entry = readonly ObjectRecord[] | ObjectRecord;

/** A vault with the journal that its collections are written to. */
export interface OpenVault {
  readonly vault: Vault;
  readonly journal: Journal<Entry>;
  readonly throttle: Throttle;
  /** All that the vault holds, and the way back to it. */
  readonly dump: () => Entry[];
  readonly load: (entries: readonly Entry[]) => void;
}

/** What the vaults of a state folder share. */
export interface Surroundings {
  readonly stateDir: string;
  /** Seals everything. */
  readonly key: Buffer;
  readonly events: Events;
  /** Whose rate limits they share. */
  readonly subscription: Budget;
}

/** Opens the vault with what its journal holds, and has its events watched. */
export function openVault(
  options: VaultOptions,
  url: string,
  { stateDir, key, events, subscription }: Surroundings,
): OpenVault {
  const { name, resourceId, retentionDays = 90, purgeProtection = false } = options;
  const commit: Commit = (changes) => {
    if (changes.length === 0) return;
    judge(changes);
    journal.append(changes.map(({ record }) => record));
    for (const { apply } of changes) apply();
  };
  const secrets = createCollection<SecretVersion>("secrets", commit);
  const keys = createCollection<KeyVersion, Key>("keys", commit);
  const certificates = createCollection<CertificateVersion, CertificateObject>("certificates", commit);
  const issuers = createCollection<IssuerVersion>("issuers", commit);
  const contacts = createCollection<ContactsVersion>("contacts", commit);
  const collections = [secrets, keys, certificates, issuers, contacts];
  const replay = (entry: Entry) => {
    for (const record of [entry].flat()) collections.find(({ kind }) => kind === record.kind)?.replay(record);
  };
  const snapshot = (): Entry[] => collections.flatMap((one) => one.snapshot().map((record) => [record]));
  const journal: Journal<Entry> = openJournal(join(stateDir, `${name}.journal`), key, replay, snapshot);
  const source = (objectType: ObjectType, collection: AnyCollection, more: Partial<Source> = {}): Source => ({
    vault: { name, url, resourceId },
    objectType,
    collection,
    durable: journal.durable,
    ...more,
  });
  const nearBefore = (keyName: string) => {
    const key = keys.find(keyName);
    return key && noticeMs(key);
  };
  const sources = [source("Secret", secrets), source("Key", keys, { nearBefore }), source("Certificate", certificates)];
  const vault: Vault = {
    name,
    url,
    resourceId,
    retentionDays,
    purgeProtection,
    secrets,
    keys,
    certificates,
    issuers,
    contacts,
    collections,
    commit,
    key,
    settings: { ...defaultSettings },
    created(type, object, version) {
      const found = sources.find(({ objectType }) => objectType === type);
      if (found) events.created(found, object, version);
    },
  };
  for (const one of sources) events.watch(one);
  const load = (entries: readonly Entry[]) => {
    journal.rewrite(entries);
    for (const { kind, snapshot: all, replay: put } of collections) {
      for (const { name: gone } of all()) put({ kind, name: gone, state: null });
    }
    entries.forEach(replay);
  };
  return { vault, journal, throttle: createThrottle(subscription), dump: snapshot, load };
}
