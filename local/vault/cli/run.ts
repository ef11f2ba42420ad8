import { createHmac, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { createEventGrid } from "../../azure/event-grid.ts";
import { createTokens } from "../../azure/tokens.ts";
import { vaultAccess } from "../../azure/vault-access.ts";
import { openClock } from "../../clock.ts";
import { ensureTls } from "../../tls.ts";
import { createAccess } from "../access.ts";
import type { Access } from "../access.ts";
import { configFolder, sealingKey } from "../vault-key.ts";
import { startVaults } from "../vaults.ts";
import { namedClients, startEntra } from "./entra.ts";
import type { Entra, NamedClient } from "./entra.ts";
import { UsageError } from "./options.ts";
import type { CliOptions } from "./options.ts";
import type { Served } from "./text.ts";

/** Running vaults, as the command line asked for them. */
export interface Running extends Served {
  /** Where the key that seals everything comes from. */
  readonly keyPlace: string;
  readonly close: () => Promise<void>;
}

const resourceId = (vault: string): string =>
  `/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/local/providers/Microsoft.KeyVault/vaults/${vault}`;

/** Starts what was asked for. Rejects with an error whose message is meant for people. */
export async function run(options: CliOptions): Promise<Running> {
  const { state, tenant, strict } = options;
  const { key, keyPlace } = chooseKey(options);
  const stateDir = state ?? mkdtempSync(join(tmpdir(), "pinion-vault-"));
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const ends: (() => Promise<void> | void)[] = [];
  const close = async () => {
    for (const end of ends.splice(0).toReversed()) await end();
    if (state === undefined) rmSync(stateDir, { recursive: true, force: true });
  };
  try {
    const clock = openClock(join(stateDir, "clock"), { mayGoBack: true });
    const tlsDir = options.tls ?? join(configFolder(), "tls");
    const tls = await ensureTls(tlsDir, clock).catch((error: unknown) => {
      throw new Error(`The certificates cannot be kept in ${tlsDir}: choose a folder with --tls.`, { cause: error });
    });
    const tokens = createTokens({ stateDir: join(stateDir, "entra"), clock, tenantId: tenant });
    const access = strict ? createAccess({ clock, file: join(stateDir, "roles.json") }) : undefined;
    const clients = strict
      ? namedClients(
          options.identities.map(({ name }) => name),
          tenant,
          key,
        )
      : [];
    const header = createHmac("sha256", key).update("identity header").digest("hex");
    if (access) assignRoles(access, options, clients);
    let entra: Entra | undefined;
    const grid = options.events && openGrid(options, stateDir, { clock, tokens, baseUrl: () => entra?.url ?? "" });
    if (grid) ends.push(grid.stop);
    if (strict || grid) {
      const port = options.port && options.port + options.vaults.length;
      entra = await startEntra({ tokens, clock, tls, clients, header, port, more: grid ? [grid.handler] : [] });
      ends.push(entra.close);
    }
    const { retentionDays, purgeProtection } = options;
    const vaults = await startVaults({
      clock,
      stateDir,
      key,
      tls,
      vaults: options.vaults.map((name, index) => ({
        name,
        resourceId: resourceId(name),
        retentionDays,
        purgeProtection,
        ...(options.port ? { port: options.port + index } : {}),
      })),
      ...(access && entra
        ? { access, authorize: vaultAccess({ tokens, access }), authority: `${entra.url}/${tenant}` }
        : {}),
      ...(grid ? { onEvent: grid.publishVaultEvent, subscribedSince: grid.since } : {}),
    });
    ends.push(vaults.close);
    vaults.control.set({ throttling: options.throttling, deleteDelayMs: options.deleteDelaySeconds * 1000 });
    const served = { vaults: vaults.vaults, caFile: tls.caFile, keyPlace, close };
    return strict && entra ? { ...served, entra: { ...entra, header, clients } } : served;
  } catch (error) {
    await close();
    throw error;
  }
}

/** Without a state folder the key lives as long as the process, unless one is given. */
function chooseKey({ state, keyFile }: CliOptions): { readonly key: Buffer; readonly keyPlace: string } {
  if (keyFile !== undefined) {
    const inside = state !== undefined && !relative(state, keyFile).startsWith("..");
    if (inside) throw new UsageError(`The key must not lie beside what it seals: move ${keyFile} out of ${state}.`);
    return { key: sealingKey(keyFile), keyPlace: `the key in ${keyFile}` };
  }
  if (process.env["PINION_VAULT_KEY"]) return { key: sealingKey(), keyPlace: "the key in PINION_VAULT_KEY" };
  if (state === undefined) return { key: randomBytes(32), keyPlace: "a key of this process" };
  return { key: sealingKey(), keyPlace: `your key in ${join(configFolder(), "vault.key")}` };
}

function assignRoles(access: Access, options: CliOptions, clients: readonly NamedClient[]): void {
  access.setDelay(options.propagationSeconds * 1000);
  for (const [index, { roles }] of options.identities.entries()) {
    const principalId = clients[index]!.objectId;
    for (const { role, scope } of roles) {
      const scopes = options.vaults.map((vault) => [resourceId(vault), scope].filter(Boolean).join("/"));
      access.ensure(scopes.map((one) => ({ principalId, role, scope: one })));
    }
  }
}

/** Event Grid for one webhook; the subscription is as old as the first start with this URL on this folder. */
function openGrid(
  { vaults, events }: CliOptions,
  stateDir: string,
  parts: Pick<Parameters<typeof createEventGrid>[0], "clock" | "tokens" | "baseUrl">,
) {
  const { url, schema } = events!;
  const file = join(stateDir, "subscription.json");
  const kept = existsSync(file)
    ? (JSON.parse(readFileSync(file, "utf8")) as { url: string; since: number })
    : undefined;
  const since = kept?.url === url ? kept.since : parts.clock.now();
  writeFileSync(file, JSON.stringify({ url, since }));
  const subscriptions = vaults.map((vault) => ({
    name: `${vault}-events`,
    topic: vault,
    schema,
    destination: { type: "webhook", url } as const,
  }));
  return { ...createEventGrid({ ...parts, stateDir: join(stateDir, "event-grid"), topics: [], subscriptions }), since };
}
