import { randomUUID } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { AppHost } from "../cloud/app-host.ts";
import { type Cloud, siteResourceId } from "../cloud/cloud.ts";
import { arm, ordersSite, reportsSite, vault } from "../cloud/scenario.ts";
import { renewCertificate, type RenewedCertificate, type Shop } from "./certificate.ts";
import { type Api, type Evidence, openApi, type Shown } from "./api.ts";
import { follow } from "./follow.ts";
import { dueFrom } from "./schedule.ts";
import type { Service } from "./services.ts";

export interface Told {
  readonly rotations: readonly {
    readonly id: string;
    readonly strategy: string;
    readonly outcome: string;
    readonly seconds: number;
  }[];
  readonly inPlaceGapMs: number;
  readonly certificate: RenewedCertificate;
  /** Paths of the evidence that was fetched. */
  readonly evidence: readonly string[];
  /** What did not hold, in words; empty when all did. */
  readonly broken: readonly string[];
  readonly replies: readonly string[];
}

interface Stage {
  readonly cloud: Cloud;
  readonly host: AppHost;
  readonly services: Readonly<Record<typeof ordersSite | typeof reportsSite, Service>>;
  readonly shop: Shop;
  readonly say: (line: string) => void;
}

/** One rotation of the story. */
export interface Chapter {
  readonly id: string;
  readonly expected: string;
  /** Names of proofs that its evidence must hold. */
  readonly proofs: readonly string[];
  /** What these show, in words. */
  readonly shows: string;
  begin(): Promise<void>;
}

/** A version with its end. */
export interface Expiring {
  readonly version?: string | undefined;
  readonly expiresOn?: Date | undefined;
}

/** The longest gap of an in-place rotation that the story lets pass, in milliseconds. */
const gapLimit = 15_000;

const dead = {
  proofs: ["the old credential is refused", "the kept credential logs in"],
  shows: "the retired credential is proven dead",
} as const;

/** The main job, told: a rotation by event, one that fails and turns itself back, one in place with its gap, and a certificate. */
export async function tell({ cloud, host, services, shop, say }: Stage): Promise<Told> {
  const api = openApi(host);
  const rotations: { id: string; strategy: string; outcome: string; seconds: number }[] = [];
  const evidence: string[] = [];
  const broken: string[] = [];
  const following = { clock: cloud.clock, api, services: Object.values(services) };
  const run = async ({ id, expected, proofs, shows, begin }: Chapter): Promise<void> => {
    let before = await api.call<Shown>("GET", `rotations/${id}`);
    if (before.phase !== "idle") {
      say("  one is under way already, and comes to its end first");
      before = (await follow({ ...following, id, previous: undefined, say: (line) => say(`  ${line}`) })).shown;
    }
    await begin();
    const { shown, evidence: record, seconds } = await follow({ ...following, id, previous: before.rotationId, say });
    if (record !== undefined) evidence.push(keep(cloud, record));
    rotations.push({ id, strategy: shown.strategy, outcome: shown.outcome ?? "", seconds: Number(seconds.toFixed(2)) });
    if (shown.outcome !== expected)
      broken.push(`${id}: expected ${expected}, was ${shown.outcome}: ${shown.message ?? ""}`);
    const all = (record?.steps ?? []).flatMap((step) => step.proofs);
    const missing = proofs.filter((name) => !all.some((proof) => proof.name === name && proof.ok));
    broken.push(...missing.map((name) => `evidence of ${shown.rotationId} (${expected}) does not prove: ${name}`));
    const note = missing.length === 0 ? `; ${shows}` : "";
    say(`  ${shown.outcome} in ${seconds.toFixed(1)} s, ${all.length} proofs in evidence${note}`);
  };
  const logins = () => {
    const { made, failed } = services[ordersSite].logins;
    say(`  orders-api so far: ${made} logins, ${failed} failed\n`);
  };
  const nearExpiry = async (id: string, kind: string, { version, expiresOn }: Expiring, furthest = Infinity) => {
    const wait = dueFrom(expiresOn?.getTime() ?? 0) + 1000 - cloud.clock.now();
    if (wait > 0 && wait < furthest) {
      cloud.clock.advance(wait);
      return say(`  the clock moved; Event Grid delivers ${kind}NearExpiry`);
    }
    await start(api, id, { version, reason: "demonstration: no event comes by itself" });
    const why = wait > 0 ? "it has been renewed meanwhile" : "its event has come already";
    say(`  ${why}: started by POST /api/rotations/${id}/start`);
  };
  const secretNearExpiry = async (id: string) =>
    await nearExpiry(id, "Secret", (await cloud.secrets(vault).getSecret(id)).properties);

  say(`1. ${vault}/orders-db comes within 30 days of its expiry (two roles, alternating)`);
  await run({ id: "orders-db", expected: "rotated", ...dead, begin: () => secretNearExpiry("orders-db") });
  logins();

  say("2. The next rotation gets a release that does not bear it: its health probe fails");
  services[ordersSite].refuseNext();
  await run({
    id: "orders-db",
    expected: "rolled-back",
    ...dead,
    async begin() {
      const { version } = (await cloud.secrets(vault).getSecret("orders-db")).properties;
      await start(api, "orders-db", { version, reason: "demonstration: the health probe will fail" });
      say("  started by POST /api/rotations/orders-db/start");
    },
  });
  await expectPinned(cloud, say, broken);
  logins();

  say("3. reports-db has one role only (in place): new logins fail for a moment, and the moment is measured");
  await run({ id: "reports-db", expected: "rotated", ...dead, begin: () => secretNearExpiry("reports-db") });
  await settled(services[reportsSite]);
  const { longest, open } = services[reportsSite].gap;
  if (open || longest > gapLimit) broken.push(`the in-place gap was ${open ? "not closed" : `${longest} ms`}`);
  const { made, failed } = services[reportsSite].logins;
  say(
    `  gap of ${longest} ms between the first failed and the first succeeded login (${failed} of ${made} logins, counted apart)\n`,
  );

  const certificate = await renewCertificate({ cloud, shop, run, nearExpiry, say, broken });
  return { rotations, inPlaceGapMs: longest, certificate, evidence, broken, replies: api.replies };
}

/**
 * Starts a rotation as a person does. Right behind the end of another the answer may still name that one, whose orchestration is just
 * ending: asked again with the same key, it is started once.
 */
export async function start(
  api: Api,
  id: string,
  wish: { version: string | undefined; reason: string },
): Promise<void> {
  const key = { "idempotency-key": randomUUID() };
  const { phase, rotationId } = await api.call<Shown>("GET", `rotations/${id}`);
  const ended = phase === "idle" ? rotationId : undefined;
  for (;;) {
    const started = await api.call<{ rotationId: string }>("POST", `rotations/${id}/start`, wish, key);
    if (started.rotationId !== ended) return;
    await delay(100);
  }
}

/** After the rollback the site must hold exactly the reference that it had. */
async function expectPinned(cloud: Cloud, say: (line: string) => void, broken: string[]): Promise<void> {
  const { properties } = await arm<{ properties: Record<string, string> }>(
    cloud,
    "POST",
    `${siteResourceId(ordersSite)}/config/appsettings/list`,
  );
  const pinned = /\/([0-9a-f]{32})\)$/.exec(properties["ORDERS_DB"] ?? "")?.[1];
  if (pinned === undefined) broken.push("after the rollback the site is not pinned");
  else say(`  orders-api is pinned to version ${pinned.slice(0, 8)}… again`);
}

async function settled(service: Service): Promise<void> {
  for (let tries = 0; tries < 100 && service.gap.open; tries++) await delay(100);
}

function keep(cloud: Cloud, record: Evidence): string {
  const folder = join(cloud.dir, "evidence");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${record.rotationId}.json`);
  writeFileSync(file, `${JSON.stringify(record, null, 2)}\n`);
  return file;
}
