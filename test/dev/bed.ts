import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SecretClient } from "@azure/keyvault-secrets";
import { createTokens } from "../../local/azure/tokens.ts";
import { vaultAccess } from "../../local/azure/vault-access.ts";
import { openClock } from "../../local/clock.ts";
import { ensureTls } from "../../local/tls.ts";
import { createAccess } from "../../local/vault/access.ts";
import { startVaults } from "../../local/vault/vaults.ts";

const tenantId = "11111111-1111-4111-8111-111111111111";
const subscription = "22222222-2222-4222-8222-222222222222";
export const resourceId = `/subscriptions/${subscription}/resourceGroups/rg-dev/providers/Microsoft.KeyVault/vaults/kv-dev`;
const me = { objectId: "cccccccc-0000-4000-8000-000000000002", appId: "cccccccc-0000-4000-8000-000000000001" };
const owner = { objectId: "dddddddd-0000-4000-8000-000000000002", appId: "dddddddd-0000-4000-8000-000000000001" };

/** What a run of the command said, and how it ended. */
export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** A vault with strict access, Resource Manager's lists, and an `az` that hands out tokens of the same tenant. */
export async function openBed() {
  const dir = mkdtempSync(join(tmpdir(), "pinion-dev-"));
  const clock = openClock(join(dir, "clock"));
  const tls = await ensureTls(join(dir, "tls"), clock);
  const tokens = createTokens({ stateDir: dir, clock, tenantId });
  const access = createAccess({ clock, file: join(dir, "roles.json") });
  access.ensure([{ principalId: owner.objectId, role: "Key Vault Administrator", scope: resourceId }]);
  const vaults = await startVaults({
    clock,
    stateDir: join(dir, "vaults"),
    tls,
    vaults: [{ name: "kv-dev", resourceId }],
    authority: `https://login.windows.net/${tenantId}`,
    access,
    authorize: vaultAccess({ tokens, access }),
  });
  const vault = vaults.vaults[0]!.url;
  const tokenFor = async (who: typeof me, audience: string) => await tokens.issue({ audience, ...who });

  const asked: string[] = [];
  const lists = { subscriptions: [{ subscriptionId: subscription }] };
  const arm = createServer({ cert: tls.cert, key: tls.key }, (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "https://localhost");
    asked.push(`${request.method} ${pathname}`);
    const value = pathname.endsWith("/vaults")
      ? [{ id: resourceId, properties: { vaultUri: `${vault}/` } }]
      : lists.subscriptions;
    response.setHeader("content-type", "application/json").end(JSON.stringify({ value }));
  });
  arm.listen(0, "127.0.0.1");
  await once(arm, "listening");

  const bin = join(dir, "bin");
  mkdirSync(bin);
  const write = (name: string, json: unknown) => writeFileSync(join(bin, name), JSON.stringify(json));
  write("account.json", { environmentName: "AzureCloud", tenantId, user: { name: "ada@contoso.com", type: "user" } });
  for (const [name, audience] of [
    ["vault.json", "https://vault.azure.net"],
    ["arm.json", "https://management.azure.com"],
  ] as const) {
    const { token, expiresOn } = await tokenFor(me, audience);
    write(name, { accessToken: token, expires_on: expiresOn, tokenType: "Bearer", tenant: tenantId });
  }
  /** Puts an `az` on the command's PATH; `body` is a shell's `case` on its arguments. */
  const putAz = (body: string): void => {
    writeFileSync(join(bin, "az"), `#!/bin/sh\ncase "$*" in\n${body}\nesac\n`);
    chmodSync(join(bin, "az"), 0o755);
  };
  const loggedIn = [
    `"account show --output json") cat ${bin}/account.json ;;`,
    `"account get-access-token --output json --resource https://vault.azure.net"*) cat ${bin}/vault.json ;;`,
    `"account get-access-token --output json --resource https://management.azure.com"*) cat ${bin}/arm.json ;;`,
    `*) echo "ERROR: not expected: $*" >&2; exit 1 ;;`,
  ].join("\n");
  putAz(loggedIn);

  const started: ChildProcess[] = [];
  return {
    dir,
    vault,
    vaults,
    access,
    asked,
    lists,
    putAz,
    loggedIn: () => putAz(loggedIn),
    me: me.objectId,
    /** As the vault's owner. */
    secrets: new SecretClient(
      vault,
      {
        async getToken() {
          const { token, expiresOn } = await tokenFor(owner, "https://vault.azure.net");
          return { token, expiresOnTimestamp: expiresOn * 1000 };
        },
      },
      { disableChallengeResourceVerification: true, tlsOptions: { ca: tls.ca } },
    ),
    /** Starts the command. `path`: what of PATH follows the stub's folder. */
    start(args: readonly string[], path = "/usr/bin:/bin", folder = bin) {
      const command = ["local/dev.ts", ...args, "--dir", join(dir, "state")];
      const child = spawn(process.execPath, command, {
        cwd: join(import.meta.dirname, "../.."),
        env: {
          PATH: `${folder}:${path}`,
          HOME: dir,
          NODE_EXTRA_CA_CERTS: tls.caFile,
          PINION_RESOURCE_MANAGER_URL: `https://127.0.0.1:${(arm.address() as AddressInfo).port}`,
          // What the person's shell may hold for something else must not count.
          IDENTITY_ENDPOINT: "http://127.0.0.1:9/msi/token",
          AZURE_CLIENT_ID: "not a client id",
          PINION_STOP: "false",
        },
        stdio: ["ignore", "pipe", "pipe"],
      });
      started.push(child);
      const said = { out: "", err: "" };
      child.stdout.on("data", (chunk: Buffer) => (said.out += chunk.toString()));
      child.stderr.on("data", (chunk: Buffer) => (said.err += chunk.toString()));
      const ended = once(child, "close").then(([code]): Ran => ({ code: code as number | null, ...said }));
      return { child, said, ended };
    },
    async close() {
      for (const child of started) child.kill();
      await vaults.close();
      arm.closeAllConnections();
      arm.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

export type Bed = Awaited<ReturnType<typeof openBed>>;
