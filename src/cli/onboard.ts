import { readFile } from "node:fs/promises";
import { findRotator, rotators } from "../../rotators/index.ts";
import { rotatorFacts } from "../compose.ts";
import { findConsumer } from "../consumers/index.ts";
import { type Grant, grantsOf, type Unplaced } from "../grants.ts";
import { describeFaults } from "../policy-faults.ts";
import { parsePolicyText } from "../policy-file.ts";
import type { Policy } from "../policy.ts";
import { readArguments, type Terminal } from "./terminal.ts";

// `npm run pinion -- onboard`: the parameters of infra/onboard.bicep for one vault of a policy. Nothing is contacted.

const help = `npm run -s pinion -- onboard <policy file> <vault> [options] > infra/onboard.bicepparam

Writes the parameters of infra/onboard.bicep for one vault of a policy: its events, and every role that Pinion needs there.
Nothing is contacted. <vault> is a name under "vaults" in the policy.

  --webhook          events go straight to the app, which must be reachable from the internet; else through its queue
  --topic ID         ARM id of the system topic that the vault has already
  --no-senders       the topic's own roles are given by Pinion's operator
  --event-hub NAME   an event hub that gets a copy of the vault's diagnostics; it takes --event-hub-rule too
  --event-hub-rule ID
                     ARM id of an authorization rule of its namespace, with Send, Listen and Manage
  --narrow-staging   roles at each staging secret instead of at the whole vault

Exit codes: 0 done, 1 the policy has faults, 2 not understood.`;

const known = {
  webhook: { type: "boolean" },
  "no-senders": { type: "boolean" },
  topic: { type: "string" },
  "event-hub": { type: "string" },
  "event-hub-rule": { type: "string" },
  "narrow-staging": { type: "boolean" },
} as const;

/** Prints the parameters; resolves with the exit code: 0 done, 1 the policy has faults, 2 the command was not understood. */
export async function onboard(args: readonly string[], terminal: Terminal): Promise<number> {
  const { out, err } = terminal;
  const given = readArguments(args, known, help, terminal);
  if (!given.understood) return given.code;
  const [file, name, more] = given.words;
  if (file === undefined || name === undefined || more !== undefined) {
    const fault =
      more === undefined
        ? `${file === undefined ? "<policy file>" : "<vault>"} is missing`
        : `${more} is one word too many`;
    err(`${fault}.\n\n${help}`);
    return 2;
  }
  const { "event-hub": hub, "event-hub-rule": rule } = given.values;
  if ((hub === undefined) !== (rule === undefined)) {
    err(`${hub === undefined ? "--event-hub" : "--event-hub-rule"} is missing: they come together.\n\n${help}`);
    return 2;
  }
  const text = await readFile(file, "utf8").catch(() => undefined);
  if (text === undefined) {
    err(`${file} could not be read: name the policy file.`);
    return 2;
  }
  const { policy, faults } = parsePolicyText(text, rotatorFacts({ rotators, find: findRotator }));
  if (policy === undefined || faults.length > 0) {
    err(`${file}: ${describeFaults(faults)}`);
    return 1;
  }
  if (!Object.hasOwn(policy.vaults, name)) {
    err(`${file} has no vault ${name}; it has: ${Object.keys(policy.vaults).join(", ")}.`);
    return 2;
  }
  const { grants, unplaced } = grantsOf(
    policy,
    { rotator: findRotator, consumer: findConsumer },
    { vault: name, siblings: given.values["narrow-staging"] === true ? "object" : "vault" },
  );
  for (const one of unplaced) err(adviceFor(one));
  out(parametersOf(policy, name, { grants, unplaced, ...given.values }));
  return 0;
}

const adviceFor = ({ role, address, for: why }: Unplaced): string =>
  `${address} (for ${why.join(", ")}): the policy does not tell its ARM id, so the role ${role} is not given there. Name its vault in vaults, or its account in storageAccount.`;

interface Found {
  readonly grants: readonly Grant[];
  readonly unplaced: readonly Unplaced[];
  readonly webhook?: boolean | undefined;
  readonly topic?: string | undefined;
  readonly "event-hub"?: string | undefined;
  readonly "event-hub-rule"?: string | undefined;
  readonly "no-senders"?: boolean | undefined;
}

function parametersOf({ vaults }: Policy, name: string, found: Found): string {
  const { grants, unplaced, webhook = false, topic, "no-senders": noSenders = false } = found;
  const { "event-hub": hub, "event-hub-rule": rule } = found;
  const [, , subscription = "", , group = "", , , , vault = ""] = (vaults[name]?.resourceId ?? "").split("/");
  return [
    "using 'onboard.bicep'",
    "",
    `// The vault ${name}. Deploy it with somebody's rights who may assign roles at every scope below:`,
    `//   az deployment sub create --subscription ${subscription} --location <region> --parameters <this file>`,
    "// What the app's deployment has put out is read from the environment: azd env get-values.",
    "",
    `param vaultName = ${quoted(vault)}`,
    `param vaultResourceGroup = ${quoted(group)}`,
    "param principals = union(",
    "  { app: readEnvironmentVariable('PINION_IDENTITY_PRINCIPAL_ID') },",
    "  toObject(",
    "    json(readEnvironmentVariable('PINION_ZONES', '[]')),",
    "    zone => toLower(zone.clientId),",
    "    zone => zone.principalId",
    "  )",
    ")",
    ...(webhook ? byWebhook : byQueue),
    "param deadLetter = {",
    "  storageId: readEnvironmentVariable('PINION_EVENTS_STORAGE_ID')",
    "  container: readEnvironmentVariable('PINION_DEAD_LETTER_CONTAINER')",
    "}",
    "// Another Pinion that watches this vault has another name, and takes nothing away from this one.",
    "param subscriptionName = readEnvironmentVariable('AZURE_FUNCTION_APP_NAME')",
    ...(noSenders ? withoutSenders : []),
    "param workspaceId = readEnvironmentVariable('PINION_WORKSPACE_ID', '')",
    "param actionGroupIds = json(readEnvironmentVariable('PINION_ACTION_GROUP_IDS', '[]'))",
    ...(hub === undefined || rule === undefined ? [] : copyingTo(hub, rule)),
    ...(topic === undefined ? [] : takingTopic(topic)),
    "param grants = [",
    ...grants.flatMap(({ role, scope, identity, for: why }) => [
      `  // ${why.join(", ")}`,
      "  {",
      `    role: ${quoted(role)}`,
      `    scope: ${quoted(scope)}`,
      ...(identity === undefined ? [] : [`    identity: ${quoted(identity)}`]),
      "  }",
    ]),
    "]",
    ...unplaced.map((one) => `// Not given: ${adviceFor(one)}`),
  ].join("\n");
}

const byQueue = [
  "// By queue events arrive whether the app is private or public.",
  "param network = 'private'",
  "param delivery = {",
  "  by: 'queue'",
  "  storageId: readEnvironmentVariable('PINION_EVENTS_STORAGE_ID')",
  "  queue: readEnvironmentVariable('PINION_EVENTS_QUEUE')",
  "}",
];
const byWebhook = [
  "// A webhook must be reachable from the internet. The app must be deployed before.",
  "param network = 'public'",
  "param delivery = { by: 'webhook', functionAppId: readEnvironmentVariable('AZURE_FUNCTION_APP_ID') }",
];

const withoutSenders = [
  "// Pinion's operator gives the topic its rights, with the output topicPrincipalId: infra/onboard/senders.bicep.",
  "param assignSenders = false",
];

const copyingTo = (hub: string, rule: string): readonly string[] => [
  "param eventHub = {",
  `  authorizationRuleId: ${quoted(rule)}`,
  `  name: ${quoted(hub)}`,
  "}",
];

function takingTopic(id: string): readonly string[] {
  const [, , subscription = "", , group = "", , , , topic = ""] = id.split("/");
  return [
    "// It delivers with its system-assigned identity. A topic that was made without one gets it first:",
    `//   az eventgrid system-topic update --subscription ${subscription} --resource-group ${group} --name ${topic} --identity systemassigned`,
    `param existingTopic = ${quoted(id)}`,
  ];
}

/** A text of Bicep. */
const quoted = (text: string): string =>
  `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'").replaceAll("${", "\\${")}'`;
