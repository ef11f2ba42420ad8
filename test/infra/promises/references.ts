import { at, isExpression, type Resource, textsIn } from "../harness/arm.ts";
import { builtInRoles } from "../harness/built-in-roles.ts";
import { place } from "../harness/infra.ts";
import type { Promised } from "../harness/promise.ts";
import { apps, given, predictions, vaults } from "../harness/scenarios.ts";

// Whatever a resource refers to is made by the same deployment, or was given as a parameter.

const lower = (text: string): string => text.toLowerCase();

/** Ids that a parameter gave. Parts of what it names are given with it. */
const giving = [
  given.hub,
  given.storage,
  given.functionApp,
  given.topic,
  given.workspace,
  `/subscriptions/${place.subscriptionId}/resourceGroups/${given.vaultGroup}`,
  "/subscriptions/00000000-0000-0000-0000-0000000000cc/resourceGroups/rg-dns",
].map(lower);

/** What every subscription has: the definitions of Azure's own. What of ours is among them is looked up below. */
const builtIn =
  /^(\/subscriptions\/[^/]+)?\/providers\/microsoft\.authorization\/(roledefinitions|policydefinitions|policysetdefinitions)\/([^/]+)$/;

/** The ids of resources in a text, expressions included. */
const idsIn = (text: string): string[] =>
  [
    ...text.matchAll(/\/subscriptions\/[\w-]+(?:\/resourceGroups\/[\w.()-]+)?(?:\/providers\/[\w.]+(?:\/[\w.-]+)+)*/gi),
  ].map(([id]) => lower(id));

function missingOf(resources: readonly Resource[]): string[] {
  const made = new Set(resources.map(({ id }) => lower(id ?? "")));
  // Subnets are parts of their network here, and have ids all the same.
  for (const network of resources.filter(({ type }) => type === "Microsoft.Network/virtualNetworks"))
    for (const subnet of (at(network, "properties", "subnets") ?? []) as Resource[])
      made.add(lower(`${network.id}/subnets/${subnet.name}`));
  const isKnown = (id: string): boolean => {
    if (made.has(id) || giving.some((one) => id === one || id.startsWith(`${one}/`))) return true;
    const [, , kind, name] = builtIn.exec(id) ?? [];
    if (kind === "roledefinitions") return builtInRoles[name ?? ""] !== undefined;
    if (kind !== undefined) return true;
    // The subscription, a resource group, and the parts of storage that are always there.
    return /^\/subscriptions\/[^/]+(\/resourcegroups\/[^/]+)?$/.test(id) || id.endsWith("/subscriptions");
  };
  return resources.flatMap((resource) => {
    const ids = new Set(textsIn({ ...resource, name: "" }).flatMap(({ text }) => idsIn(text)));
    const missing = [...ids].filter((id) => !isKnown(id) && id !== lower(resource.id ?? ""));
    const own = lower(isExpression(resource.id) ? "" : (resource.id ?? ""));
    return missing
      .filter((id) => own === "" || !own.startsWith(`${id}/`) || !isPart(id))
      .map((id) => `${resource.type} ${resource.name} refers to ${id}`);
  });
}

/** `default` of a service is there with its account. */
const isPart = (id: string): boolean => /\/(blob|queue|table|file)services\/default$/.test(id);

/** Names of containers and queues, which are no ids, must be of ones that are made beside the app. */
function namesOf(resources: readonly Resource[], outputs: Readonly<Record<string, unknown>>): string[] {
  const has = (type: string, name: unknown, account: string) =>
    resources.some((one) => one.type === type && one.name === `${account}/default/${String(name)}`);
  const account = lower(String(outputs["PINION_EVENTS_STORAGE_ID"])).split("/").at(-1)!;
  const containers = "Microsoft.Storage/storageAccounts/blobServices/containers";
  const queues = "Microsoft.Storage/storageAccounts/queueServices/queues";
  const settings = resources.find(
    ({ name, type }) => type === "Microsoft.Web/sites/config" && name.endsWith("/appsettings"),
  );
  const site = resources.find(({ type }) => type === "Microsoft.Web/sites");
  const texts = textsIn([settings?.properties, at(site, "properties", "functionAppConfig")]).map(({ text }) => text);
  const wanted: readonly (readonly [string, unknown, string])[] = [
    [queues, outputs["PINION_EVENTS_QUEUE"], account],
    [queues, `${String(outputs["PINION_EVENTS_QUEUE"])}-poison`, account],
    [queues, at(settings, "properties", "PINION_EVENTS_QUEUE"), account],
    [containers, outputs["PINION_DEAD_LETTER_CONTAINER"], account],
    [containers, "pinion-leases", account],
    [containers, "pinion-evidence", String(outputs["PINION_EVIDENCE_ACCOUNT"])],
    ["Microsoft.Storage/storageAccounts/tableServices/tables", "PinionRecords", account],
    // What a setting says of a blob: an address of the app's account, then the container as the last argument of `format`.
    ...texts
      .filter((text) => text.includes(".blob."))
      .flatMap((text) =>
        [...text.matchAll(/'(policy|app-package)'/g)].map(([, name]) => [containers, name, account] as const),
      ),
  ];
  return wanted
    .filter(([type, name, where]) => !has(type, name, where))
    .map(([type, name, where]) => `${type.split("/").at(-1)} ${String(name)} is not made in ${where}`);
}

const storage = "infra/modules/storage.bicep";

export const references: Promised = {
  name: "what is referred to is made in the same deployment, or is a parameter",
  scenarios: { ...apps, ...vaults },
  async check(infra, scenarios) {
    const found = await predictions(infra, scenarios);
    return found.flatMap(({ name, resources, outputs }) =>
      [
        ...missingOf([...resources, { type: "outputs", name: "", properties: outputs }]),
        ...(outputs["PINION_EVENTS_QUEUE"] === undefined ? [] : namesOf(resources, outputs)),
      ].map((fault) => `${name}: ${fault}`),
    );
  },
  mutations: [
    {
      what: "the container of dead letters is not made",
      in: "plain",
      edits: [
        {
          file: storage,
          find: "stored.policy, stored.deadLetters, stored.leases",
          put: "stored.policy, stored.leases",
        },
      ],
      says: /containers dead-letters is not made/,
    },
    {
      what: "the container of leases is not made",
      in: "plain",
      edits: [{ file: storage, find: ", stored.deadLetters, stored.leases]", put: ", stored.deadLetters]" }],
      says: /containers pinion-leases is not made/,
    },
    {
      what: "the container of the package is not made",
      in: "plain",
      edits: [{ file: storage, find: "in [stored.package, stored.policy", put: "in [stored.policy" }],
      says: /containers app-package is not made/,
    },
    {
      what: "the app listens at another queue than is made",
      in: "plain",
      edits: [
        {
          file: "infra/modules/app-settings.bicep",
          find: "PINION_EVENTS_QUEUE: stored.events",
          put: "PINION_EVENTS_QUEUE: 'others'",
        },
      ],
      says: /queues others is not made/,
    },
    {
      what: "the queue of poisoned events is not made",
      in: "plain",
      edits: [{ file: storage, find: "-poison' }", put: "-poisoned' }" }],
      says: /queues pinion-events-poison is not made/,
    },
    {
      what: "the table is not made",
      in: "plain",
      edits: [
        {
          file: storage,
          find: "  resource records 'tables' = { name: stored.records }",
          put: "  resource records 'tables' = { name: 'x' }",
        },
      ],
      says: /tables PinionRecords is not made/,
    },
    {
      what: "the container of evidence has another name",
      in: "plain",
      edits: [
        { file: "infra/modules/evidence-account.bicep", find: "name: 'pinion-evidence'", put: "name: 'evidence'" },
      ],
      says: /containers pinion-evidence is not made|refers to .*pinion-evidence/,
    },
  ],
};
