import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../pipelines/checks.ts";

// What can be said of a command without Azure: that az and azd have it, that its options are real, that the files it names are there.

const group = ["resource-group"];
const vault = ["vault-name", "name"];
const storage = ["account-name", "auth-mode"];
/** Commands of az that pages may use, with the options that they take there. */
const azCommands: Readonly<Record<string, readonly string[]>> = {
  "cloud set": ["name"],
  login: ["tenant"],
  "account get-access-token": ["resource"],
  "ad app delete": ["id"],
  "ad signed-in-user show": [],
  "deployment group create": [...group, "parameters", "name", "template-file"],
  "deployment group what-if": [...group, "parameters"],
  "deployment sub show": ["name", "subscription"],
  "deployment sub create": ["location", "subscription", "parameters", "name"],
  "deployment sub what-if": ["location", "subscription", "parameters"],
  "eventgrid system-topic list": [...group, "subscription"],
  "eventgrid system-topic update": [...group, "name", "identity"],
  "eventgrid system-topic event-subscription delete": [...group, "name", "system-topic-name"],
  "functionapp config appsettings set": [...group, "name", "settings"],
  "functionapp restart": [...group, "name"],
  "functionapp deployment source config-zip": [...group, "name", "src"],
  "group create": ["name", "location"],
  "keyvault list-deleted": [],
  "keyvault recover": ["name"],
  "keyvault secret backup": [...vault, "file"],
  "keyvault secret list-deleted": ["vault-name"],
  "keyvault secret list-versions": vault,
  "keyvault secret recover": vault,
  "keyvault secret restore": ["vault-name", "file"],
  "network private-endpoint create": [
    ...group,
    "name",
    "subnet",
    "private-connection-resource-id",
    "group-id",
    "connection-name",
    "manual-request",
    "request-message",
  ],
  "network private-endpoint dns-zone-group create": [
    ...group,
    "endpoint-name",
    "name",
    "zone-name",
    "private-dns-zone",
  ],
  "network private-endpoint-connection approve": ["id"],
  "network private-endpoint-connection list": ["id"],
  "network vnet peering create": [...group, "vnet-name", "name", "remote-vnet", "allow-vnet-access"],
  "provider register": ["namespace"],
  "role assignment create": ["role", "assignee-object-id", "assignee-principal-type", "scope"],
  "storage blob upload": [...storage, "container-name", "name", "file", "overwrite"],
  "storage blob list": [...storage, "container-name"],
  "storage message clear": [...storage, "queue-name"],
  "storage message peek": [...storage, "queue-name", "num-messages"],
};
const everywhere = ["query", "output"];
const azdCommands: Readonly<Record<string, readonly string[]>> = {
  "auth login": [],
  "config set": [],
  down: [],
  deploy: [],
  "env get-values": [],
  "env new": [],
  "env set": [],
  provision: ["preview"],
  up: [],
};

/** What infra's parameter files read of the environment, and what azd itself does. */
export const settable = (name: string): boolean =>
  ["AZURE_RESOURCE_GROUP", "AZURE_LOCATION", "AZURE_SUBSCRIPTION_ID"].includes(name) ||
  ["base", "main", "dev", "test", "prod"].some((file) => {
    const path = join(root, `infra/${file}.bicepparam`);
    return existsSync(path) && readFileSync(path, "utf8").includes(`readEnvironmentVariable('${name}'`);
  });

/** The commands of a line: one after the other, and those inside of `$( )`. */
export const commandsOf = (line: string): readonly string[] =>
  [...line.matchAll(/(?:^|\$\(|&& |\| |; )\s*((?:az|azd) [^|)&;]*(?:\([^)]*\)[^|)&;]*)*)/g)].map(([, command]) =>
    command!.trim(),
  );

/** What is wrong with one command of az or azd; "" when nothing is. */
export function cloudFault(command: string): string {
  const words = [...command.matchAll(/"[^"]*"?|'[^']*'?|\S+/g)].map(([word]) => word);
  const [tool, ...rest] = words;
  const first = rest.findIndex((word) => word.startsWith("-"));
  const plain = first < 0 ? rest : rest.slice(0, first);
  const known = tool === "az" ? azCommands : azdCommands;
  const name = [plain.length, 3, 2, 1]
    .map((count) => plain.slice(0, count).join(" "))
    .find((one) => Object.hasOwn(known, one));
  if (name === undefined) return `${command}: ${tool} has no such command on our list`;
  const allowed = [...known[name]!, ...(tool === "az" ? everywhere : [])];
  for (const option of rest.filter((word) => word.startsWith("-")))
    if (!allowed.includes(option.replace(/^--/, "")))
      return `${command}: ${option} is no option of ${name} on our list`;
  for (const [, file = ""] of command.matchAll(/--(?:parameters|template-file) ([^\s"$=]+)(?=\s|$)/g))
    if (file !== "infra/onboard-orders.bicepparam" && !existsSync(join(root, file)))
      return `${command}: there is no ${file}`;
  const [, , variable = ""] = plain;
  if (name === "env set" && !settable(variable)) return `${command}: nothing reads ${variable}`;
  return "";
}
