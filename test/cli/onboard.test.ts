import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Compiler, startCompiler } from "../../scripts/bicep/compiler.ts";
import { findRotator } from "../../rotators/index.ts";
import { run } from "../../src/cli/run.ts";
import { findConsumer } from "../../src/consumers/index.ts";
import { grantsOf } from "../../src/grants.ts";
import { fleet, group, policyOf, vaults } from "../grants/fleet.ts";
import { scratch } from "../infra/harness/infra.ts";
import { describeBicep } from "../infra/harness/promise.ts";

const { folder, remove } = scratch([]);
afterAll(remove);
const write = (name: string, policy: object): string => {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(policy));
  return path;
};
const zone = "44444444-4444-4444-8444-444444444444";
const strange = `/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/rg-o'neill\${x}/providers`;
const more = {
  other: { uri: "https://kv-other.vault.azure.net", resourceId: `${strange}/Microsoft.KeyVault/vaults/kv-other` },
};
const sound = { version: 1, mode: "rotate", vaults: { ...vaults, ...more }, objects: fleet };
const file = write("rotations.json", sound);

async function onboard(...args: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const terminal = { env: {}, out: (text: string) => void out.push(text), err: (text: string) => void err.push(text) };
  return { code: await run(["onboard", ...args], terminal), out: out.join("\n"), err: err.join("\n") };
}

test("the same policy gives the same text, whatever the order of its objects", async () => {
  const { code, out, err } = await onboard(file, "main");
  expect([code, err]).toEqual([0, ""]);
  expect(await onboard(file, "main")).toEqual({ code, out, err });
  const turned = write("turned.json", { ...sound, objects: fleet.toReversed() });
  expect((await onboard(turned, "main")).out).toBe(out);
});

test("each grant has the objects that it is for above it", async () => {
  const { out } = await onboard(file, "main");
  const lines = out.split("\n");
  const at = lines.findIndex((line) => line.includes("/secrets/postgres-0'"));
  expect(lines.slice(at - 3, at)).toEqual(["  // postgres-0", "  {", "    role: 'secret'"]);
  const admin = lines.findIndex((line) => line.includes("/secrets/db-admin'"));
  expect(lines[admin - 3]).toBe("  // postgres-0, postgres-2");
});

test("what has no ARM id is told, and stands in the file as not given", async () => {
  const { storageAccount: _, ...target } = (
    fleet.find(({ id }) => String(id).startsWith("jwt"))!["rotator"] as { target: Record<string, unknown> }
  ).target;
  const objects = [
    {
      ...fleet.find(({ id }) => String(id).startsWith("jwt")),
      rotator: { kind: "jwt-signing-key", strategy: "dual", target },
    },
  ];
  const { code, out, err } = await onboard(write("unplaced.json", { ...sound, objects }), "main");
  expect(code).toBe(0);
  expect(err).toContain("https://stpublic.blob.core.windows.net/public (for jwt-signing-key");
  expect(out).toContain("// Not given: https://stpublic.blob.core.windows.net/public");
  expect(out).not.toContain("'jwks-blob'");
});

const rule = `${group}/Microsoft.EventHub/namespaces/evhns/authorizationRules/diagnostics`;

test("an event hub stands in the file where it is asked for, and nothing else changes", async () => {
  const plain = await onboard(file, "main");
  expect(plain.out).not.toContain("eventHub =");
  const { code, out } = await onboard(file, "main", "--event-hub", "siem", "--event-hub-rule", rule);
  expect(code).toBe(0);
  const lines = ["param eventHub = {", `  authorizationRuleId: '${rule}'`, "  name: 'siem'", "}", ""].join("\n");
  expect(out).toContain(lines);
  expect(out.replace(lines, "")).toBe(plain.out);
});

test.each([
  ["no arguments", [], 2, /onboard <policy file> <vault>/],
  ["an option that there is not", [file, "main", "--force"], 2, /onboard <policy file> <vault>/],
  ["an event hub without its rule", [file, "main", "--event-hub", "siem"], 2, /--event-hub-rule is missing/],
  ["a rule without its event hub", [file, "main", "--event-hub-rule", rule], 2, /--event-hub is missing/],
  ["a file that is not there", [join(folder, "none.json"), "main"], 2, /could not be read/],
  ["a vault that is not there", [file, "third"], 2, /has no vault third; it has: main, other/],
])("%s: exit code and sentence", async (_, args, code, says) => {
  const told = await onboard(...args);
  expect([told.code, told.out]).toEqual([code, ""]);
  expect(told.err).toMatch(says);
});

test("a policy with faults gives no parameters, and tells all of them", async () => {
  const objects = [
    { ...fleet[0], validity: "x" },
    { ...fleet[2], grace: "y" },
  ];
  const { code, out, err } = await onboard(write("faulty.json", { ...sound, objects }), "main");
  expect([code, out]).toEqual([1, ""]);
  expect(err).toMatch(/faulty\.json: The policy has 2 faults:\n- objects\[0\]\.validity[^]*\n- objects\[1\]\.grace/);
  const torn = join(folder, "torn.json");
  writeFileSync(torn, "{");
  expect(await onboard(torn, "main")).toMatchObject({
    code: 1,
    out: "",
    err: expect.stringContaining("- the file is not JSON"),
  });
});

describeBicep("what it prints compiles", () => {
  const env = {
    PINION_IDENTITY_PRINCIPAL_ID: "11111111-1111-4111-8111-111111111111",
    PINION_EVENTS_STORAGE_ID: `${group}/Microsoft.Storage/storageAccounts/stpinion`,
    PINION_EVENTS_QUEUE: "pinion-events",
    PINION_DEAD_LETTER_CONTAINER: "dead-letters",
    PINION_ZONES: JSON.stringify([{ name: "a", id: "-", clientId: zone.toUpperCase(), principalId: zone }]),
    PINION_ACTION_GROUP_IDS: JSON.stringify([`${group}/Microsoft.Insights/actionGroups/ag`]),
    AZURE_FUNCTION_APP_NAME: "func-contoso-pinion-dev",
    AZURE_FUNCTION_APP_ID: `${group}/Microsoft.Web/sites/func-contoso-pinion-dev`,
  };
  const before = { ...process.env };
  let compiler: Compiler;
  beforeAll(() => {
    // The compiler reads its own environment.
    Object.assign(process.env, env);
    compiler = startCompiler();
  });
  afterAll(async () => {
    await compiler.close();
    for (const name of Object.keys(env)) delete process.env[name];
    Object.assign(process.env, before);
  });

  async function compiled(...args: string[]): Promise<Record<string, { value: unknown }>> {
    const { out } = await onboard(...args);
    const path = join(folder, "infra", "vault.bicepparam");
    writeFileSync(path, `${out}\n`);
    const { success, diagnostics, parameters } = await compiler.compileParams(path);
    expect([success, diagnostics]).toEqual([true, []]);
    rmSync(path);
    return (JSON.parse(parameters!) as { parameters: Record<string, { value: unknown }> }).parameters;
  }

  test("with every grant of the vault, in order", async () => {
    const { grants } = grantsOf(
      policyOf(fleet, { vaults: sound.vaults }),
      { rotator: findRotator, consumer: findConsumer },
      { vault: "main" },
    );
    const found = await compiled(file, "main");
    expect(found["grants"]!.value).toEqual(grants.map(({ role, scope }) => ({ role, scope })));
    expect(found["principals"]!.value).toEqual({ app: env.PINION_IDENTITY_PRINCIPAL_ID, [zone]: zone });
    expect(found["vaultName"]!.value).toBe("kv-main");
    expect(found["actionGroupIds"]!.value).toEqual([`${group}/Microsoft.Insights/actionGroups/ag`]);
    // Two Pinions on one vault have a subscription each.
    expect(found["subscriptionName"]!.value).toBe(env.AZURE_FUNCTION_APP_NAME);
    expect(found["assignSenders"]).toBeUndefined();
  });

  test("without the topic's rights in Pinion's account, which its operator then gives", async () => {
    expect((await compiled(file, "main", "--no-senders"))["assignSenders"]!.value).toBe(false);
    expect((await onboard(file, "main", "--no-senders")).out).toContain("infra/onboard/senders.bicep");
  });

  test("by webhook, with a topic that is there, and names that Bicep would take for its own", async () => {
    const topic = `${strange}/Microsoft.EventGrid/systemTopics/events`;
    const found = await compiled(file, "other", "--webhook", "--topic", topic);
    expect(found["vaultResourceGroup"]!.value).toBe("rg-o'neill${x}");
    expect(found["existingTopic"]!.value).toBe(topic);
    // A topic that somebody made by hand has no identity, and delivers nothing without.
    expect((await onboard(file, "other", "--topic", topic)).out).toMatch(
      /az eventgrid system-topic update .* --name events --identity systemassigned/,
    );
    expect(found["network"]!.value).toBe("public");
    expect(found["delivery"]!.value).toEqual({ by: "webhook", functionAppId: env.AZURE_FUNCTION_APP_ID });
  });

  test("with an event hub that gets a copy", async () => {
    const found = await compiled(file, "main", "--event-hub", "siem", "--event-hub-rule", rule);
    expect(found["eventHub"]!.value).toEqual({ authorizationRuleId: rule, name: "siem" });
  });

  test("with narrow rights on staging, where that is asked for", async () => {
    const found = await compiled(file, "main", "--narrow-staging");
    const staging = (found["grants"]!.value as { role: string; scope: string }[]).filter(({ role }) =>
      role.startsWith("staging-"),
    );
    expect(staging.length).toBeGreaterThan(0);
    for (const { scope } of staging) expect(scope).toContain("/pinion-stage-");
  });

  test("as the formatter would write it", async () => {
    const { out } = await onboard(file, "main");
    const path = join(folder, "infra", "formatted.bicepparam");
    writeFileSync(path, `${out}\n`);
    expect(await compiler.format(path)).toBe(readFileSync(path, "utf8"));
  });
});

describe("its help", () => {
  test("is part of the command's", async () => {
    const said: string[] = [];
    await run(["help"], { env: {}, out: (text) => void said.push(text), err: () => undefined });
    expect(said.join("\n")).toContain("onboard <policy> <vault>");
  });
});
