import { isSafeUrl } from "./policy-texts.ts";

/** The blobs of a storage account: a connection string, or the service's URL opened with the app's identity. */
export type BlobConfig =
  /** `connectionString` is not enumerable, and JSON and `util.inspect` show `[redacted]`: read it by name only. */
  { readonly connectionString: string } | { readonly blobUrl: string };

/** The same for all three services. */
export type StorageConfig =
  | { readonly connectionString: string }
  | { readonly blobUrl: string; readonly queueUrl: string; readonly tableUrl: string };

/**
 * What may follow the name of a setting that names a storage account, as in `AzureWebJobsStorage__blobServiceUri`. `credential` and
 * `clientId` are for the Functions host, which opens its storage by them; Pinion uses the identity of AZURE_CLIENT_ID.
 */
export const storageParts = [
  "accountName",
  "blobServiceUri",
  "queueServiceUri",
  "tableServiceUri",
  "credential",
  "clientId",
] as const;

/** The forms that the setting of an account may have, for people. */
export const storageForms =
  "a storage connection string, or in its place __accountName, or __blobServiceUri with __queueServiceUri and __tableServiceUri";
const blobForms = "a storage connection string, or in its place __accountName or __blobServiceUri";

/** How settings are read, and where their faults go. */
export interface SettingReader {
  /** The trimmed text; undefined where there is none. */
  read(name: string): string | undefined;
  fault(name: string, expected: string): undefined;
  /** Not the public cloud: its addresses would be wrong here. */
  readonly sovereign: boolean;
}

/** An account whose blobs, queues and tables are used; undefined when none of its settings is there, or they are faulty. */
export function readStorage(reader: SettingReader, name: string): StorageConfig | undefined {
  const form = formOf(reader, name, storageForms);
  if (form === undefined || "connectionString" in form) return form;
  const [blobUrl, queueUrl, tableUrl] = (["blob", "queue", "table"] as const).map((service) => form.url(service));
  if (blobUrl === undefined || queueUrl === undefined || tableUrl === undefined) return undefined;
  return { blobUrl, queueUrl, tableUrl };
}

/** The same of an account whose blobs alone are used; URLs of its other services are let be. */
export function readBlobs(reader: SettingReader, name: string): BlobConfig | undefined {
  const form = formOf(reader, name, blobForms);
  if (form === undefined || "connectionString" in form) return form;
  const blobUrl = form.url("blob");
  return blobUrl === undefined ? undefined : { blobUrl };
}

type Service = "blob" | "queue" | "table";
/** The one form that is there; `url` of a service is a fault where it is none. */
type Form = { readonly connectionString: string } | { url(service: Service): string | undefined };

function formOf({ read, fault, sovereign }: SettingReader, name: string, expected: string): Form | undefined {
  const connectionString = read(name);
  const account = read(`${name}__accountName`);
  const uri = (service: Service) => read(`${name}__${service}ServiceUri`);
  const anyUri = uri("blob") ?? uri("queue") ?? uri("table");
  const forms = [connectionString, account, anyUri].filter((form) => form !== undefined);
  if (forms.length > 1) return fault(name, `one form only: ${expected}`);
  if (connectionString !== undefined) {
    if (isConnectionString(connectionString)) return sealed(connectionString);
    return fault(name, `${expected} (https, or http to this machine)`);
  }
  if (account !== undefined) {
    const part = `${name}__accountName`;
    if (!/^[a-z0-9]{3,24}$/.test(account)) return fault(part, "3 to 24 lower-case letters and digits");
    if (sovereign)
      return fault(
        part,
        "__blobServiceUri and its like in its place: a name alone means an account of the public cloud",
      );
    return { url: (service) => `https://${account}.${service}.core.windows.net` };
  }
  if (anyUri === undefined) return undefined;
  return {
    url(service) {
      const text = uri(service) ?? "";
      return isPlainUrl(text) ? trimSlash(text) : fault(`${name}__${service}ServiceUri`, "an https URL without query");
    },
  };
}

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

export const isPlainUrl = (url: string): boolean => isSafeUrl(url) && !/[?#]/.test(url);
export const trimSlash = (url: string): string => url.replace(/\/+$/, "");
