import { join } from "node:path";
import { scan } from "../../local/canary/scan.ts";
import { passwordsIn, valuesEverHeld } from "../../local/canary/vault-values.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { identities, vaultResourceId } from "../../local/cloud/cloud.ts";
import { systemTopicOf } from "../../local/cloud/shown.ts";
import { checks } from "../../src/doctor/checks.ts";
import { roles } from "../../src/roles.ts";
import type { Finding } from "../../src/doctor/finding.ts";
import { type Clinic, openClinic, stagingVault } from "./clinic.ts";
import { planted } from "./planted/all.ts";
import { entra, type Planted, privately, running, state, webhookCode, zoned } from "./planted/plant.ts";

// A sound cloud is silent; each fault is named by one finding, and by its own check alone: without the check nobody names it.

let clinic: Clinic;
const said: Finding[] = [];
beforeAll(async () => void (clinic = await openClinic()));
afterAll(() => clinic.close());

/** What a person is told of: everything but what is well, or waits for something else. */
const told = (findings: readonly Finding[]) =>
  findings.filter(({ level, after }) => level !== "ok" && after === undefined);

const names = ({ finds }: Planted, { check, level, subject, says }: Finding): boolean =>
  check === finds.check && level === finds.level && finds.subject.test(subject) && finds.says.test(says);

test("a sound cloud is silent", async () => {
  const found = await clinic.examine();
  expect(told(found)).toEqual([]);
  expect(found.filter(({ level }) => level === "ok").length).toBeGreaterThan(20);
});

test("so is one with a trust zone of its own", async () => {
  const back = await zoned(identities.zone.clientId)(clinic);
  try {
    const found = await clinic.examine();
    expect(told(found)).toEqual([]);
    expect(found.filter(({ check }) => check === "identity")).toHaveLength(2);
  } finally {
    await back();
  }
});

test("and one with a vault for candidates, of which no event is wanted", async () => {
  const { cloud, policy } = clinic;
  const stage = { uri: cloud.vaultUrl(stagingVault), resourceId: vaultResourceId(stagingVault) };
  const topic = systemTopicOf(stagingVault).id;
  cloud.azure.pretend(topic, () => undefined);
  const staged = { ...policy, vaults: { orders: { ...policy.vaults.orders, staging: "stage" }, stage } };
  await cloud.putPolicy(staged);
  clinic.assign(staged);
  try {
    const found = await clinic.examine();
    expect(told(found)).toEqual([]);
    expect(found.filter(({ check }) => check === "vault")).toHaveLength(2);
    expect(found.filter(({ check }) => check === "event-topic")).toHaveLength(1);
  } finally {
    cloud.azure.pretend(topic, undefined);
    await cloud.putPolicy(policy);
    clinic.assign();
  }
});

test("on a laptop, what the login lacks says nothing of the app", async () => {
  const { rights } = clinic.cloud.azure;
  rights.limit(identities.app.objectId, [{ actions: ["*"], notActions: [], dataActions: [], notDataActions: [] }]);
  try {
    const found = told(await clinic.examine({ place: "laptop" }));
    expect(found.map(({ check, level }) => `${check} ${level}`)).toEqual(found.map(() => "rights unknown"));
  } finally {
    clinic.assign();
  }
});

test("and one whose rotations wait: for their grace, a window, a gate, a first retry", async () => {
  const back = await state({ phase: "running", rotationId: "r-1" })(clinic);
  const stands = [
    { step: "stage", since: -1 },
    { step: "grace", since: -3000, until: 3000 },
    { step: "held", since: -3000, until: 1000, code: "TARGET_UNREACHABLE" },
    { step: "retry", since: -5, until: 900, code: "WINDOW_CLOSED" },
    { step: "retry", since: 0, until: 5, code: "VAULT_UNAVAILABLE" },
  ] as const;
  try {
    for (const stand of stands)
      expect([stand, told(await clinic.examine(running(clinic, stand)))]).toEqual([stand, []]);
  } finally {
    await back();
  }
});

// What a check needs and no deployment gives would be unknown in every cloud.
test.each(Object.entries(roles).filter(([key]) => ["read-own", "read-events", "find-topics"].includes(key)))(
  "each action of %s is needed: without it something cannot be looked at",
  async (_, { actions }) => {
    const blind = async (action: string) => {
      clinic.assign(undefined, (one) => ({ ...one, notActions: [action] }));
      return told(await everything()).length;
    };
    try {
      // Unconfirmed by which of two actions Azure asks for the subscriptions of a system topic; here it is the other one.
      for (const action of actions.filter((one) => one !== "Microsoft.EventGrid/eventSubscriptions/read"))
        expect([action, await blind(action)]).not.toEqual([action, 0]);
    } finally {
      clinic.assign();
    }
  },
);

/** All that a check may look at, in a sound cloud that is shut to the public. */
async function everything(): Promise<readonly Finding[]> {
  const backs = privately(clinic);
  try {
    return await clinic.examine({ env: entra, addresses: async () => ["10.0.0.4"] });
  } finally {
    backs.forEach((back) => back());
  }
}

test("the deployed roles show every check what it looks at, in a private network and behind authentication too", async () => {
  const found = await everything();
  expect(told(found)).toEqual([]);
});

describe.each(planted)("$name", (fault) => {
  test(`is named by ${fault.finds.check}, and by nothing else`, async () => {
    const back = await fault.plant?.(clinic);
    try {
      const all = await clinic.examine(fault.patient?.(clinic));
      said.push(...all);
      const found = told(all);
      expect(found.filter((one) => !names(fault, one))).toEqual([]);
      expect(found.length).toBeGreaterThan(0);
      for (const { todo = "", level } of found) if (level !== "unknown") expect(todo).toMatch(/^[A-Z].{10,}[.]$/);
      const blind = told(await clinic.examine({ ...fault.patient?.(clinic), without: fault.finds.check }));
      expect(blind.filter(({ level, says }) => level === fault.finds.level && fault.finds.says.test(says))).toEqual([]);
    } finally {
      await back?.();
    }
  });
});

test("no secret is in any finding", () => {
  const vaults = join(clinic.dir, "vaults");
  const key = /AccountKey=([^;]+)/.exec(clinic.settings["AzureWebJobsStorage"] ?? "")?.[1] ?? "";
  const secrets = [...passwordsIn(valuesEverHeld(vaults)), key, webhookCode];
  expect(secrets.length).toBeGreaterThan(5);
  expect(scan([{ name: "findings", content: Buffer.from(JSON.stringify(said)) }], secrets)).toEqual([]);
});

test("every check has a fault that only it names, and there are 25 at least", () => {
  expect(new Set(planted.map(({ finds }) => finds.check))).toEqual(new Set(checks.map(({ id }) => id)));
  expect(planted.length).toBeGreaterThanOrEqual(25);
});
