import { readFileSync } from "node:fs";
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { parseConfig, settingNames } from "../src/config.ts";
import { PinionError } from "../src/errors.ts";

const key = "c2VjcmV0LWtleQ==";
const account = `DefaultEndpointsProtocol=https;AccountName=stpinion;AccountKey=${key};EndpointSuffix=core.windows.net`;
const loopback = `AccountName=devstoreaccount1;AccountKey=${key};BlobEndpoint=http://127.0.0.1:1/a;QueueEndpoint=http://127.0.0.1:2/a;TableEndpoint=http://127.0.0.1:3/a`;
const base = { AzureWebJobsStorage: account };

/** The fault text of settings that must be refused. */
function refusal(env: Record<string, string | undefined>): string {
  try {
    parseConfig(env);
  } catch (error) {
    if (error instanceof PinionError && error.code === "CONFIG_INVALID") return error.message;
    throw error;
  }
  throw new Error("nothing was refused");
}

test("with the host's storage alone, everything has its default", () => {
  expect(parseConfig(base)).toEqual({
    storage: expect.anything(),
    evidence: expect.anything(),
    policy: { path: "rotations.json" },
    topicEndpoint: undefined,
    eventsQueue: "pinion-events",
    sweepSchedule: "0 17 * * * *",
    resourceManagerUrl: "https://management.azure.com",
    resourceManagerAudience: "https://management.azure.com",
    commandAuthority: "entra",
    readerRole: "Pinion.Reader",
    operatorRole: "Pinion.Operator",
    appServiceAuth: false,
    observe: false,
    stop: false,
    clientId: undefined,
  });
});

test("every setting is read", () => {
  expect(
    parseConfig({
      ...base,
      PINION_STORAGE: loopback,
      PINION_EVIDENCE__blobServiceUri: "https://stevidence.blob.core.usgovcloudapi.net/",
      PINION_POLICY: "https://stpinion.blob.core.windows.net/policy/rotations.json",
      PINION_TOPIC_ENDPOINT: "https://pinion.westeurope-1.eventgrid.azure.net/api/events",
      PINION_EVENTS_QUEUE: "events-2",
      PINION_SWEEP_SCHEDULE: "0 */30 * * * 1-5",
      PINION_RESOURCE_MANAGER_URL: "http://127.0.0.1:8080/",
      PINION_RESOURCE_MANAGER_AUDIENCE: "https://management.usgovcloudapi.net/",
      PINION_COMMAND_AUTHORITY: "keys",
      PINION_READER_ROLE: "Rotations.Read",
      PINION_OPERATOR_ROLE: "Rotations.Operate",
      PINION_OBSERVE: "true",
      PINION_STOP: "True",
      AZURE_CLIENT_ID: "00000000-0000-0000-0000-00000000000A",
      AZURE_AUTHORITY_HOST: "https://login.microsoftonline.us/",
      WEBSITE_AUTH_ENABLED: "True",
    }),
  ).toEqual({
    storage: expect.objectContaining({}),
    evidence: { blobUrl: "https://stevidence.blob.core.usgovcloudapi.net" },
    policy: { url: "https://stpinion.blob.core.windows.net/policy/rotations.json" },
    topicEndpoint: "https://pinion.westeurope-1.eventgrid.azure.net/api/events",
    eventsQueue: "events-2",
    sweepSchedule: "0 */30 * * * 1-5",
    resourceManagerUrl: "http://127.0.0.1:8080",
    resourceManagerAudience: "https://management.usgovcloudapi.net",
    commandAuthority: "keys",
    readerRole: "Rotations.Read",
    operatorRole: "Rotations.Operate",
    appServiceAuth: true,
    observe: true,
    stop: true,
    clientId: "00000000-0000-0000-0000-00000000000A",
  });
});

describe("storage", () => {
  const stored = (env: Record<string, string>) => parseConfig(env).storage;

  test("Pinion's own is the host's unless it is named", () => {
    expect(stored(base)).toHaveProperty("connectionString", account);
    expect(stored({ ...base, PINION_STORAGE: loopback })).toHaveProperty("connectionString", loopback);
    expect(stored({ AzureWebJobsStorage: "UseDevelopmentStorage=true", PINION_STORAGE: " " })).toHaveProperty(
      "connectionString",
    );
  });

  test("an account's name, or its three services, with the app's identity", () => {
    const urls = (name: string, suffix: string) => ({
      blobUrl: `https://${name}.blob.${suffix}`,
      queueUrl: `https://${name}.queue.${suffix}`,
      tableUrl: `https://${name}.table.${suffix}`,
    });
    expect(stored({ AzureWebJobsStorage__accountName: "sthost" })).toEqual(urls("sthost", "core.windows.net"));
    expect(
      stored({
        ...base,
        PINION_STORAGE__blobServiceUri: "https://st.blob.core.chinacloudapi.cn/",
        PINION_STORAGE__queueServiceUri: "https://st.queue.core.chinacloudapi.cn",
        PINION_STORAGE__tableServiceUri: "https://st.table.core.chinacloudapi.cn",
      }),
    ).toEqual(urls("st", "core.chinacloudapi.cn"));
  });

  test("evidence has an account of its own, or Pinion's; its blobs are enough", () => {
    const kept = (env: Record<string, string>) => parseConfig({ ...base, ...env }).evidence;
    expect(kept({})).toHaveProperty("connectionString", account);
    expect(kept({ PINION_STORAGE: loopback })).toHaveProperty("connectionString", loopback);
    expect(kept({ PINION_EVIDENCE__accountName: "stevidence" })).toEqual({
      blobUrl: "https://stevidence.blob.core.windows.net",
    });
    expect(kept({ PINION_EVIDENCE: loopback })).toHaveProperty("connectionString", loopback);
    const queueServiceUri = { PINION_EVIDENCE__queueServiceUri: "https://st.queue.core.windows.net" };
    expect(refusal({ ...base, ...queueServiceUri })).toMatch(/^- PINION_EVIDENCE__blobServiceUri: expected/m);
  });

  const id = "00000000-0000-4000-8000-00000000000a";
  const byIdentity = { AzureWebJobsStorage__accountName: "sthost", AzureWebJobsStorage__credential: "managedidentity" };

  test("the host's identity is the app's", () => {
    const hostId = { AzureWebJobsStorage__clientId: id.toUpperCase() };
    expect(stored({ ...byIdentity, ...hostId, AZURE_CLIENT_ID: id })).toHaveProperty("blobUrl");
    for (const other of [{}, { AZURE_CLIENT_ID: id.replace("a", "b") }])
      expect(refusal({ ...byIdentity, ...hostId, ...other })).toMatch(
        /1 fault:\n- AzureWebJobsStorage__clientId: expected/,
      );
    expect(refusal({ ...byIdentity, AzureWebJobsStorage__credential: "key" })).toMatch(
      /- AzureWebJobsStorage__credential/,
    );
  });

  test.each([
    { PINION_RESOURCE_MANAGER_URL: "https://management.chinacloudapi.cn" },
    { AZURE_AUTHORITY_HOST: "https://login.microsoftonline.us" },
  ])("%j: a name alone means another cloud, and is refused with what to set", (cloud) => {
    for (const name of ["AzureWebJobsStorage", "PINION_STORAGE", "PINION_EVIDENCE"]) {
      const host = name === "AzureWebJobsStorage" ? {} : base;
      const text = refusal({ ...host, ...cloud, [`${name}__accountName`]: "stpinion" });
      expect(text).toMatch(new RegExp(`1 fault:\n- ${name}__accountName: expected __blobServiceUri`));
    }
  });

  test("a connection string is seen by nobody who does not ask for it by name", () => {
    const config = parseConfig(base);
    const { storage } = config;
    for (const text of [
      JSON.stringify(config),
      inspect(config, { depth: 9 }),
      inspect(storage),
      JSON.stringify(storage),
      JSON.stringify({ ...storage }),
    ]) {
      expect(text).not.toContain(key);
    }
    expect(JSON.stringify(storage)).toBe(`"[redacted]"`);
    expect(inspect(storage)).toBe("[redacted]");
    expect(Object.keys(structuredClone({ ...storage }))).toEqual([]);
  });

  test.each<readonly [Record<string, string>, RegExp]>([
    [{}, /^- AzureWebJobsStorage: expected a storage connection string, .*it is missing/m],
    [{ AzureWebJobsStorage: "nonsense" }, /^- AzureWebJobsStorage: expected a storage connection string/m],
    [{ AzureWebJobsStorage: account.replace("https", "http") }, /https, or http to this machine/],
    [{ AzureWebJobsStorage: loopback.replace("127.0.0.1:3", "10.0.0.1:3") }, /https, or http to this machine/],
    [{ ...base, AzureWebJobsStorage__accountName: "st" }, /^- AzureWebJobsStorage: expected one form only/m],
    [{ AzureWebJobsStorage__accountName: "No_Name" }, /^- AzureWebJobsStorage__accountName: expected 3 to 24/m],
    [
      { AzureWebJobsStorage__blobServiceUri: "https://st.blob.core.windows.net" },
      /__queueServiceUri: .*\n- AzureWebJobsStorage__tableServiceUri: expected an https URL/,
    ],
    [{ ...base, PINION_STORAGE: "AccountName=x" }, /^- PINION_STORAGE: expected a storage connection string/m],
  ])("%j is refused", (env, expected) => {
    expect(refusal(env)).toMatch(expected);
    expect(refusal(env)).not.toContain(key);
  });
});

test.each([
  ["PINION_POLICY", "../rotations.json"],
  ["PINION_POLICY", "/etc/rotations.json"],
  ["PINION_POLICY", "C:\\rotations.json"],
  ["PINION_POLICY", "http://st.blob.core.windows.net/p/r.json"],
  ["PINION_POLICY", "https://st.blob.core.windows.net/p/r.json?sig=canary"],
  ["PINION_TOPIC_ENDPOINT", "http://topic.example/api/events"],
  ["PINION_EVENTS_QUEUE", "Events"],
  ["PINION_EVENTS_QUEUE", "a--b"],
  ["PINION_EVENTS_QUEUE", "ab"],
  ["PINION_SWEEP_SCHEDULE", "17 * * * *"],
  ["PINION_RESOURCE_MANAGER_URL", "http://management.azure.com"],
  ["PINION_RESOURCE_MANAGER_AUDIENCE", "management.azure.com"],
  ["PINION_COMMAND_AUTHORITY", "anyone"],
  ["PINION_COMMAND_AUTHORITY", "keys"],
  ["PINION_EVIDENCE", "nonsense"],
  ["PINION_READER_ROLE", "two words"],
  ["PINION_OPERATOR_ROLE", "two words"],
  ["PINION_OBSERVE", "yes"],
  ["AZURE_AUTHORITY_HOST", "login.microsoftonline.com"],
  ["PINION_STOP", "yes"],
  ["AZURE_CLIENT_ID", "pinion"],
  ["WEBSITE_AUTH_ENABLED", "on"],
])("%s refuses %j without printing it", (name, value) => {
  const text = refusal({ ...base, [name]: value });
  expect(text).toMatch(new RegExp(`^The app settings have 1 fault:\n- ${name}: expected .+\\.$`));
  expect(text.replace(/expected .*/s, "")).not.toContain(value);
  expect(text).not.toContain("canary");
});

test("all faults come in one message", () => {
  const text = refusal({ PINION_STOP: "maybe", AZURE_CLIENT_ID: "x", PINION_EVENTS_QUEUE: "-" });
  expect(text.split("\n").map((line) => line.split(":")[0])).toEqual([
    "The app settings have 4 faults",
    "- AZURE_CLIENT_ID",
    "- AzureWebJobsStorage",
    "- PINION_EVENTS_QUEUE",
    "- PINION_STOP",
  ]);
});

describe("local.settings.sample.json", () => {
  const text = readFileSync(new URL("../local.settings.sample.json", import.meta.url), "utf8");
  const { IsEncrypted, Values } = JSON.parse(text) as { IsEncrypted: boolean; Values: Record<string, string> };
  const source = readFileSync(new URL("../src/config.ts", import.meta.url), "utf8");

  test("has every setting that Pinion reads, and no other but the host's", () => {
    expect(IsEncrypted).toBe(false);
    expect(Object.keys(Values).sort()).toEqual([...settingNames, "FUNCTIONS_WORKER_RUNTIME"].sort());
  });

  test("the list of settings is what the code names", () => {
    const named = new Set(source.match(/\b(PINION|AZURE|WEBSITE)_[A-Z_]+\b|\bAzureWebJobsStorage\b/g));
    expect([...named].sort()).toEqual([...settingNames].sort());
  });

  test("parses, and changes no default", () => {
    expect(parseConfig(Values)).toEqual(parseConfig({ AzureWebJobsStorage: "UseDevelopmentStorage=true" }));
  });
});
