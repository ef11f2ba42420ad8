import { execFile } from "node:child_process";
import { PinionError } from "../src/errors.ts";

/** How `az` is run; tests give their own. Resolves with what it printed as JSON. */
export type Az = (...args: readonly string[]) => Promise<unknown>;

/** What `az account show` tells that we use. */
export interface Account {
  /** `AzureCloud`, `AzureUSGovernment`, `AzureChinaCloud`. */
  readonly environmentName: string;
  readonly tenantId: string;
  /** A person by `user` and its address; else `servicePrincipal`, by its client id, or which kind of managed identity it is. */
  readonly user: { readonly name: string; readonly type: string };
}

/** Runs the Azure CLI that the person is logged in with. Its own first words are kept where it fails: they hold no token. */
export const az: Az = (...args) =>
  new Promise((resolve, reject) => {
    const windows = process.platform === "win32";
    const options = { shell: windows, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 } as const;
    execFile(windows ? "az.cmd" : "az", [...args, "--output", "json"], options, (error, stdout, stderr) => {
      if (error !== null) return reject(refusal(args, error, stderr));
      try {
        resolve(JSON.parse(stdout));
      } catch {
        reject(new PinionError("INTERNAL", `az ${args.slice(0, 2).join(" ")} did not answer in JSON: update the CLI.`));
      }
    });
  });

/** Who is logged in, and in which cloud. */
export const accountOf = async (run: Az): Promise<Account> => (await run("account", "show")) as Account;

function refusal(args: readonly string[], error: Error & { code?: unknown }, stderr: string): PinionError {
  const missing = error.code === "ENOENT" || /is not recognized|not found/.test(stderr.split("\n", 1)[0] ?? "");
  if (missing)
    return new PinionError(
      "UNAUTHORIZED",
      "The Azure CLI (az) is not on this machine's PATH: install it, then run `az login`.",
    );
  if (/\baz login\b/.test(stderr))
    return new PinionError("UNAUTHORIZED", "The Azure CLI is not logged in: run `az login` and try again.");
  const first = stderr.trim().split("\n", 1)[0] ?? "";
  return new PinionError("INTERNAL", `az ${args.slice(0, 2).join(" ")} failed: ${first || "it said nothing"}`);
}
