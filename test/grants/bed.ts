import type { AccessToken, TokenCredential } from "@azure/core-auth";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { SiteDeclaration } from "../../local/azure/app-service/site.ts";
import type { Permission } from "../../local/azure/rights.ts";
import { startAzure } from "../../local/azure/server.ts";
import type { Authorize } from "../../local/vault/model.ts";
import { findRotator } from "../../rotators/index.ts";
import { type Arm, openArm } from "../../src/azure/arm.ts";
import type { Fault } from "../../src/errors.ts";
import { findConsumer } from "../../src/consumers/index.ts";
import { grantsOf, placesOf } from "../../src/grants.ts";
import type { Rotator } from "../../src/rotator.ts";
import { sweep } from "../../src/triggers/sweep.ts";
import { stagingName } from "../../src/vault/staging.ts";
import { app, tenantId } from "../azure/cloud.ts";
import { live, type LifeOptions } from "../life/live.ts";
import { day, type LifeObject, type ObjectOptions, openObject, openWorld, vaultName } from "../life/world.ts";
import { startBlobs } from "./blobs.ts";
import { allows, type Call, type Held, heldAt, heldBy } from "./judge.ts";
import { ofArm, ofBlob, ofVault } from "./provider-facts.ts";

// Whole lives with the real vault client, the real ARM client and nothing but the rights that are declared: whatever is asked of Azure is
// written down, and refused where those rights do not allow it.

export const subscriptionId = "22222222-2222-4222-8222-222222222222";
export const group = `/subscriptions/${subscriptionId}/resourceGroups/rg`;
export const account = `${group}/providers/Microsoft.Storage/storageAccounts/stpublic`;
export const zone = { subscriptionId, resourceGroup: "rg", name: "contoso.com" };
const site: SiteDeclaration = {
  subscriptionId,
  resourceGroup: "rg",
  name: "orders",
  identity: { clientId: "dddddddd-0000-4000-8000-000000000001", objectId: "dddddddd-0000-4000-8000-000000000002" },
  appSettings: {},
};

const vaultToken = "the-app";

export async function openBed() {
  /** What the app may do; undefined: everything, and nothing is written down. */
  let held: readonly Held[] | undefined;
  const calls: Call[] = [];
  const ends: (() => Promise<unknown>)[] = [];
  const may = (...asked: readonly Call[]): boolean => {
    if (held === undefined) return true;
    calls.push(...asked);
    return asked.every((one) => held!.some((right) => allows(right, one)));
  };

  const authorize: Authorize = (token, { resourceId }, { operation = "", name }) => {
    const who = { caller: token ?? "", described: "a caller" };
    if (token === undefined) return { ok: false, status: 401, code: "Unauthorized", message: "No token.", ...who };
    const asked = token === vaultToken ? ofVault(resourceId, operation, name) : undefined;
    if (asked === undefined || may(asked)) return { ok: true, ...who };
    const message = `Action: '${asked.action}'`;
    return { ok: false, status: 403, code: "Forbidden", message, inner: "ForbiddenByRbac", ...who };
  };
  const world = await openWorld({ authorize });
  const azure = await startAzure({
    stateDir: join(world.stateDir, "..", "azure"),
    clock: world.clock,
    tls: world.tls,
    tenantId,
    identities: [],
    sites: [site, { ...site, slot: "green" }],
    vaults: () => ({ [vaultName]: world.uri }),
    restartLagSeconds: 0,
    dnsZones: [zone],
  });
  const { timing } = azure.keyHolders;
  const quick = { operationSeconds: 0, rewrapSeconds: 0, autoRotateSeconds: 0, retryAfterSeconds: 0 };
  Object.assign(timing, quick);
  azure.appService.start();

  const credentialOf = (objectId: string): TokenCredential => ({
    async getToken(scopes): Promise<AccessToken> {
      const audience = String([scopes].flat()[0]).replace("/.default", "");
      const { token, expiresOn } = await azure.tokens.issue({ audience, objectId, appId: app.clientId });
      return { token, expiresOnTimestamp: expiresOn * 1000 };
    },
  });
  const identity: TokenCredential = {
    getToken: async (scopes, options) =>
      String(scopes).includes("vault.azure.net")
        ? { token: vaultToken, expiresOnTimestamp: Date.now() + day }
        : await credentialOf(app.objectId).getToken(scopes, options),
  };
  const at = [azure.url, "https://management.azure.com"] as const;
  const byApp = openArm(...at, identity);
  const arm: Arm = async (request) => {
    may(...ofArm(request.method, request.path));
    return await byApp(request);
  };
  const byPerson = openArm(...at, credentialOf("99999999-0000-4000-8000-000000000000"));
  const blobs = await startBlobs(world.tls, (_token, method, container) =>
    may({ action: ofBlob[method] ?? "", scope: `${account}/blobServices/default/containers/${container}` }),
  );

  const permissionsOf = (rights: readonly Held[]): readonly Permission[] =>
    rights.map(({ action, scope }) => {
      const isData = /KeyVault|\/blobs\//.test(action);
      const none = { actions: [], notActions: [], dataActions: [], notDataActions: [] };
      return { ...none, [isData ? "dataActions" : "actions"]: [action], scope };
    });

  /** What is called while `work` runs with these rights. */
  async function under(rights: readonly Held[], work: () => Promise<unknown>): Promise<readonly Call[]> {
    held = rights;
    azure.rights.limit(app.objectId, permissionsOf(rights));
    // Operations take their time, so that they are polled. That takes a right of its own, which nobody has here.
    timing.operationSeconds = 5;
    const begin = calls.length;
    try {
      await work();
    } finally {
      held = undefined;
      Object.assign(timing, quick);
      azure.rights.limit(app.objectId, undefined);
    }
    return calls.slice(begin);
  }

  return {
    ...world,
    world,
    azure,
    blobs,
    under,
    /** Azure Resource Manager, as a person or a pipeline uses it. */
    async put(id: string, body: object): Promise<void> {
      await byPerson({ method: "PUT", path: id, apiVersion: "2024-01-01", body, signal: AbortSignal.timeout(60_000) });
    },
    /** Has something ended with the bed. */
    onClose: (end: () => Promise<unknown>) => void ends.push(end),
    open: (options: ObjectOptions) => openObject(world, { ...options, arm, identity }),
    async close() {
      for (const end of ends) await end();
      blobs.close();
      await azure.stop();
      await world.close();
    },
  };
}

export type Bed = Awaited<ReturnType<typeof openBed>>;

export interface Life {
  /** The object as its policy has it. */
  readonly object: ObjectOptions["object"] | ((bed: Bed, name: string) => ObjectOptions["object"]);
  /** Makes its first version, its target and its consumers; the version's id. */
  first(bed: Bed, name: string): Promise<string>;
  readonly rotator?: Rotator<unknown>;
  /** Told of the object before it lives. */
  opened?(object: LifeObject): void;
  /** What others do at each wait. */
  meanwhile?(bed: Bed, object: LifeObject, status: { readonly step: string; readonly fault?: Fault }): Promise<void>;
}

/** What is declared for one object, and what its whole life calls. */
export interface Lived {
  readonly name: string;
  readonly rotation: readonly Held[];
  readonly sweep: readonly Held[];
  readonly calls: readonly Call[];
  readonly swept: readonly Call[];
  readonly outcomes: readonly string[];
  readonly failures: readonly string[];
}

let count = 0;

/**
 * Rotated; rotated once more, with its staging object found deleted, and turned back in the grace; then swept: with the rights that
 * onboarding gives, each at the very object.
 */
export async function liveWhole(bed: Bed, life: Life): Promise<Lived> {
  const name = `whole-${(count += 1)}`;
  const source = await life.first(bed, name);
  const shape = typeof life.object === "function" ? life.object(bed, name) : life.object;
  const { rotator } = life;
  const object = bed.open({ name, object: shape, ...(rotator && { rotator }) });
  life.opened?.(object);
  const find: typeof findRotator = (kind, strategy) => (kind === rotator?.kind ? rotator : findRotator(kind, strategy));
  const { vaults, objects } = object.parsed.policy!;
  const registries = { rotator: find, consumer: findConsumer };
  const { grants } = grantsOf(object.parsed.policy!, registries, { siblings: "object" });
  const rotation = [
    ...objects.flatMap((one) => heldAt(placesOf(vaults, one, registries))),
    ...heldBy(grants.filter(({ role }) => role === "read-permissions")),
  ];
  const all = [...rotation, ...heldBy(grants.filter(({ role }) => role.startsWith("inventory-")))];
  const outcomes: string[] = [];
  const failures: string[] = [];

  const hasSite = objects.some(({ consumers }) => consumers.some(({ kind }) => kind === "app-service"));
  const rotate = async (version: string, undo: boolean) => {
    let asked = false;
    const options: LifeOptions = {
      async meanwhile(status) {
        const { step } = status;
        await life.meanwhile?.(bed, object, status);
        // Sites work by themselves, in real time.
        if (hasSite) await pause(20);
        if (!undo || asked || step !== "grace") return false;
        asked = true;
        object.command({ verb: "rollback", rotationId: object.state().rotationId ?? "", version });
        return true;
      },
    };
    const lived = await live(bed.world, object, version, options);
    outcomes.push(lived.outcome);
    failures.push(...lived.failures);
    bed.clock.advance(60 * 60_000);
  };
  const calls = [...(await bed.under(rotation, async () => await rotate(source, false)))];
  await loseStaging(bed, object, shape.kind);
  const current = await object
    .app()
    .deps.zone(undefined)
    .vault(bed.uri, shape.kind)
    .latest(name, AbortSignal.timeout(9_000));
  calls.push(...(await bed.under(rotation, async () => await rotate(current.version, true))));
  const engine = {
    start: async (_: string, { rotationId }: { rotationId: string }) => ({ started: true, rotationId }),
    wake: async () => undefined,
    running: async () => undefined,
  };
  const swept = await bed.under(all, async () => {
    const { faults } = await sweep(object.app().deps, engine);
    if (faults > 0) failures.push(`the sweep had ${faults} faults`);
  });
  return { name, rotation, sweep: all, calls, swept, outcomes, failures };
}

/** Somebody deletes the object in which candidates are staged: it can be recovered. */
async function loseStaging(
  { secrets, certificates }: Bed,
  { key }: LifeObject,
  kind: "secret" | "certificate" | "key",
) {
  const name = stagingName(key);
  if (kind === "secret") await (await secrets.beginDeleteSecret(name).catch(() => undefined))?.pollUntilDone();
  if (kind === "certificate")
    await (await certificates.beginDeleteCertificate(name).catch(() => undefined))?.pollUntilDone();
}
