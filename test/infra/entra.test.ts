import { execFile } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { clouds } from "../../infra/clouds.ts";
import { apply } from "../../infra/entra/apply.ts";
import { openGraph } from "../../infra/entra/graph.ts";
import { parseOptions } from "../../infra/entra/options.ts";
import { printed } from "../../infra/entra/print.ts";
import { appRoles, azureCli, marker, type Wish } from "../../infra/entra/wish.ts";
import { startGraph } from "./graph.ts";

const run = promisify(execFile);
const tenantId = "11111111-1111-4111-8111-111111111111";
const identity = "22222222-2222-4222-8222-222222222222";
const person = "33333333-3333-4333-8333-333333333333";
const wish: Wish = {
  name: "pinion-dev",
  clientId: undefined,
  tenantId,
  cloud: clouds.AzureCloud,
  site: "func-contoso.azurewebsites.net",
  identity,
  holders: [{ role: "Pinion.Operator", principalId: person }],
};

let graph: Awaited<ReturnType<typeof startGraph>>;
let said: string[];
beforeEach(async () => {
  graph = await startGraph();
  said = [];
});
afterEach(() => graph.close());

const ada = { type: "user", name: "ada@contoso.com" };
const applied = (more: Partial<Wish> = {}, token = "good", user = ada) =>
  apply(openGraph({ url: graph.url, token, pause: 1 }), { ...wish, ...more }, user, (line) => void said.push(line));

/** What Graph holds, without the ids that it chose. */
function everything() {
  const [app] = graph.applications;
  const text = JSON.stringify({
    app,
    principal: graph.principals,
    credentials: graph.credentials.get(app?.id ?? ""),
    assigned: graph.assigned,
  });
  const ids = [app, ...graph.principals, ...graph.assigned, ...[...graph.credentials.values()].flat()];
  return ids
    .reduce((all, one, at) => all.replaceAll(String(one?.["id"]), `id-${at}`), text)
    .replaceAll(app?.appId ?? "", "app-id");
}

test("the first run makes all of it", async () => {
  const { clientId, changes } = await applied();
  const [app] = graph.applications;
  expect(clientId).toBe(app?.appId);
  expect(changes).toBe(graph.writes());
  expect(app).toMatchObject({
    displayName: "pinion-dev",
    signInAudience: "AzureADMyOrg",
    tags: [marker],
    identifierUris: [`api://${clientId}`],
    api: {
      requestedAccessTokenVersion: 2,
      oauth2PermissionScopes: [{ value: "user_impersonation", isEnabled: true }],
      preAuthorizedApplications: [{ appId: azureCli }],
    },
    web: { redirectUris: ["https://func-contoso.azurewebsites.net/.auth/login/aad/callback"] },
  });
  expect((app!["appRoles"] as { value: string; allowedMemberTypes: string[] }[]).map(({ value }) => value)).toEqual([
    "Pinion.Reader",
    "Pinion.Operator",
  ]);
  expect(graph.principals).toMatchObject([{ appId: clientId, appRoleAssignmentRequired: true }]);
  expect(graph.credentials.get(app!.id)).toMatchObject([
    {
      issuer: `https://login.microsoftonline.com/${tenantId}/v2.0`,
      subject: identity,
      audiences: ["api://AzureADTokenExchange"],
    },
  ]);
  expect(graph.assigned).toMatchObject([{ principalId: person, resourceId: graph.principals[0]!.id }]);
  expect(said.every((line) => /^(made|set) /.test(line))).toBe(true);
});

test("the second changes nothing, and says so of each part", async () => {
  await applied();
  const [before, writes] = [everything(), graph.writes()];
  said = [];
  expect((await applied()).changes).toBe(0);
  expect([everything(), graph.writes()]).toEqual([before, writes]);
  expect(said.filter((line) => !line.startsWith("found "))).toEqual([
    `owners   Ada, ada@contoso.com (${graph.caller.owner["id"] as string})`,
  ]);
});

test("who else holds a role is said", async () => {
  await applied();
  const appRoleId = appRoles["Pinion.Reader"].id;
  graph.assigned.push({ principalId: "m", principalDisplayName: "Mallory", appRoleId });
  graph.assigned.push({ principalId: "n", appRoleId: person });
  said = [];
  await applied();
  expect(said.filter((line) => line.startsWith("holder "))).toEqual(["holder   Pinion.Reader of m, Mallory"]);
});

test("drift is mended, and what others added stays", async () => {
  await applied();
  const [app] = graph.applications;
  const foreign = { id: "f0000000-0000-4000-8000-000000000000", value: "Other", isEnabled: true };
  const api = app!["api"] as Record<string, unknown[]>;
  Object.assign(app!, {
    identifierUris: [],
    appRoles: [...(app!["appRoles"] as object[]).map((role) => ({ ...role, isEnabled: false })), foreign],
    api: {
      ...api,
      requestedAccessTokenVersion: 1,
      preAuthorizedApplications: [{ appId: "other", delegatedPermissionIds: [] }],
    },
    web: { redirectUris: ["https://other.example.com/callback"] },
  });
  Object.assign(graph.principals[0]!, { appRoleAssignmentRequired: false });
  Object.assign(graph.credentials.get(app!.id)![0]!, { subject: person });
  said = [];
  expect((await applied()).changes).toBe(7);
  expect(app).toMatchObject({ identifierUris: [`api://${app!.appId}`], api: { requestedAccessTokenVersion: 2 } });
  expect(app!["appRoles"]).toContainEqual(foreign);
  expect((app!["api"] as typeof api)["preAuthorizedApplications"]).toHaveLength(2);
  expect((app!["web"] as { redirectUris: string[] }).redirectUris).toHaveLength(2);
  expect(graph.principals[0]).toMatchObject({ appRoleAssignmentRequired: true });
  expect(graph.credentials.get(app!.id)![0]).toMatchObject({ subject: identity });
  expect((await applied()).changes).toBe(0);
});

test("without an identity and a site, as before the app is deployed", async () => {
  await applied({ identity: undefined, site: undefined, holders: [] });
  expect(graph.applications[0]?.["web"]).toBeUndefined();
  expect(graph.credentials.size).toBe(0);
  expect((await applied()).changes).toBe(3);
});

test("an application of that name which is somebody else's is not touched", async () => {
  graph.applications.push({ id: "a", appId: "b", displayName: "pinion-dev", tags: [] });
  await expect(applied()).rejects.toThrow("did not make: choose another --name");
  expect(graph.writes()).toBe(0);
});

describe("an application that was planted: its name and its mark are right", () => {
  const mallory = { id: "m", displayName: "Mallory", userPrincipalName: "mallory@contoso.com" };
  const planted = async (): Promise<{ app: string; principal: string; clientId: string }> => {
    const { clientId } = await applied();
    return { app: graph.applications[0]!.id, principal: graph.principals[0]!.id, clientId };
  };

  test.each([
    ["is another's", "app", () => [mallory], /Mallory, mallory@contoso.com \(m\)/],
    ["is another's too", "app", (): object[] => [graph.caller.owner, mallory], /Ada.*Mallory/],
    ["is nobody's", "app", () => [], /its owners: Ada/],
    ["has a service principal that is another's", "principal", () => [mallory], /Ada.*Mallory/],
  ] as const)("%s: is not touched, and its owners are said", async (_, of, owners, says) => {
    const found = await planted();
    graph.owners.set(found[of], owners() as Record<string, unknown>[]);
    const writes = graph.writes();
    const refused = await applied({ holders: [] }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "CONFLICT", message: expect.stringMatching(says) });
    expect(String(refused)).toContain(`--client-id ${found.clientId}; if not, choose another --name`);
    expect(graph.writes()).toBe(writes);
    // Whoever names it vouches for it; who owns it is said all the same.
    said = [];
    expect((await applied({ clientId: found.clientId.toUpperCase() })).changes).toBe(0);
    expect(said.filter((line) => line.startsWith("owners "))).toEqual([expect.stringMatching(/^owners {3}\S/)]);
  });

  test("another client id finds nothing, and makes nothing", async () => {
    await planted();
    const writes = graph.writes();
    await expect(applied({ clientId: person })).rejects.toThrow("no application pinion-dev with the client id");
    expect(graph.writes()).toBe(writes);
  });
});

test("a pipeline owns what it made; a managed identity is not known by az, and has to name it", async () => {
  const pipeline = { id: "p", appId: person, displayName: "deployment" };
  graph.principals.push(pipeline);
  Object.assign(graph.caller, { me: undefined, owner: pipeline });
  const user = { type: "servicePrincipal", name: person };
  const { clientId } = await applied({ holders: [] }, "good", user);
  expect((await applied({ holders: [] }, "good", user)).changes).toBe(0);
  const managed = { ...user, name: "systemAssignedIdentity" };
  await expect(applied({ holders: [] }, "good", managed)).rejects.toThrow("--client-id");
  expect((await applied({ holders: [], clientId }, "good", managed)).changes).toBe(0);
});

test("two of ours are refused, and a role that would lose its holders", async () => {
  await applied();
  const [app] = graph.applications;
  (app!["appRoles"] as Record<string, unknown>[])[0]!["id"] = person;
  await expect(applied()).rejects.toThrow("Pinion.Reader with another id");
  graph.applications.push({ ...app!, id: "second" });
  await expect(applied()).rejects.toThrow("say which with --client-id, or delete all but one");
});

test("what was made a moment ago is waited for", async () => {
  graph.lag.left = 3;
  expect((await applied()).changes).toBeGreaterThan(5);
});

test.each([
  [
    "POST /v1.0/applications",
    "does not let you make the application pinion-dev (403): it takes the Entra role Application Administrator",
  ],
  ["GET /v1.0/applications", "look for the application (403): it takes the right to read applications"],
  ["POST /v1.0/.*/federatedIdentityCredentials", "as its credential (403)"],
  ["POST /v1.0/servicePrincipals", "make the service principal, assignment required (403)"],
  ["POST /v1.0/.*/appRoleAssignedTo", "AppRoleAssignment.ReadWrite.All"],
])("%s is refused: the sentence says what it takes", async (request, words) => {
  graph.denied.add(request);
  const refused = await applied().then(
    () => "nothing was refused",
    (error: Error) => error.message,
  );
  expect(refused).toContain(words);
  expect(refused).toContain("--print");
  expect(refused).not.toContain("secret words");
});

test("a token that Graph does not take", async () => {
  await expect(applied({}, "stale")).rejects.toThrow("run `az login`");
});

test("sovereign clouds have their own issuer and audience", async () => {
  await applied({ cloud: clouds.AzureUSGovernment });
  expect([...graph.credentials.values()].flat()).toMatchObject([
    { issuer: `https://login.microsoftonline.us/${tenantId}/v2.0`, audiences: ["api://AzureADTokenExchangeUSGov"] },
  ]);
});

test("the printed commands make the very same, and the command finds nothing to change after them", async () => {
  const dir = mkdtempSync(join(tmpdir(), "pinion-entra-"));
  try {
    // An az that knows `az rest` only.
    const az = `#!${process.execPath}
const { parseArgs } = require("node:util");
const [command, ...args] = process.argv.slice(2);
if (command !== "rest") throw new Error("only az rest");
const text = { type: "string" };
const { method, url, body, query } = parseArgs({ args, options: { method: text, url: text, body: text, query: text, output: text } }).values;
const at = url.replace("https://graph.microsoft.com", ${JSON.stringify(graph.url)});
fetch(at, { method, body: JSON.stringify(JSON.parse(body)), headers: { authorization: "Bearer good" } }).then(async (reply) => {
  if (!reply.ok) { console.error(reply.status, url, body); process.exit(1); }
  if (query) console.log((await reply.json())[query]);
});
`;
    writeFileSync(join(dir, "az"), az);
    chmodSync(join(dir, "az"), 0o755);
    const script = printed(wish).join("\n");
    const { stdout } = await run("bash", ["-c", script], { env: { PATH: `${dir}:/usr/bin:/bin` } });
    const byHand = everything();
    expect(stdout).toContain(`client id: ${graph.applications[0]!.appId}`);
    expect((await applied()).changes).toBe(0);
    graph.close();
    graph = await startGraph();
    await applied();
    expect(JSON.parse(byHand)).toEqual(JSON.parse(everything()));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

const command = (...args: string[]) =>
  run(process.execPath, ["infra/entra.ts", ...args], {
    env: { PATH: "/nowhere" },
    cwd: join(import.meta.dirname, "../.."),
  });

test("--print asks nobody where cloud and tenant are said; else it needs az", async () => {
  const said = await command("--name", "pinion", "--print", "--cloud", "AzureChinaCloud", "--tenant", tenantId);
  expect(said.stdout).toContain("https://microsoftgraph.chinacloudapi.cn/v1.0/applications");
  await expect(command("--name", "pinion")).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining("az login"),
  });
  await expect(command()).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining("npm run entra") });
});

test.each([
  [["--name", "x'y"], "--name is"],
  [["--name", "x", "--identity", "me"], "--identity is an id"],
  [["--name", "x", "--operator", "me"], "--operator is an id"],
  [["--name", "x", "--client-id", "me"], "--client-id is an id"],
  [["--name", "x", "--client-id", tenantId, "--print"], "--print is for a new application"],
  [["--name", "x", "--site", "https://a.b"], "--site is a host name"],
  [["--name", "x", "--secret", "s"], "--secret"],
])("%j is refused", (args, words) => {
  expect(() => parseOptions(args)).toThrow(words);
});
