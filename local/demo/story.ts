import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { AppHost } from "../cloud/app-host.ts";
import { type Cloud, siteResourceId } from "../cloud/cloud.ts";
import { arm, ordersSite, reportsSite, vault } from "../cloud/scenario.ts";
import { type Evidence, follow, openApi, type Shown } from "./follow.ts";
import type { Service } from "./services.ts";

export interface Told {
  readonly rotations: readonly {
    readonly id: string;
    readonly strategy: string;
    readonly outcome: string;
    readonly seconds: number;
  }[];
  readonly inPlaceGapMs: number;
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
  readonly say: (line: string) => void;
}

const day = 86_400_000;
/** The longest gap of an in-place rotation that the story lets pass, in milliseconds. */
const gapLimit = 15_000;

/** The main job, told: a rotation by event, one that fails and turns itself back, and one in place with its gap. */
export async function tell({ cloud, host, services, say }: Stage): Promise<Told> {
  const api = openApi(host);
  const rotations: { id: string; strategy: string; outcome: string; seconds: number }[] = [];
  const evidence: string[] = [];
  const broken: string[] = [];
  const run = async (id: string, service: Service, expected: string, begin: () => Promise<void>): Promise<Shown> => {
    let before = await api.call<Shown>("GET", `rotations/${id}`);
    if (before.phase !== "idle") {
      say("  one that an earlier run left under way comes to its end first");
      before = (await follow({ cloud, api, service, id, previous: undefined, say: () => undefined })).shown;
    }
    await begin();
    const { shown, seconds } = await follow({ cloud, api, service, id, previous: before.rotationId, say });
    const record = await api.call<Evidence>("GET", `evidence/${shown.rotationId}`);
    evidence.push(keep(cloud, record));
    rotations.push({ id, strategy: shown.strategy, outcome: shown.outcome ?? "", seconds: Number(seconds.toFixed(2)) });
    if (shown.outcome !== expected)
      broken.push(`${id}: expected ${expected}, was ${shown.outcome}: ${shown.message ?? ""}`);
    broken.push(...unproven(record, expected));
    say(`  ${shown.outcome} in ${seconds.toFixed(1)} s${deathNote(record)}`);
    return shown;
  };
  const logins = () => {
    const { made, failed } = services[ordersSite].logins;
    say(`  orders-api so far: ${made} logins, ${failed} failed\n`);
  };

  say(`1. ${vault}/orders-db comes within 30 days of its expiry (two roles, alternating)`);
  await run("orders-db", services[ordersSite], "rotated", async () => {
    await moveToNearExpiry(cloud, "orders-db");
    say("  the clock moved; Event Grid delivers SecretNearExpiry");
  });
  logins();

  say("2. The next rotation gets a release that does not bear it: its health probe fails");
  services[ordersSite].refuseNext();
  await run("orders-db", services[ordersSite], "rolled-back", async () => {
    const { version } = (await cloud.secrets(vault).getSecret("orders-db")).properties;
    await api.call("POST", "rotations/orders-db/start", {
      version,
      reason: "demonstration: the health probe will fail",
    });
    say("  started by POST /api/rotations/orders-db/start");
  });
  await expectPinned(cloud, say, broken);
  logins();

  say("3. reports-db has one role only (in place): new logins fail for a moment, and the moment is measured");
  await run("reports-db", services[reportsSite], "rotated", async () => {
    await moveToNearExpiry(cloud, "reports-db");
    say("  the clock moved; Event Grid delivers SecretNearExpiry");
  });
  await settled(services[reportsSite]);
  const { longest, open } = services[reportsSite].gap;
  if (open || longest > gapLimit) broken.push(`the in-place gap was ${open ? "not closed" : `${longest} ms`}`);
  const { made, failed } = services[reportsSite].logins;
  say(
    `  gap of ${longest} ms between the first failed and the first succeeded login (${failed} of ${made} logins, counted apart)\n`,
  );
  return { rotations, inPlaceGapMs: longest, evidence, broken, replies: api.replies };
}

/** Moves the cloud's clock to 30 days before a secret's expiry, if that is still to come. */
async function moveToNearExpiry(cloud: Cloud, name: string): Promise<void> {
  const { expiresOn } = (await cloud.secrets(vault).getSecret(name)).properties;
  const wait = (expiresOn?.getTime() ?? 0) - 30 * day + 1000 - cloud.clock.now();
  if (wait > 0) cloud.clock.advance(wait);
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

const dead = ["the old credential is refused", "the kept credential logs in"];

function unproven(record: Evidence, expected: string): readonly string[] {
  const proofs = record.steps.flatMap(({ proofs: all }) => all);
  const missing = dead.filter((name) => !proofs.some((proof) => proof.name === name && proof.ok));
  return missing.map((name) => `evidence of ${record.rotationId} (${expected}) does not prove: ${name}`);
}

function deathNote(record: Evidence): string {
  const count = record.steps.flatMap(({ proofs }) => proofs).length;
  const proven = unproven(record, "").length === 0;
  return `, ${count} proofs in evidence${proven ? "; the retired credential is proven dead" : ""}`;
}

function keep(cloud: Cloud, record: Evidence): string {
  const folder = join(cloud.dir, "evidence");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${record.rotationId}.json`);
  writeFileSync(file, `${JSON.stringify(record, null, 2)}\n`);
  return file;
}
