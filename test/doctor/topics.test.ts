import { expect, test } from "vitest";
import type { ArmRequest } from "../../src/azure/arm.ts";
import type { Context } from "../../src/doctor/context.ts";
import { mayBeElsewhere } from "../../src/doctor/topics.ts";
import type { PolicyVault } from "../../src/policy.ts";

// Azure may answer a list of a subscription without what its reader may not see, in place of refusing it: an empty one proves nothing then.

const subscription = "/subscriptions/11111111-1111-4111-8111-111111111111";
const vault = { resourceId: `${subscription}/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv` } as PolicyVault;
const topics = "Microsoft.EventGrid/systemTopics/read";

const contextOf = (actions: readonly string[]) =>
  ({
    arm: async ({ path }: ArmRequest) =>
      path === `${subscription}/providers/Microsoft.Authorization/permissions`
        ? { value: [{ actions, notActions: [], dataActions: [], notDataActions: [] }] }
        : { value: [] },
  }) as unknown as Context;

test.each([
  ["may see all topics of the subscription", [topics], false],
  ["may ask what it may do, and sees no topics", ["Microsoft.Authorization/permissions/read"], true],
])("an empty list, to an identity that %s", async (_, actions, expected) => {
  expect(await mayBeElsewhere(contextOf(actions), vault, AbortSignal.timeout(1000))).toBe(expected);
});
