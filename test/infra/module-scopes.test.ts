import { vi } from "vitest";
import { at, templatesIn } from "./harness/arm.ts";
import { describeBicep, type Promised, testPromise, useInfra } from "./harness/promise.ts";

// A compilation takes seconds, and many on a busy machine.
vi.setConfig({ testTimeout: 300_000 });

// Azure looks at the scope of a module whether or not its condition holds, and refuses one that is no group's.

/** What an expression says, with what its variables say in their place. */
function spelt(text: string, variables: Readonly<Record<string, unknown>>): string {
  return text.replaceAll(/variables\('(\w+)'\)/g, (whole, name: string) => {
    const value = variables[name];
    return typeof value === "string" ? spelt(value, variables) : whole;
  });
}

const parametersIn = (text: string) => new Set([...text.matchAll(/parameters\('(\w+)'\)/g)].map(([, name]) => name!));

const scopes: Promised = {
  name: "a module that is not always deployed has a scope all the same",
  scenarios: {},
  async check(infra) {
    const faults: string[] = [];
    for (const file of ["infra/main.bicep", "infra/onboard.bicep"])
      for (const { path, template } of templatesIn(await infra.compile(file)))
        for (const [name, resource] of Object.entries(template.resources)) {
          if (resource.type !== "Microsoft.Resources/deployments" || resource.condition === undefined) continue;
          const variables = template.variables ?? {};
          const scope = spelt(JSON.stringify(at(resource, "resourceGroup") ?? ""), variables);
          const asked = parametersIn(spelt(JSON.stringify(resource.condition), variables));
          const unguarded =
            [...parametersIn(scope)].filter((one) => asked.has(one)).length > 0 && !/\bif\(/.test(scope);
          if (unguarded || /, ''\)/.test(scope)) faults.push(`${file} ${path}/${name} may be at no group: ${scope}`);
        }
    return faults;
  },
  mutations: [
    {
      what: "the rule of Sentinel is at the workspace's group, which there may not be",
      edits: [
        {
          file: "infra/modules/alerts.bicep",
          find: "split(empty(sentinelWorkspaceId) ? resourceGroup().id : sentinelWorkspaceId, '/')",
          put: "split(sentinelWorkspaceId, '/')",
        },
      ],
      says: /readsIncident may be at no group/,
    },
    {
      what: "the rights of the queue are at the queue's group, which there is not with a webhook",
      edits: [
        {
          file: "infra/onboard/events.bicep",
          find: "split(deadLetter.storageId, '/')[4]",
          put: "delivery.by == 'queue' ? split(delivery.storageId, '/')[4] : ''",
        },
      ],
      says: /senders may be at no group/,
    },
    {
      what: "the policies are assigned to a group without a name",
      edits: [
        {
          file: "infra/modules/policies.bicep",
          find: "resourceGroup(empty(resourceGroupName) ? 'none' : resourceGroupName)",
          put: "resourceGroup(resourceGroupName)",
        },
      ],
      says: /groupAssignment may be at no group/,
    },
  ],
};

describeBicep("modules", () => {
  const bed = useInfra();
  testPromise(scopes, bed);
});
