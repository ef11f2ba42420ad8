import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "./harness/infra.ts";

interface Role {
  readonly name: string;
  readonly description: string;
  readonly actions: readonly string[];
  readonly dataActions: readonly string[];
}

/** Wildcards, each with the reason why there is no narrower name. */
const wildcards: Readonly<Record<string, string>> = {
  "Microsoft.Web/sites/config/*/action": "Azure lists no operation of its own for the refresh of Key Vault references",
  "Microsoft.Web/sites/slots/config/*/action": "likewise, for a slot",
};

/** Deletions, each with the reason. Nothing that a vault holds is among them. */
const deletions: Readonly<Record<string, string>> = {
  "Microsoft.Network/dnsZones/TXT/delete": "the answer to a CA's challenge is taken away again",
  "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete": "likewise, in a static website",
};

/** What is wrong with the custom roles. */
function faultsOf(roles: Readonly<Record<string, Role>>): string[] {
  return Object.entries(roles).flatMap(([key, { name, description, actions, dataActions }]) => {
    const all = [...actions, ...dataActions];
    const faults: string[] = [];
    if (name !== `Pinion ${key}`) faults.push("has another name than its key");
    if (!/^[A-Z].{20,}\.$/.test(description)) faults.push("has no sentence that describes it");
    if (all.length === 0) faults.push("holds nothing");
    if (new Set(all).size !== all.length) faults.push("holds an action twice");
    for (const action of all) {
      if (action.includes("*") && wildcards[action] === undefined) faults.push(`has a wildcard: ${action}`);
      if (/delete/i.test(action) && deletions[action] === undefined) faults.push(`may delete: ${action}`);
      if (action.startsWith("Microsoft.KeyVault/") && /(purge|backup|restore|release)/i.test(action))
        faults.push(`may do to a vault what nobody needs: ${action}`);
      if (/list(AccountSas|ServiceSas|Keys|Secrets)|regenerateKey|roleAssignments|roleDefinitions/i.test(action))
        faults.push(`reaches beyond its task: ${action}`);
      if (!/^Microsoft\.\w+\/[\w*/]+\/(read|write|delete|action)$/.test(action)) faults.push(`is no action: ${action}`);
    }
    return faults.map((fault) => `${key} ${fault}`);
  });
}

const { roles } = JSON.parse(readFileSync(join(root, "infra/roles.json"), "utf8")) as { roles: Record<string, Role> };

test("each custom role holds single actions, and none that takes something from a vault", () => {
  expect(faultsOf(roles)).toEqual([]);
});

test.each([
  ["a wildcard", "Microsoft.KeyVault/vaults/secrets/*", /has a wildcard/],
  ["a deletion", "Microsoft.KeyVault/vaults/secrets/delete", /may delete/],
  ["a purge", "Microsoft.KeyVault/vaults/secrets/purge/action", /what nobody needs/],
  ["a backup", "Microsoft.KeyVault/vaults/keys/backup/action", /what nobody needs/],
  ["keys of an account", "Microsoft.Storage/storageAccounts/listKeys/action", /beyond its task/],
  ["rights to give rights", "Microsoft.Authorization/roleAssignments/write", /beyond its task/],
  ["nonsense", "secrets/read", /is no action/],
])("%s in a role is seen", (_, action, says) => {
  const secret = roles["secret"]!;
  const faults = faultsOf({ secret: { ...secret, dataActions: [...secret.dataActions, action] } });
  expect(faults.join("\n")).toMatch(says);
});

test("no exception is there for nothing", () => {
  const held = new Set(Object.values(roles).flatMap(({ actions, dataActions }) => [...actions, ...dataActions]));
  expect([...Object.keys(wildcards), ...Object.keys(deletions)].filter((action) => !held.has(action))).toEqual([]);
});
