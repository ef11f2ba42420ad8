import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startAzurite } from "../../local/azurite.ts";
import { openClock } from "../../local/clock.ts";
import { openStorage, type Storage } from "../../src/store/storage.ts";

/** Azurite on the cloud's clock, with Pinion's storage in it. */
export async function openAzurite() {
  const dir = mkdtempSync(join(tmpdir(), "pinion-store-"));
  const clock = openClock(join(dir, "clock"));
  const azurite = await startAzurite({ clockFile: clock.file });
  const open = (): Storage => openStorage({ connectionString: azurite.connectionString }, noIdentity);
  const storage = open();
  await storage.ready();
  return {
    clock,
    azurite,
    storage,
    /** Another instance of the app. */
    open,
    async close() {
      await azurite.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** A connection string needs no identity. */
export const noIdentity = {
  getToken: () => Promise.reject(new Error("no identity is needed here")),
};
