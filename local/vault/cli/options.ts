import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { schemas } from "../../azure/event-grid/event.ts";
import type { Schema } from "../../azure/event-grid/event.ts";
import { nameFault } from "../options.ts";
import { findRole } from "../roles.ts";

/** What the command line asks for. */
export interface CliOptions {
  readonly vaults: readonly string[];
  /** Of the first vault; the others follow. 0: the ports of the last run, or free ones. */
  readonly port: number;
  /** Absent: nothing outlives the process. */
  readonly state?: string;
  readonly keyFile?: string;
  readonly tls?: string;
  readonly strict: boolean;
  readonly tenant: string;
  readonly identities: readonly IdentityOption[];
  readonly propagationSeconds: number;
  readonly retentionDays: number;
  readonly purgeProtection: boolean;
  readonly throttling: boolean;
  readonly deleteDelaySeconds: number;
  readonly events?: { readonly url: string; readonly schema: Schema };
  readonly json: boolean;
}

/** `--identity name=Role@scope,Role`. */
export interface IdentityOption {
  readonly name: string;
  /** `scope` is the part below a vault (`secrets/x`), in every vault; absent: the whole vault. */
  readonly roles: readonly { readonly role: string; readonly scope?: string }[];
}

/** A command line that cannot be followed; the message says why. */
export class UsageError extends Error {}

export const help = `npm run vault -- [options]: Key Vaults on 127.0.0.1, for tests in any language.

  --vault NAME          a vault, by Azure's rule for names; repeatable (kv-local)
  --port N              port of the first vault, the next ones count up from it (8443); 0: free ones
  --state DIR           keep everything in DIR, sealed; without it nothing outlives the process
  --key-file FILE       the key that seals it; else PINION_VAULT_KEY, else your own in your configuration folder
  --tls DIR             certificates are kept in DIR; else in your configuration folder
  --auth any|strict     any: every bearer token is taken (default); strict: tokens, roles and audience are checked
  --identity NAME[=ROLE[@SCOPE],...]
                        with strict: who may do what, e.g. app='Key Vault Secrets User@secrets/db'; repeatable
                        (admin='Key Vault Administrator'); the first is also the managed identity
  --tenant UUID         with strict: the tenant (00000000-0000-4000-8000-000000000000)
  --propagation S       with strict: seconds that a change of roles takes to count (0)
  --retention DAYS      how long deleted objects can be recovered, 7 to 90 (90)
  --purge-protection    nobody purges before that
  --delete-delay S      seconds that deletions and recoveries take (0)
  --throttling          keep the documented rate limits
  --events URL          deliver events to this webhook, with Event Grid's handshake
  --events-schema NAME  EventGridSchema (default) or CloudEventSchemaV1_0
  --json                say what is served as one line of JSON
  --help                this

While it runs, GET /_emulator/ of any vault lists the controls: clock, faults, log, reset, snapshots, roles ...`;

/** Reads the command line; "help" when that is what was asked for. Throws a UsageError. */
export function parseOptions(args: readonly string[]): CliOptions | "help" {
  const values = read(args);
  if (values.help) return "help";
  const vaults = values.vault ?? ["kv-local"];
  for (const name of vaults) {
    const fault = nameFault(name);
    if (fault !== undefined) throw new UsageError(fault);
  }
  if (new Set(vaults.map((name) => name.toLowerCase())).size < vaults.length) {
    throw new UsageError("Two vaults have the same name.");
  }
  if (values.auth !== "any" && values.auth !== "strict") throw new UsageError("--auth is any or strict.");
  const strict = values.auth === "strict";
  if (!strict && values.identity) throw new UsageError("--identity means something with --auth strict only.");
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(values.tenant)) {
    throw new UsageError("--tenant is a UUID.");
  }
  const schema = schemas.find((one) => one === values["events-schema"]);
  if (!schema) throw new UsageError(`--events-schema is ${schemas.join(" or ")}.`);
  return {
    vaults,
    port: number("port", values.port, 0, 65_536 - vaults.length - 2),
    ...(values.state === undefined ? {} : { state: resolve(values.state) }),
    ...(values["key-file"] === undefined ? {} : { keyFile: resolve(values["key-file"]) }),
    ...(values.tls === undefined ? {} : { tls: resolve(values.tls) }),
    strict,
    tenant: values.tenant.toLowerCase(),
    identities: (values.identity ?? ["admin=Key Vault Administrator"]).map(identity),
    propagationSeconds: number("propagation", values.propagation, 0),
    retentionDays: number("retention", values.retention, 7, 90),
    purgeProtection: values["purge-protection"],
    throttling: values.throttling,
    deleteDelaySeconds: number("delete-delay", values["delete-delay"], 0),
    ...(values.events === undefined ? {} : { events: { url: webhook(values.events), schema } }),
    json: values.json,
  };
}

function read(args: readonly string[]) {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        vault: { type: "string", multiple: true },
        port: { type: "string", default: "8443" },
        state: text,
        "key-file": text,
        tls: text,
        auth: { type: "string", default: "any" },
        identity: { type: "string", multiple: true },
        tenant: { type: "string", default: "00000000-0000-4000-8000-000000000000" },
        propagation: { type: "string", default: "0" },
        retention: { type: "string", default: "90" },
        "purge-protection": flag,
        "delete-delay": { type: "string", default: "0" },
        throttling: flag,
        events: text,
        "events-schema": { type: "string", default: "EventGridSchema" },
        json: flag,
        help: flag,
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function number(name: string, text: string, least: number, most = 1e9): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (value >= least && value <= most) return value;
  const range = most === 1e9 ? `${least} or more` : `${least} to ${most}`;
  throw new UsageError(`--${name} is a whole number, ${range}.`);
}

function identity(text: string): IdentityOption {
  const [name = "", list = ""] = text.split(/=(.*)/s);
  if (!/^[\w-]{1,64}$/.test(name)) throw new UsageError(`--identity ${text}: the name has letters, digits, _ and -.`);
  const roles = list
    .split(",")
    .filter(Boolean)
    .map((one) => {
      const [role = "", scope] = one.split("@").map((part) => part.trim());
      const found = findRole(role);
      if (!found) throw new UsageError(`--identity ${text}: there is no role ${role} for the contents of a vault.`);
      return { role: found.name, ...(scope === undefined ? {} : { scope }) };
    });
  return { name, roles };
}

function webhook(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text;
  throw new UsageError("--events is an http or https URL.");
}
