import { identities, subscriptionId } from "../../local/cloud/cloud.ts";
import type { Cloud } from "../../local/cloud/cloud.ts";
import type { Permission } from "../../local/azure/rights.ts";
import { appId, evidenceId, storageId, subnetId, systemTopicOf } from "../../local/cloud/shown.ts";
import { findRotator, rotators } from "../../rotators/index.ts";
import { groupOf } from "../../src/azure/role.ts";
import { rotatorFacts } from "../../src/compose.ts";
import { findConsumer } from "../../src/consumers/index.ts";
import { readEventsRole, readOwnRole } from "../../src/doctor/roles.ts";
import { evidenceRole } from "../../src/evidence/role.ts";
import { grantsOf } from "../../src/grants.ts";
import { parsePolicy } from "../../src/policy-file.ts";
import { roles } from "../../src/roles.ts";

const registry = { rotators, find: findRotator };
const of = (key: string, scope: string): Permission => {
  const { actions = [], dataActions = [] } = roles[key] ?? {};
  return { actions, dataActions, notActions: [], notDataActions: [], scope };
};

/** What infra/main.bicep gives the app: at its own resources, which here are in one group with everything else. */
const own: readonly Permission[] = [
  ...[appId, storageId, subnetId].map((scope) => of(readOwnRole.key, scope)),
  of(evidenceRole.key, evidenceId),
];

/** What infra/onboard.bicep gives the app at a vault's system topic. */
const atTopic = (vaultId: string) => of(readEventsRole.key, systemTopicOf(vaultId.split("/").at(-1) ?? "").id);

/** Gives the identities the roles that infra/main.bicep, and infra/onboard.bicep for each vault of the policy, give them; none else. */
export function assignRoles(
  { azure }: Pick<Cloud, "azure">,
  policy: unknown,
  change: (one: Permission) => Permission = (one) => one,
): void {
  const { policy: parsed } = parsePolicy(policy, rotatorFacts(registry));
  const { grants } =
    parsed === undefined
      ? { grants: [] }
      : grantsOf(parsed, { rotator: registry.find, consumer: findConsumer }, { siblings: "vault" });
  for (const { clientId, objectId } of [identities.app, identities.zone]) {
    const isApp = clientId === identities.app.clientId;
    const given = grants.filter(({ identity }) => (identity === undefined ? isApp : identity === clientId));
    const topics = Object.values(parsed?.vaults ?? {}).map(({ resourceId }) => atTopic(resourceId));
    const permissions = [...(isApp ? [...own, ...topics] : []), ...given.map(({ role, scope }) => of(role, scope))];
    azure.rights.limit(objectId, permissions.map(change));
  }
}

/** The role that finds topics, in the resource group of the vaults alone: as releases before this one were onboarded. */
export const findsNearby = (one: Permission): Permission =>
  one.scope === `/subscriptions/${subscriptionId}` ? { ...one, scope: groupOf(storageId) } : one;
