import {
  type BlobConfig,
  isPlainUrl,
  readBlobs,
  readStorage,
  type SettingReader,
  type StorageConfig,
  storageForms,
  trimSlash,
} from "./config-storage.ts";
import { PinionError } from "./errors.ts";

/** Who may call the API. Known even while other settings are faulty, so that their faults can be told to the right people. */
export interface Access {
  /** Whether App Service authentication is on: then a principal header can be believed, and nobody calls without one. */
  readonly appServiceAuth: boolean;
  /** The Entra app role that may read. */
  readonly readerRole: string;
  /** The Entra app role that may start, roll back and finish, and read. */
  readonly operatorRole: string;
  /** Who may command: callers with {@link Access.operatorRole}, or (local cloud only) holders of a function key. */
  readonly commandAuthority: "entra" | "keys";
}

/** The app settings, parsed. Times and names only, but for the connection strings, which hide themselves. */
export interface Config extends Access {
  /** Tables and leases of Pinion's own. */
  readonly storage: StorageConfig;
  /** Where the records of rotations go: an account of its own, or `storage`. */
  readonly evidence: BlobConfig;
  /** Where the policy is: a path relative to the app's folder, or a blob read with the app's identity. */
  readonly policy: { readonly path: string } | { readonly url: string };
  /** The custom topic for `Pinion.Rotation.*` events. */
  readonly topicEndpoint: string | undefined;
  readonly eventsQueue: string;
  /** NCRONTAB with six fields. */
  readonly sweepSchedule: string;
  /** Without a slash at its end. */
  readonly resourceManagerUrl: string;
  /** What tokens for it are asked for; its own address, in every cloud of Azure. */
  readonly resourceManagerAudience: string;
  /** The kill switch: no rotation starts. */
  readonly stop: boolean;
  /** Nothing is rotated, whatever the policy says; the sweep reports. */
  readonly observe: boolean;
  /** Client id of the user-assigned identity; undefined for the system-assigned one. */
  readonly clientId: string | undefined;
}

/** Every app setting that Pinion reads. Those that name storage may be split: see `storageParts`. */
export const settingNames = [
  "AzureWebJobsStorage",
  "PINION_STORAGE",
  "PINION_EVIDENCE",
  "PINION_POLICY",
  "PINION_TOPIC_ENDPOINT",
  "PINION_EVENTS_QUEUE",
  "PINION_SWEEP_SCHEDULE",
  "PINION_RESOURCE_MANAGER_URL",
  "PINION_RESOURCE_MANAGER_AUDIENCE",
  "PINION_COMMAND_AUTHORITY",
  "PINION_READER_ROLE",
  "PINION_OPERATOR_ROLE",
  "PINION_OBSERVE",
  "PINION_STOP",
  "AZURE_CLIENT_ID",
  "AZURE_AUTHORITY_HOST",
  "WEBSITE_AUTH_ENABLED",
] as const;

type SettingName = (typeof settingNames)[number];
type Env = Readonly<Record<string, string | undefined>>;

/** What the settings say: the config, where there are no faults; every fault, naming the setting and what was expected; and who may call. */
export interface Settings {
  readonly config: Config | undefined;
  readonly faults: readonly string[];
  readonly access: Access;
}

const publicHosts = ["management.azure.com", "login.microsoftonline.com"];
const isLoopback = (url: string): boolean => /^(localhost|\[::1\]|127(\.\d+){3})$/.test(new URL(url).hostname);
const isSovereign = (url: string): boolean => !isLoopback(url) && !publicHosts.includes(new URL(url).hostname);
const isGuid = (text: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
const isRole = (text: string): boolean => /^[\w.:-]{1,120}$/.test(text);

/** Reads the app settings once. Values are never printed. An empty setting counts as absent. */
export function readSettings(env: Env): Settings {
  const faults: string[] = [];
  const read = (name: string): string | undefined => env[name]?.trim() || undefined;
  const fault = (name: string, expected: string): undefined => void faults.push(`${name}: expected ${expected}.`);

  /** A setting as text that `check` accepts; else a fault and the default. */
  function setting<T extends string | undefined>(
    name: SettingName,
    fallback: T,
    expected: string,
    check: (text: string) => boolean,
  ): string | T {
    const text = read(name);
    if (text === undefined || check(text)) return text ?? fallback;
    fault(name, expected);
    return fallback;
  }

  const flag = (name: SettingName): boolean =>
    setting(name, "false", `"true" or "false"`, (text) => /^(true|false)$/i.test(text)).toLowerCase() === "true";

  const url = "an https URL without query";
  const resourceManagerUrl = trimSlash(
    setting("PINION_RESOURCE_MANAGER_URL", "https://management.azure.com", url, isPlainUrl),
  );
  // Read by @azure/identity; here it is only checked.
  const authority = setting("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com", url, isPlainUrl);
  const clientId = setting("AZURE_CLIENT_ID", undefined, "a client id (GUID)", isGuid);

  const sovereign = isSovereign(resourceManagerUrl) || isSovereign(authority);
  const { hostStorage, storage, evidence } = readAccounts({ read, fault, sovereign }, faults);
  checkHostIdentity({ read, fault, sovereign });

  const policy = setting(
    "PINION_POLICY",
    "rotations.json",
    "a path inside the app's folder, or the https URL of a blob without query (it is read with the app's identity)",
    (text) => (text.includes("://") ? isPlainUrl(text) : !/^([/\\]|[A-Za-z]:)|(^|[/\\])\.\.([/\\]|$)/.test(text)),
  );
  const commandAuthority = setting(
    "PINION_COMMAND_AUTHORITY",
    "entra",
    `"entra" or "keys"`,
    (text) => text === "entra" || text === "keys",
  );
  // A function key is no person: it may command only where nothing real can be changed.
  if (commandAuthority === "keys" && !isLoopback(resourceManagerUrl)) {
    fault(
      "PINION_COMMAND_AUTHORITY",
      `"entra"; "keys" is for a cloud on this machine (PINION_RESOURCE_MANAGER_URL there too)`,
    );
  }
  const access: Access = {
    appServiceAuth: flag("WEBSITE_AUTH_ENABLED"),
    readerRole: setting("PINION_READER_ROLE", "Pinion.Reader", "the name of an app role", isRole),
    operatorRole: setting("PINION_OPERATOR_ROLE", "Pinion.Operator", "the name of an app role", isRole),
    commandAuthority: commandAuthority === "keys" ? "keys" : "entra",
  };

  const config: Omit<Config, "storage" | "evidence"> = {
    ...access,
    policy: policy.includes("://") ? { url: policy } : { path: policy },
    topicEndpoint: setting(
      "PINION_TOPIC_ENDPOINT",
      undefined,
      "the https URL of an Event Grid topic, without query",
      isPlainUrl,
    ),
    eventsQueue: setting(
      "PINION_EVENTS_QUEUE",
      "pinion-events",
      "a queue name: 3 to 63 lower-case letters, digits and single hyphens",
      (text) => text.length >= 3 && text.length <= 63 && /^[a-z0-9]+(-[a-z0-9]+)*$/.test(text),
    ),
    sweepSchedule: setting("PINION_SWEEP_SCHEDULE", "0 17 * * * *", "an NCRONTAB expression with six fields", (text) =>
      /^[\d*,/-]+(\s+[\dA-Za-z*,/-]+){5}$/.test(text),
    ),
    resourceManagerUrl,
    resourceManagerAudience: trimSlash(
      setting("PINION_RESOURCE_MANAGER_AUDIENCE", resourceManagerUrl, url, isPlainUrl),
    ),
    observe: flag("PINION_OBSERVE"),
    stop: flag("PINION_STOP"),
    clientId,
  };
  const own = storage ?? hostStorage;
  const sound = faults.length === 0 && own !== undefined;
  return { config: sound ? { ...config, storage: own, evidence: evidence ?? own } : undefined, faults, access };
}

function readAccounts(reader: SettingReader, faults: readonly string[]) {
  const before = faults.length;
  const hostStorage = readStorage(reader, "AzureWebJobsStorage");
  if (hostStorage === undefined && faults.length === before)
    reader.fault("AzureWebJobsStorage", `${storageForms}; it is missing`);
  return {
    hostStorage,
    storage: readStorage(reader, "PINION_STORAGE"),
    evidence: readBlobs(reader, "PINION_EVIDENCE"),
  };
}

/** The host opens its storage with an identity of its own settings; another one than the app's would lack the app's rights, or have too many. */
function checkHostIdentity({ read, fault }: SettingReader): void {
  const credential = read("AzureWebJobsStorage__credential");
  if (credential !== undefined && credential.toLowerCase() !== "managedidentity")
    fault("AzureWebJobsStorage__credential", `"managedidentity", or nothing`);
  const hostId = read("AzureWebJobsStorage__clientId");
  if (hostId !== undefined && hostId.toLowerCase() !== read("AZURE_CLIENT_ID")?.toLowerCase())
    fault("AzureWebJobsStorage__clientId", "the client id that AZURE_CLIENT_ID has: host and app are one identity");
}

/** All faults of the settings as one error. */
export function settingsError(faults: readonly string[]): PinionError {
  return new PinionError(
    "CONFIG_INVALID",
    `The app settings have ${faults.length === 1 ? "1 fault" : `${faults.length} faults`}:\n- ${faults.join("\n- ")}`,
  );
}

/** The app settings, or all their faults in one PinionError CONFIG_INVALID. */
export function parseConfig(env: Env): Config {
  const { config, faults } = readSettings(env);
  if (config === undefined) throw settingsError(faults);
  return config;
}
