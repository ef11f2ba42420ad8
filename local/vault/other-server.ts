import { createHash } from "node:crypto";
import { request } from "node:https";
import { realpathSync } from "node:fs";

/** Names a vault of a state folder, so that two processes can tell whether they mean the same. */
export function stateId(stateDir: string, vault: string): string {
  return createHash("sha256")
    .update(`${realpathSync(stateDir)} ${vault.toLowerCase()}`)
    .digest("hex")
    .slice(0, 32);
}

const patience = 1000;

/** Throws when another process serves this vault of this state folder: two would overwrite each other's work. */
export async function refuseServed(stateDir: string, vault: string, lastPort: number | undefined): Promise<void> {
  if (!lastPort || (await stateServedAt(lastPort)) !== stateId(stateDir, vault)) return;
  throw new Error(
    `The vault ${vault} of ${stateDir} is being served already, at https://127.0.0.1:${lastPort}: end that first.`,
  );
}

/** What the vault at this port says it is; undefined where there is none. */
function stateServedAt(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    // Whoever it is, nothing is sent to it but the question.
    const asking = request({
      host: "127.0.0.1",
      port,
      path: "/_emulator/",
      rejectUnauthorized: false,
      timeout: patience,
    });
    asking.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve(/"state":"([0-9a-f]{32})"/.exec(text)?.[1]));
      response.on("error", () => resolve(undefined));
    });
    asking.on("error", () => resolve(undefined));
    asking.on("timeout", () => asking.destroy());
    asking.end();
  });
}
