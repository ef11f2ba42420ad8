import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { policyOf, restricted } from "../../local/dev/policy.ts";
import { explained } from "../../local/dev/vault.ts";
import { type Bed, openBed } from "./bed.ts";

// `npm run dev` against a vault over HTTPS, with an az that hands out tokens: it tells what is due, changes nothing, and says why it cannot.

const day = 86_400_000;
const inDays = (days: number): Date => new Date(Date.now() + days * day);

let bed: Bed;
beforeAll(async () => {
  bed = await openBed();
  await bed.secrets.setSecret("orders-db", "hunter2-orders", { expiresOn: inDays(20) });
  await bed.secrets.setSecret("Mail-API", "hunter2-mail", { expiresOn: inDays(300) });
  await bed.secrets.setSecret("forever", "hunter2-forever");
  await bed.secrets.setSecret("pinion-stage-abc", "hunter2-stage");
  bed.access.ensure([{ principalId: bed.me, role: "Key Vault Reader", scope: resource() }]);
});
afterAll(() => bed.close());
beforeEach(() => bed.loggedIn());

const resource = (): string => bed.vaults.vaults[0]!.resourceId;
const run = (...args: readonly string[]) => bed.start(["--vault", bed.vault, ...args]).ended;
const operations = (since: number) => bed.vaults.control.log().slice(since);

test("a policy is made of what the vault lists, and only observed", async () => {
  const before = bed.vaults.control.log().length;
  const { child, said, ended } = bed.start(["--vault", bed.vault]);
  await expect.poll(() => said.out + said.err, { timeout: 50_000 }).toContain("Ctrl+C ends it.");
  expect(said.err).toBe("");
  expect(said.out).toContain("ada@contoso.com, tenant 11111111-1111-4111-8111-111111111111, AzureCloud");
  expect(said.out).toContain("3 secrets of its own (no value is read)");
  const table = said.out.split("\n").filter((line) => /^(object|orders-db|Mail-API|forever)\b/.test(line));
  const date = (days: number) => inDays(days).toISOString().slice(0, 10);
  expect(table.map((line) => line.split(/ {2,}/))).toEqual([
    ["object", "expires", "due", "what the sweep says"],
    ["orders-db", date(20), date(-10), "due, but only observed"],
    ["Mail-API", date(300), date(270), "nothing to do"],
    ["forever", "-", "-", "it has no expiry date: it is rotated by hand only"],
  ]);
  expect(bed.asked).toContain("GET /subscriptions");

  // A start by hand is refused too, whoever asks.
  const [, key = "", url = ""] = /x-functions-key: (\S+)" (http:\S+)\/rotations/.exec(said.out) ?? [];
  const headers = { "x-functions-key": key, "content-type": "application/json" };
  const version = (await bed.secrets.getSecret("orders-db")).properties.version;
  const own = bed.vaults.control.log().length;
  const reply = await fetch(`${url}/rotations/orders-db/start`, {
    method: "POST",
    headers,
    body: JSON.stringify({ version }),
  });
  expect(reply.status).toBe(409);
  // Whichever of the two switches is asked first.
  expect(["KILL_SWITCH", "OBSERVE_ONLY"]).toContain(((await reply.json()) as { code: string }).code);
  child.kill("SIGTERM");
  expect((await ended).code).toBe(0);

  // Not one value was read and nothing was written, before and after that start.
  const mine = [...operations(before).slice(0, own - before), ...operations(own)].filter(
    ({ caller, status }) => caller === bed.me && status < 300,
  );
  expect(mine.length).toBeGreaterThan(0);
  expect(new Set(mine.map(({ method, operation }) => `${method} ${operation}`))).toEqual(new Set(["GET secret.list"]));
});

test("a policy's objects in that vault are observed, whatever modes it has", async () => {
  const target = { verifier: { secret: `${bed.vault}/secrets/verifier`, format: "json-array" }, lag: "PT1M" };
  const object = {
    id: "orders",
    vault: "here",
    kind: "secret",
    name: "orders-db",
    mode: "rotate",
    validity: "P90D",
    rotator: { kind: "hmac-secret", strategy: "dual", target },
    consumers: [],
  };
  const elsewhere = { ...object, id: "other", vault: "there", name: "other" };
  const vaults = {
    here: { uri: bed.vault, resourceId: resource() },
    there: { uri: "https://kv-there.vault.azure.net", resourceId: resource().replace("kv-dev", "kv-there") },
  };
  const file = join(bed.dir, "rotations.json");
  const before = bed.vaults.control.log().length;
  writeFileSync(file, JSON.stringify({ version: 1, mode: "rotate", vaults, objects: [object, elsewhere] }));
  const { out, err, code } = await run("--policy", file, "--once");
  expect([err, code]).toEqual(["", 0]);
  expect(out).toMatch(/^orders-db .* due, but only observed$/m);
  expect(out).not.toContain("other");
  const mine = operations(before).filter(({ caller, status }) => caller === bed.me && status < 300);
  expect(new Set(mine.map(({ method }) => method))).toEqual(new Set(["GET"]));

  writeFileSync(file, JSON.stringify({ version: 1, vaults: { there: vaults.there }, objects: [elsewhere] }));
  expect((await run("--policy", file, "--once")).err).toContain("The policy has no vault https://127.0.0.1");
});

test("a policy that only looks, whatever a file says", () => {
  const vault = "https://kv-dev.vault.azure.net";
  const file = JSON.stringify({
    version: 1,
    mode: "rotate",
    vaults: { here: { uri: `${vault}/`, resourceId: "/" } },
    objects: [
      { id: "a", vault: "here", mode: "rotate" },
      { id: "b", vault: "here" },
    ],
  });
  // Its faults are its own: the vault's id is none, so there is no policy at all.
  expect(() => restricted(file, vault)).toThrow("resource id");
  const sound = file.replace('"/"}', `"${resource()}"}`);
  expect(restricted(sound, vault)).toMatchObject({
    json: {
      mode: "observe",
      objects: [
        { id: "a", mode: "observe" },
        { id: "b", mode: "observe" },
      ],
    },
    faults: expect.stringContaining("objects[0]"),
  });
  const made = policyOf(vault, resource(), [{ name: "A" }, { name: "-a" }, { name: "-x".repeat(60) }]);
  expect([made.json["mode"], made.faults]).toEqual(["observe", ""]);
});

test.each([
  ["http://kv-dev.vault.azure.net", "It must be https"],
  ["https://kv-dev.vault.azure.net/secrets", "without a path"],
  ["kv-dev", "--vault is the vault's address"],
])("--vault %s is refused before anything is asked", async (vault, why) => {
  const before = bed.vaults.control.log().length;
  bed.putAz(`*) touch ${bed.dir}/asked ;;`);
  const { code, err } = await bed.start(["--vault", vault]).ended;
  expect([code, err]).toEqual([2, expect.stringContaining(why)]);
  expect(operations(before)).toEqual([]);
});

test("it says how it is called", async () => {
  expect(await bed.start([]).ended).toMatchObject({ code: 2, err: expect.stringContaining("npm run dev -- --vault") });
});

test("no az", async () => {
  const { code, err } = await bed.start(["--vault", bed.vault], "/nowhere", "/nowhere").ended;
  expect([code, err]).toEqual([1, expect.stringContaining("The Azure CLI (az) is not on this machine's PATH")]);
});

test("not logged in", async () => {
  bed.putAz(`*) echo "ERROR: Please run 'az login' to setup account." >&2; exit 1 ;;`);
  expect((await run()).err).toContain("The Azure CLI is not logged in: run `az login`");
});

test("no subscription has the vault: it says which option names it, and the option does", async () => {
  bed.lists.subscriptions = [];
  expect((await run()).err).toContain("--resource-id /subscriptions/");
  const { out, code } = await run("--resource-id", resource(), "--once");
  expect([code, out]).toEqual([0, expect.stringContaining("due, but only observed")]);
});

test("a vault that is not there, and what the network says of others", () => {
  const said = (code: string) => explained("kv-none.vault.azure.net", { name: "TypeError", cause: { code } }).message;
  expect(said("ENOTFOUND")).toContain("There is no vault at kv-none.vault.azure.net: the name does not resolve");
  expect(said("SELF_SIGNED_CERT_IN_CHAIN")).toContain("NODE_EXTRA_CA_CERTS");
  expect(said("ECONNREFUSED")).toContain("did not answer (ECONNREFUSED)");
});

test("a token goes to the cloud's vaults only", async () => {
  const { err, code } = await bed.start(["--vault", "https://kv-dev.vault.azure.net.example.com"]).ended;
  expect([code, err]).toEqual([2, expect.stringContaining("is no vault of AzureCloud")]);
});

test("a vault that refuses, or is closed", async () => {
  const { control } = bed.vaults;
  try {
    control.set({ network: { publicNetworkAccess: "Enabled", defaultAction: "Deny", ipRules: [] } });
    expect((await run()).err).toContain("behind a firewall");
    control.set({ network: { publicNetworkAccess: "Disabled", defaultAction: "Allow", ipRules: [] } });
    expect((await run()).err).toContain("closed to public networks");
  } finally {
    control.set({ network: undefined });
  }
  bed.putAz(
    `"account show"*) cat ${bed.dir}/bin/account.json ;;\n*) echo "ERROR: no token, run az login" >&2; exit 1 ;;`,
  );
  expect((await run()).err).toContain("The Azure CLI gave no token");
});

test("no right to list", async () => {
  const mine = bed.access.assignments().filter(({ principalId }) => principalId === bed.me);
  for (const { id } of mine) bed.access.unassign(id);
  expect((await run()).err).toContain("ask for the role Key Vault Reader");
});
