import { PinionError } from "./errors.ts";
import { isSafeUrl } from "./policy-texts.ts";

/** Where Pinion keeps its records: a connection string, or service URLs opened with the app's identity. */
export type StorageConfig =
  /** `connectionString` is not enumerable, and JSON and `util.inspect` show `[redacted]`: read it by name only. */
  | { readonly connectionString: string }
  | { readonly blobUrl: string; readonly queueUrl: string; readonly tableUrl: string };

/** The app settings, parsed. Times and names only, but for the connection string in `storage`, which hides itself. */
export interface Config {
  /** Tables, leases and evidence of Pinion's own. */
  readonly storage: StorageConfig;
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
  /** Who may roll back and finish: callers with {@link Config.operatorRole}, or (local cloud only) holders of a function key. */
  readonly commandAuthority: "entra" | "keys";
  /** The Entra app role that may roll back and finish. */
  readonly operatorRole: string;
  /** Whether App Service authentication is on, so that a principal header can be believed. */
  readonly appServiceAuth: boolean;
  /** The kill switch: no rotation starts. */
  readonly stop: boolean;
  /** Client id of the user-assigned identity; undefined for the system-assigned one. */
  readonly clientId: string | undefined;
}

/** Every app setting that Pinion reads. `AzureWebJobsStorage` and `PINION_STORAGE` may be split in `__...` settings. */
export const settingNames = [
  "AzureWebJobsStorage",
  "PINION_STORAGE",
  "PINION_POLICY",
  "PINION_TOPIC_ENDPOINT",
  "PINION_EVENTS_QUEUE",
  "PINION_SWEEP_SCHEDULE",
  "PINION_RESOURCE_MANAGER_URL",
  "PINION_RESOURCE_MANAGER_AUDIENCE",
  "PINION_COMMAND_AUTHORITY",
  "PINION_OPERATOR_ROLE",
  "PINION_STOP",
  "AZURE_CLIENT_ID",
  "WEBSITE_AUTH_ENABLED",
] as const;

type SettingName = (typeof settingNames)[number];
type Env = Readonly<Record<string, string | undefined>>;

const serviceUris = ["blobServiceUri", "queueServiceUri", "tableServiceUri"] as const;
const storageForms =
  "a storage connection string, or in its place __accountName, or __blobServiceUri with __queueServiceUri and __tableServiceUri";

const isLoopback = (url: string): boolean => /^(localhost|\[::1\]|127(\.\d+){3})$/.test(new URL(url).hostname);
const isPlainUrl = (url: string): boolean => isSafeUrl(url) && !/[?#]/.test(url);
const trimSlash = (url: string): string => url.replace(/\/+$/, "");

/** Hides a connection string from everything that walks an object: JSON, inspect, spread, structured clone. */
function sealed(connectionString: string): { readonly connectionString: string } {
  const redacted = () => "[redacted]";
  const hidden = { enumerable: false, writable: false, configurable: false };
  return Object.defineProperties({} as { connectionString: string }, {
    connectionString: { ...hidden, value: connectionString },
    toJSON: { ...hidden, value: redacted },
    [Symbol.for("nodejs.util.inspect.custom")]: { ...hidden, value: redacted },
  });
}

function isConnectionString(text: string): boolean {
  const parts = new Map(
    text.split(";").map((part) => [part.split("=", 1)[0]?.trim().toLowerCase(), part.slice(part.indexOf("=") + 1)]),
  );
  if (parts.get("usedevelopmentstorage")?.trim() === "true") return true;
  const endpoints = ["blobendpoint", "queueendpoint", "tableendpoint"].map((name) => parts.get(name));
  // A key that travels over plain http is given away, so http is for this machine only.
  const safe = endpoints.every((url) => url === undefined || (URL.canParse(url) && isSafeUrl(url)));
  const named = parts.get("defaultendpointsprotocol") === "https" || endpoints.every((url) => url !== undefined);
  return safe && named && ((parts.has("accountname") && parts.has("accountkey")) || parts.has("sharedaccesssignature"));
}

/**
 * Parses the app settings once. All faults are in one PinionError CONFIG_INVALID: each setting's name and what was
 * expected. Values are never printed. An empty setting counts as absent.
 */
export function parseConfig(env: Env): Config {
  const faults: string[] = [];
  const read = (name: string): string | undefined => env[name]?.trim() || undefined;

  /** A setting as text that `check` accepts; else a fault and the default. */
  function setting<T extends string | undefined>(
    name: SettingName,
    fallback: T,
    expected: string,
    check: (text: string) => boolean,
  ): string | T {
    const text = read(name);
    if (text === undefined || check(text)) return text ?? fallback;
    faults.push(`${name}: expected ${expected}.`);
    return fallback;
  }

  const flag = (name: SettingName): boolean =>
    setting(name, "false", `"true" or "false"`, (text) => /^(true|false)$/i.test(text)).toLowerCase() === "true";

  /** One storage account in any of its forms; undefined when none of its settings is there, or when they are faulty. */
  function storage(name: "AzureWebJobsStorage" | "PINION_STORAGE"): StorageConfig | undefined {
    const connectionString = read(name);
    const accountName = read(`${name}__accountName`);
    const uris = serviceUris.map((uri) => read(`${name}__${uri}`));
    const forms = [connectionString, accountName, uris.find((uri) => uri !== undefined)].filter(
      (form) => form !== undefined,
    );
    if (forms.length === 0) return undefined;
    const fault = (which: string, expected: string) => void faults.push(`${which}: expected ${expected}.`);
    if (forms.length > 1) return (fault(name, `one form only: ${storageForms}`), undefined);
    if (connectionString !== undefined) {
      if (isConnectionString(connectionString)) return sealed(connectionString);
      return (fault(name, `${storageForms} (https, or http to this machine)`), undefined);
    }
    if (accountName !== undefined) {
      if (!/^[a-z0-9]{3,24}$/.test(accountName))
        return (fault(`${name}__accountName`, "3 to 24 lower-case letters and digits"), undefined);
      const url = (service: string) => `https://${accountName}.${service}.core.windows.net`;
      return { blobUrl: url("blob"), queueUrl: url("queue"), tableUrl: url("table") };
    }
    const bad = serviceUris.filter((_, at) => !isPlainUrl(uris[at] ?? ""));
    for (const uri of bad) fault(`${name}__${uri}`, "an https URL without query");
    const [blobUrl, queueUrl, tableUrl] = uris.map((uri) => trimSlash(uri ?? ""));
    if (bad.length > 0 || blobUrl === undefined || queueUrl === undefined || tableUrl === undefined) return undefined;
    return { blobUrl, queueUrl, tableUrl };
  }

  const before = faults.length;
  const hostStorage = storage("AzureWebJobsStorage");
  if (hostStorage === undefined && faults.length === before)
    faults.push(`AzureWebJobsStorage: expected ${storageForms}; it is missing.`);
  const ownStorage = storage("PINION_STORAGE") ?? hostStorage;

  const policy = setting(
    "PINION_POLICY",
    "rotations.json",
    "a path inside the app's folder, or the https URL of a blob without query (it is read with the app's identity)",
    (text) => (text.includes("://") ? isPlainUrl(text) : !/^([/\\]|[A-Za-z]:)|(^|[/\\])\.\.([/\\]|$)/.test(text)),
  );
  const resourceManagerUrl = trimSlash(
    setting("PINION_RESOURCE_MANAGER_URL", "https://management.azure.com", "an https URL without query", isPlainUrl),
  );
  const commandAuthority = setting(
    "PINION_COMMAND_AUTHORITY",
    "entra",
    `"entra" or "keys"`,
    (text) => text === "entra" || text === "keys",
  );
  // A function key is no person: it may command only where nothing real can be changed.
  if (commandAuthority === "keys" && !isLoopback(resourceManagerUrl)) {
    faults.push(
      `PINION_COMMAND_AUTHORITY: expected "entra"; "keys" is for a cloud on this machine (PINION_RESOURCE_MANAGER_URL there too).`,
    );
  }

  const config: Omit<Config, "storage"> = {
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
      setting("PINION_RESOURCE_MANAGER_AUDIENCE", resourceManagerUrl, "an https URL without query", isPlainUrl),
    ),
    commandAuthority: commandAuthority === "keys" ? "keys" : "entra",
    operatorRole: setting("PINION_OPERATOR_ROLE", "Pinion.Operator", "the name of an app role", (text) =>
      /^[\w.:-]{1,120}$/.test(text),
    ),
    appServiceAuth: flag("WEBSITE_AUTH_ENABLED"),
    stop: flag("PINION_STOP"),
    clientId: setting("AZURE_CLIENT_ID", undefined, "a client id (GUID)", (text) =>
      /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text),
    ),
  };

  if (faults.length > 0 || ownStorage === undefined) {
    throw new PinionError(
      "CONFIG_INVALID",
      `The app settings have ${faults.length === 1 ? "1 fault" : `${faults.length} faults`}:\n- ${faults.join("\n- ")}`,
    );
  }
  return { ...config, storage: ownStorage };
}
