import { randomInt } from "node:crypto";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { createServer } from "node:net";
import type { Server } from "node:net";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { ClientSecretCredential, ManagedIdentityCredential } from "@azure/identity";
import { SecretClient } from "@azure/keyvault-secrets";
import { expect, test, vi } from "vitest";
import { startWebhook } from "../azure/webhook.ts";
import { UsageError, parseOptions } from "../../local/vault/cli/options.ts";
import { spawnCli, startCli } from "./cli.ts";
import { client as officialClient, tempDir } from "./support.ts";

// Each start is a process of its own, which busy machines take long over.
vi.setConfig({ testTimeout: 180_000 });

// `npm run vault`, as anybody uses it: a process of its own.

/** The first of so many free ports in a row, below those that the system gives to clients. */
async function freePorts(count: number): Promise<number> {
  const take = (port: number) =>
    new Promise<Server | undefined>((resolve) => {
      const server = createServer().once("error", () => resolve(undefined));
      server.listen(port, "127.0.0.1", () => resolve(server));
    });
  for (;;) {
    const base = randomInt(20_000, 30_000);
    const servers = await Promise.all(Array.from({ length: count }, (_, index) => take(base + index)));
    for (const server of servers) await new Promise<void>((end) => (server ? server.close(() => end()) : end()));
    if (servers.every(Boolean)) return base;
  }
}

test("it serves, says how to reach it, takes any token and says so, and ends well", async () => {
  const { child, config, texts, exit } = spawnCli([
    "--port",
    "0",
    "--vault",
    "kv-contoso-orders-dev",
    "--vault",
    "kv-b",
  ]);
  await vi.waitFor(() => expect(texts.out).toContain("Ctrl+C ends it."), { timeout: 60_000 });
  const ca = join(config, "pinion", "tls", "ca.pem");
  for (const line of [
    "Any bearer token is taken, whoever sends it: nothing is checked unless you start with --auth strict.",
    "Nothing is kept when this ends",
    `NODE_EXTRA_CA_CERTS=${ca}`,
    `REQUESTS_CA_BUNDLE=${ca}`,
    `SSL_CERT_FILE=${ca}`,
    "disableChallengeResourceVerification: true",
    "DisableChallengeResourceVerification = true",
    "verify_challenge_resource=False",
    "javax.net.ssl.trustStore",
  ]) {
    expect(texts.out).toContain(line);
  }
  const urls = [...texts.out.matchAll(/^ {2}kv-\S+ +(https:\S+)$/gm)].map(([, url]) => url!);
  expect(urls).toHaveLength(2);
  const clients = urls.map((url) => officialClient(url, readFileSync(ca, "utf8")));
  await clients[0]!.setSecret("a", "v");
  expect((await clients[0]!.getSecret("a")).value).toBe("v");
  await expect(clients[1]!.getSecret("a")).rejects.toMatchObject({ statusCode: 404 });
  child.kill("SIGINT");
  expect(await exit).toBe(0);
  expect(texts.err).toBe("");
  expect(readdirSync(join(config, "pinion")), "no key is made where nothing is kept").toEqual(["tls"]);
});

test("ports count up from the first; one that is taken is refused with a sentence", async () => {
  const base = await freePorts(3);
  const vaults = ["kv-one", "kv-two", "kv-three"].flatMap((name) => ["--vault", name]);
  const { told } = await startCli([...vaults, "--port", String(base)]);
  expect(told.vaults).toEqual({
    "kv-one": `https://127.0.0.1:${base}`,
    "kv-two": `https://127.0.0.1:${base + 1}`,
    "kv-three": `https://127.0.0.1:${base + 2}`,
  });
  const second = spawnCli(["--port", String(base)]);
  expect(await second.exit).toBe(1);
  expect(second.texts.err).toContain("EADDRINUSE");
  expect(second.texts.err).toContain("--port");
});

test("what cannot be followed is refused with a sentence; --help lists the options", async () => {
  const cases: [readonly string[], string][] = [
    [["--vault", "kv-contoso-orders-dev-weu"], "has 25 characters, Azure takes 3 to 24"],
    [["--vault", "kv"], "has 2 characters"],
    [["--vault", "1kv"], "must begin with a letter"],
    [["--vault", "kv-"], "must end with a letter or a digit"],
    [["--vault", "k--v"], "two hyphens in a row"],
    [["--vault", "kv_a"], "only letters, digits and hyphens"],
    [["--vault", "kv-a", "--vault", "KV-A"], "Two vaults have the same name"],
    [["--port", "x"], "--port is a whole number"],
    [["--retention", "6"], "--retention is a whole number, 7 to 90"],
    [["--auth", "maybe"], "--auth is any or strict"],
    [["--identity", "a"], "with --auth strict only"],
    [["--auth", "strict", "--identity", "a=Owner"], "there is no role Owner"],
    [["--auth", "strict", "--tenant", "me"], "--tenant is a UUID"],
    [["--events", "ftp://x"], "--events is an http or https URL"],
    [["--events-schema", "Mine"], "EventGridSchema or CloudEventSchemaV1_0"],
    [["--colour"], "Unknown option '--colour'"],
    [["vault"], "Unexpected argument 'vault'"],
  ];
  for (const [args, sentence] of cases) {
    const attempt = () => parseOptions(args);
    expect(attempt).toThrow(UsageError);
    expect(attempt).toThrow(sentence);
  }
  const refused = spawnCli(["--vault", "kv-contoso-orders-dev-weu"]);
  expect(await refused.exit).toBe(2);
  expect(refused.texts.err).toContain("has 25 characters, Azure takes 3 to 24");
  expect(refused.texts.err).toContain("--help");
  expect(refused.texts.out).toBe("");
  const { exit, texts } = spawnCli(["--help"]);
  expect(await exit).toBe(0);
  for (const option of ["--vault", "--state", "--auth", "--events", "--key-file"]) expect(texts.out).toContain(option);
});

test("--state survives kill -9, sealed with the user's own key; another user opens nothing", async () => {
  const [state, config] = [join(tempDir(), "state"), tempDir()];
  const first = await startCli(["--state", state, "--vault", "kv-kept"], config);
  expect((await first.ask("PUT", "/secrets/a", { body: { value: "the-canary-value" } })).status).toBe(200);
  await first.stop("SIGKILL");
  const second = await startCli(["--state", state, "--vault", "kv-kept"], config);
  expect(second.url, "the same port, so the same ids").toBe(first.url);
  expect((await second.ask("GET", "/secrets/a")).json.value).toBe("the-canary-value");
  expect(await second.stop()).toBe(0);
  expect(existsSync(join(config, "pinion", "vault.key"))).toBe(true);
  expect(readdirSync(state)).not.toContain("vault.key");
  expect(readFileSync(join(state, "kv-kept.journal")).includes("canary")).toBe(false);
  const other = spawnCli(["--port", "0", "--state", state, "--vault", "kv-kept"]);
  expect(await other.exit).toBe(1);
  expect(other.texts.err).toContain("sealed with another key");
  expect(other.texts.err, "a sentence, not a stack").not.toContain("    at ");

  writeFileSync(join(state, "key"), "00".repeat(32));
  const beside = spawnCli(["--port", "0", "--state", state, "--key-file", join(state, "key")]);
  expect(await beside.exit).toBe(2);
  expect(beside.texts.err).toContain("must not lie beside what it seals");
});

test("strict: the official credentials get tokens from it, each opens what its roles open", async () => {
  const identities = [
    "--identity",
    "app=Key Vault Secrets User@secrets/db",
    "--identity",
    "ops=Secrets Officer,Reader",
  ];
  const { told, ca, url, ask } = await startCli(["--auth", "strict", "--vault", "kv-strict", ...identities]);
  setDefaultCACertificates([...getCACertificates("default"), ca]);
  const { environment: env } = told;
  const clientOf = (credential: ConstructorParameters<typeof SecretClient>[1]) =>
    new SecretClient(url, credential, { disableChallengeResourceVerification: true, retryOptions: { maxRetries: 0 } });
  const secretOf = (index: number, secret = told.identities[index]!.secret) =>
    clientOf(
      new ClientSecretCredential(env["AZURE_TENANT_ID"]!, told.identities[index]!.clientId, secret, {
        authorityHost: env["AZURE_AUTHORITY_HOST"]!,
        disableInstanceDiscovery: true,
        retryOptions: { maxRetries: 0 },
      }),
    );
  const ops = secretOf(1);
  await ops.setSecret("db", "v");
  await ops.setSecret("other", "v");
  vi.stubEnv("IDENTITY_ENDPOINT", env["IDENTITY_ENDPOINT"]);
  vi.stubEnv("IDENTITY_HEADER", env["IDENTITY_HEADER"]);
  for (const app of [secretOf(0), clientOf(new ManagedIdentityCredential())]) {
    expect((await app.getSecret("db")).value).toBe("v");
    await expect(app.getSecret("other")).rejects.toMatchObject({ statusCode: 403, code: "Forbidden" });
    await expect(app.setSecret("db", "w")).rejects.toMatchObject({ statusCode: 403 });
  }
  await expect(secretOf(0, "wrong").getSecret("db")).rejects.toThrow("AADSTS7000215");
  expect((await ask("GET", "/secrets/db", { token: "anything" })).status).toBe(401);
  expect((await ask("GET", "/secrets/db", { token: null })).headers["www-authenticate"]).toContain(
    `authorization="${env["AZURE_AUTHORITY_HOST"]}/${env["AZURE_TENANT_ID"]}"`,
  );

  const imds = `${env["AZURE_POD_IDENTITY_AUTHORITY_HOST"]}/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net`;
  const issued = (await (await fetch(imds, { headers: { Metadata: "true" } })).json()) as { access_token: string };
  expect((await ask("GET", "/secrets/db", { token: issued.access_token })).status).toBe(200);
  expect((await fetch(imds)).status, "without the header that no redirect adds").toBe(400);
});

test("the token endpoint's refusals, in Entra's words", async () => {
  const { told, ca } = await startCli(["--auth", "strict"]);
  const { AZURE_AUTHORITY_HOST: host, AZURE_TENANT_ID: tenant } = told.environment;
  const { clientId, secret } = told.identities[0]!;
  const post = (path: string, form: Record<string, string>, headers: Record<string, string> = {}) =>
    new Promise<{ status: number; json: Record<string, unknown> }>((resolve, reject) => {
      const type = { "content-type": "application/x-www-form-urlencoded" };
      request(`${host}${path}`, { method: "POST", ca, headers: { ...type, ...headers } }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, json: JSON.parse(text) }));
      })
        .on("error", reject)
        .end(new URLSearchParams(form).toString());
    });
  const grant = { grant_type: "client_credentials", client_id: clientId, client_secret: secret };
  const scope = "https://vault.azure.net/.default";
  const cases: [string, Record<string, string>, number, string][] = [
    [`/${tenant}/oauth2/v2.0/token`, { ...grant, grant_type: "" }, 400, "AADSTS900144"],
    [`/${tenant}/oauth2/v2.0/token`, { ...grant, grant_type: "password" }, 400, "AADSTS70003"],
    [`/${tenant}/oauth2/v2.0/token`, { ...grant, client_id: "x" }, 400, "AADSTS700016"],
    [`/${tenant}/oauth2/v2.0/token`, { ...grant, client_secret: "x", scope }, 401, "AADSTS7000215"],
    [`/${tenant}/oauth2/v2.0/token`, { ...grant, scope: "https://vault.azure.net" }, 400, "AADSTS1002012"],
    [`/other/oauth2/v2.0/token`, { ...grant, scope }, 400, "AADSTS90002"],
  ];
  for (const [path, form, status, code] of cases) {
    const { status: got, json } = await post(path, form);
    expect([code, got, json["error_description"]]).toEqual([code, status, expect.stringContaining(code)]);
  }
  const basic = { authorization: `Basic ${Buffer.from(`${clientId}:${secret}`).toString("base64")}` };
  const good = await post(`/${tenant}/oauth2/v2.0/token`, { grant_type: "client_credentials", scope }, basic);
  expect(good.json).toMatchObject({ token_type: "Bearer", expires_in: 3599 });
  const old = await post(`/${tenant}/oauth2/token`, { ...grant, resource: "https://vault.azure.net" });
  expect(old.json).toMatchObject({ resource: "https://vault.azure.net", expires_in: "3599" });
});

test("events reach a webhook that agrees, in either schema; lost and doubled ones on request", async () => {
  const hook = await startWebhook();
  for (const schema of ["EventGridSchema", "CloudEventSchemaV1_0"]) {
    hook.received.length = 0;
    const { ask, url, stop } = await startCli([
      "--events",
      hook.url,
      "--events-schema",
      schema,
      "--vault",
      "kv-events",
    ]);
    const put = async (name: string, days?: number) => {
      const exp = days === undefined ? {} : { attributes: { exp: Math.floor(Date.now() / 1000) + days * 86_400 } };
      expect((await ask("PUT", `/secrets/${name}`, { body: { value: "v", ...exp } })).status).toBe(200);
    };
    await put("a", 60);
    const events = () => hook.notifications().map(({ body }) => [JSON.parse(body)].flat()[0]);
    await vi.waitFor(() => expect(events()).toHaveLength(1), { timeout: 40_000 });
    expect((await ask("POST", "/_emulator/clock", { body: { advance: "P31D" } })).status).toBe(200);
    await vi.waitFor(() => expect(events()).toHaveLength(2), { timeout: 40_000 });
    const cloud = schema === "CloudEventSchemaV1_0";
    const data = {
      Id: expect.stringContaining(`${url}/secrets/a/`),
      VaultName: "kv-events",
      ObjectType: "Secret",
      ObjectName: "a",
    };
    const topic = expect.stringMatching(/\/Microsoft\.KeyVault\/vaults\/kv-events$/);
    const type = "Microsoft.KeyVault.SecretNearExpiry";
    expect(events()[1]).toMatchObject(
      cloud
        ? { type, source: topic, subject: "a", specversion: "1.0", data }
        : { eventType: type, topic, subject: "a", dataVersion: "1", metadataVersion: "1", data },
    );
    expect((await ask("POST", "/_emulator/events", { body: { lose: 1 } })).status).toBe(204);
    await put("lost");
    await ask("POST", "/_emulator/events", { body: { duplicate: 1 } });
    await put("double");
    await vi.waitFor(() => expect(hook.subjects()).toEqual(["a", "a", "double", "double"]), { timeout: 40_000 });
    expect(events()[2].id, "the same event").toBe(events()[3].id);
    await ask("POST", "/_emulator/events", { body: { reorder: 3 } });
    for (const name of ["one", "two", "three"]) await put(name);
    await vi.waitFor(() => expect(hook.subjects()).toHaveLength(7), { timeout: 40_000 });
    const last = hook.subjects().slice(4);
    expect(last.toSorted()).toEqual(["one", "three", "two"]);
    expect(last).not.toEqual(["one", "two", "three"]);
    expect(await stop()).toBe(0);
  }
  await hook.close();
});
