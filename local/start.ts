// npm start: the local cloud, the app on it, and the main job told step by step.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { keysEverHeld } from "./canary/vault-keys.ts";
import { passwordsIn, valuesEverHeld } from "./canary/vault-values.ts";
import { filesBelow, type Leak, scan } from "./canary/scan.ts";
import { startAppHost } from "./cloud/app-host.ts";
import { type Authority, startAuthority } from "./cloud/authority.ts";
import { startCloud } from "./cloud/cloud.ts";
import { writeEndpoints } from "./cloud/endpoints.ts";
import { freePort } from "./cloud/ports.ts";
import {
  demoTiming,
  firstValidDays,
  ordersSite,
  policyFor,
  reportsSite,
  seed,
  sites,
  vault,
} from "./cloud/scenario.ts";
import { seedShop, shopCertificate, shopObject, shopValidity, webhookKeys, whyNotAcme } from "./cloud/shop.ts";
import { endWithSentence, readCommand } from "./command.ts";
import { parseDuration } from "../src/duration.ts";
import { createProgress } from "./demo/progress.ts";
import { createService } from "./demo/services.ts";
import { startShopWeb } from "./demo/shop-web.ts";
import { whenAsked } from "./demo/schedule.ts";
import { tell } from "./demo/story.ts";

const usage = `npm start [-- options]: a whole cloud on this machine, Pinion on it, and the main job told step by step; then it stays up.

  --once      end by itself after that, with 0 only if everything held
  --dir DIR   where its state is kept (.pinion); the next start goes on with it
  --help      this`;

const args = readCommand(usage, {
  once: { type: "boolean", default: false },
  dir: { type: "string", default: ".pinion" },
});
endWithSentence();
const dir = resolve(args.dir);
const hostLog = join(relative(process.cwd(), dir), "host", "host.log");
const say = (line: string): void => console.log(line);
const began = performance.now();
const progress = createProgress("Starting the local cloud");

mkdirSync(dir, { recursive: true });
const portsFile = join(dir, "services.json");
const ports = await keptPorts(portsFile);
const health = {
  [ordersSite]: `http://127.0.0.1:${ports.orders}/`,
  [reportsSite]: `http://127.0.0.1:${ports.reports}/`,
};
const lag = parseDuration(demoTiming.lag);
const day = 86_400_000;

// Whoever presses Ctrl+C once more does not wait for the parts to end.
let [up, stopping] = [false, false];
let told: Awaited<ReturnType<typeof tell>> | undefined;
let code = 1;
const interrupted = new Promise<void>((done) => void process.once("SIGINT", done).once("SIGTERM", done));
const over = interrupted.then(async () => {
  stopping = true;
  const next =
    told === undefined ? ` \`npm start\` goes on from here; delete ${relative(process.cwd(), dir)} to begin anew.` : "";
  say(`\nStopping.${next}`);
  if (up) await shutDown();
  process.exit(told === undefined ? 130 : code);
});

const cloud = await startCloud({
  dir,
  vaults: [vault],
  sites,
  restartLagSeconds: 0.2,
  progress: progress.step,
  onStart: async (site, settings) => {
    const service = site.name === ordersSite ? services[ordersSite] : services[reportsSite];
    await service.restart(settings);
  },
});
// Only now: before this the folder may be another start's.
writeFileSync(portsFile, JSON.stringify(ports));
const services = {
  // A replaced instance of orders-api goes on with what it was given for nearly its whole declared lag.
  [ordersSite]: createService(
    { site: ordersSite, setting: "ORDERS_DB", port: ports.orders, perSecond: 50, drainFor: lag - 1000 },
    cloud.clock,
  ),
  [reportsSite]: createService(
    { site: reportsSite, setting: "REPORTS_DB", port: ports.reports, perSecond: 50, drainFor: 0 },
    cloud.clock,
  ),
};
const seeded = join(dir, "seeded");
if (!existsSync(seeded)) {
  await seed(cloud, health, demoTiming, firstValidDays);
  writeFileSync(seeded, "");
}
await seedShop(cloud);
progress.step("credentials");
const keys = await webhookKeys(cloud);
const { authority, notAcme } = await openAuthority(keys.challenge);
if (authority !== undefined) progress.step("pebble");
const shopWeb = await startShopWeb({
  tlsPort: ports.shop,
  webhookPort: ports.shopWebhook,
  certificate: shopCertificate,
  secrets: cloud.secrets(vault, "site"),
  vaultUrl: cloud.vaultUrl(vault),
  key: keys.server,
  now: cloud.clock.now,
  file: join(dir, "shop-web.json"),
});
const policy = policyFor(cloud, health, demoTiming);
const addresses = { tlsPort: ports.shop, webhookUrl: `http://127.0.0.1:${ports.shopWebhook}/pinion` };
await cloud.putPolicy({ ...policy, objects: [...policy.objects, shopObject(cloud, addresses, authority)] });
cloud.azure.appService.start();
const host = await startAppHost({ cloud });
progress.step("Pinion");
progress.end(`The local cloud is up after ${((performance.now() - began) / 1000).toFixed(1)} s.\n`);
const endpoints = writeEndpoints(cloud, host, { ...health, "shop-web": `https://127.0.0.1:${ports.shop}/` });

up = true;
try {
  told = await tell({ cloud, host, services, shop: { tlsPort: ports.shop, notAcme }, say });
  const logins = services[ordersSite].logins;
  if (args.once) await shutDown();
  const leaks = findLeaks(told.replies);
  const broken = [...told.broken, ...leaks.map(({ place, form }) => `a secret was found in ${place} (${form})`)];
  if (logins.failed > 0) broken.push(`${logins.failed} logins of orders-api failed`);
  say(`orders-api made ${logins.made} logins through rotation, failure and rollback; ${logins.failed} failed.`);
  say(`Canary scan: ${leaks.length} leaks. In-place gap: ${told.inPlaceGapMs} ms.`);
  for (const sentence of broken) say(`NOT HELD: ${sentence}`);
  if (broken.length > 0) say(`The app's log is ${hostLog}.`);
  code = broken.length === 0 ? 0 : 1;
  if (args.once) {
    const summary = {
      rotations: told.rotations,
      logins: logins.made,
      failedLogins: logins.failed,
      inPlaceGapMs: told.inPlaceGapMs,
      certificate: told.certificate,
      leaks: leaks.length,
      evidence: told.evidence.map((path) => relative(process.cwd(), path)),
    };
    say(JSON.stringify(summary));
  } else {
    for (const line of endpoints.invitation) say(line);
    await over;
  }
} catch (error) {
  // What breaks while it is being stopped is no news.
  if (stopping) await over;
  console.error(error instanceof Error ? error.message : error, `\nThe app's log is ${hostLog}.`);
  await shutDown();
}
process.exit(code);

async function shutDown(): Promise<void> {
  await host.stop();
  await Promise.all([...Object.values(services), shopWeb].map((part) => part.stop()));
  await authority?.stop();
  await cloud.stop();
}

/** The ACME authority, where this machine has one. What it issues lives as long as the policy says from when the story asks for it. */
async function openAuthority(secret: string): Promise<{ authority?: Authority; notAcme?: string }> {
  const notAcme = whyNotAcme();
  if (notAcme !== undefined) return { notAcme };
  const secrets = cloud.secrets(vault);
  const [orders, reports, shop] = await Promise.all([
    secrets.getSecret("orders-db"),
    secrets.getSecret("reports-db"),
    cloud.certificates(vault).getCertificate(shopCertificate),
  ]);
  const endOf = ({ properties }: { properties: { expiresOn?: Date } }) => properties.expiresOn?.getTime() ?? 0;
  const asked = whenAsked(cloud.clock.now(), { orders: endOf(orders), reports: endOf(reports), shop: endOf(shop) });
  return { authority: await startAuthority(cloud, { secret, validUntil: asked + shopValidity * day }) };
}

/** Every password and private key that was ever in a vault, searched for in everything that was written or answered. The vaults and the target hold them rightly. */
function findLeaks(replies: readonly string[]): readonly Leak[] {
  const vaults = join(dir, "vaults");
  const secrets = [...passwordsIn(valuesEverHeld(vaults)), ...keysEverHeld(vaults)];
  const rightful = (path: string): boolean => /^(vaults|tls)\/|^postgres\/(data|server\.json)/.test(path);
  const places = function* () {
    yield* filesBelow(dir, rightful);
    yield { name: "HTTP replies", content: Buffer.from(replies.join("\n")) };
  };
  return scan(places(), secrets);
}

/** Ports of the services. They stay the same over restarts where they can. */
async function keptPorts(file: string): Promise<Record<"orders" | "reports" | "shop" | "shopWebhook", number>> {
  const last = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Record<string, number>) : {};
  return {
    orders: await freePort(last["orders"]),
    reports: await freePort(last["reports"]),
    shop: await freePort(last["shop"]),
    shopWebhook: await freePort(last["shopWebhook"]),
  };
}
