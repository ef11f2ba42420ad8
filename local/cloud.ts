// npm run cloud: the local cloud without the host. Writes local.settings.json, so that Core Tools' `func start` or any Functions host
// can run dist/app against it.
import { existsSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { appSettings } from "./cloud/app-host.ts";
import { startCloud } from "./cloud/cloud.ts";
import { writeEndpoints } from "./cloud/endpoints.ts";
import { demoTiming, firstValidDays, policyFor, seed, sites, vault } from "./cloud/scenario.ts";
import { endWithSentence, readCommand } from "./command.ts";
import { createProgress } from "./demo/progress.ts";

const usage = `npm run cloud [-- options]: the local cloud without a Functions host; writes local.settings.json for one.

  --dir DIR   where its state is kept (.pinion)
  --help      this`;

const args = readCommand(usage, { dir: { type: "string", default: ".pinion" } });
endWithSentence();
const dir = resolve(args.dir);
const progress = createProgress("Starting the local cloud");
const cloud = await startCloud({ dir, vaults: [vault], sites, progress: progress.step });
const seeded = join(dir, "seeded");
if (existsSync(seeded)) await cloud.putPolicy(policyFor(cloud, {}, demoTiming));
else {
  await cloud.putPolicy((await seed(cloud, {}, demoTiming, firstValidDays)).policy);
  writeFileSync(seeded, "");
}
cloud.azure.appService.start();
progress.end("The local cloud is up.\n");

const interrupted = new Promise<void>((done) => void process.once("SIGINT", done).once("SIGTERM", done));
const settings = { IsEncrypted: false, Values: appSettings(cloud) };
writeFileSync("local.settings.json", `${JSON.stringify(settings, null, 2)}\n`, { mode: 0o600 });
const { file } = writeEndpoints(cloud, undefined, {});
console.log(`local.settings.json is written; every part's address is in ${file}.`);
console.log(
  `Start a host with the cloud's certificate authority, for instance:\n  NODE_EXTRA_CA_CERTS=${cloud.tls.caFile} func start`,
);
console.log("Ctrl+C stops the cloud.");
await interrupted;
console.log("\nStopping.");
await cloud.stop();
process.exit(0);
