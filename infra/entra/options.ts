import { parseArgs } from "node:util";
import { PinionError } from "../../src/errors.ts";
import type { Wish } from "./wish.ts";

export const usage = `npm run entra -- --name NAME [options]: makes or mends the Entra application that people and pipelines call Pinion through.

  --name NAME        its display name; one of that name which this command did not make is left alone
  --client-id ID     its client id, where it is there already and others own it, or own it too
  --identity ID      object (principal) id of the app's managed identity, which stands in for a secret
  --site HOST        host name of the function app: people can sign in with a browser
  --operator ID      object id of a person, group or service principal that is given Pinion.Operator; repeatable
  --reader ID        the same for Pinion.Reader
  --cloud NAME       AzureCloud, AzureUSGovernment or AzureChinaCloud; default: that of az
  --tenant ID        with --print: the tenant; default: that of az
  --print            change nothing, ask nothing: print the commands for an administrator`;

/** The command line: what is wished, as far as it says so, and whether it is only printed. */
export interface EntraOptions extends Omit<Wish, "cloud" | "tenantId"> {
  readonly cloud: string | undefined;
  readonly tenant: string | undefined;
  readonly print: boolean;
}

const guid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Reads the command line; `BAD_REQUEST` says what is wrong with it. */
export function parseOptions(args: readonly string[]): EntraOptions {
  const { name, "client-id": clientId, identity, site, operator = [], reader = [], cloud, tenant, print } = read(args);
  if (name === undefined) throw new PinionError("BAD_REQUEST", usage);
  if (!/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,118}$/.test(name))
    throw new PinionError("BAD_REQUEST", "--name is 1 to 119 letters, digits, blanks, dots, hyphens or underscores.");
  for (const [option, ids] of Object.entries({
    "client-id": [clientId ?? []].flat(),
    identity: [identity ?? []].flat(),
    operator,
    reader,
    tenant: [tenant ?? []].flat(),
  }))
    for (const id of ids) if (!guid.test(id)) throw new PinionError("BAD_REQUEST", `--${option} is an id (a GUID).`);
  if (site !== undefined && !/^[a-z0-9-]+(\.[a-z0-9-]+)+$/.test(site))
    throw new PinionError("BAD_REQUEST", "--site is a host name, such as func-contoso.azurewebsites.net.");
  if (print && clientId !== undefined)
    throw new PinionError("BAD_REQUEST", "--print is for a new application, which has no --client-id yet.");
  const holding = (role: "Pinion.Operator" | "Pinion.Reader") => (principalId: string) => ({ role, principalId });
  return {
    name,
    clientId,
    identity,
    site,
    holders: [...operator.map(holding("Pinion.Operator")), ...reader.map(holding("Pinion.Reader"))],
    cloud,
    tenant,
    print,
  };
}

function read(args: readonly string[]) {
  const text = { type: "string" } as const;
  const many = { type: "string", multiple: true } as const;
  try {
    const print = { type: "boolean", default: false } as const;
    const options = {
      name: text,
      "client-id": text,
      identity: text,
      site: text,
      operator: many,
      reader: many,
      cloud: text,
      tenant: text,
      print,
    };
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw new PinionError("BAD_REQUEST", `${error instanceof Error ? error.message : "?"}\n\n${usage}`);
  }
}
