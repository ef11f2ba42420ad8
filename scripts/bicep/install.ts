// Where the Bicep compiler is, and how it comes there: NuGet's packages folder, by the version in infra/bicep.csproj.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const project = fileURLToPath(new URL("../../infra/bicep.csproj", import.meta.url));

/** The one version of the compiler that checks the templates. */
export const version = /<BicepVersion>(.+)<\/BicepVersion>/.exec(readFileSync(project, "utf8"))![1]!;

const systems: Partial<Record<NodeJS.Platform, string>> = { linux: "linux", darwin: "osx", win32: "win" };

/** Where the compiler lies once it is restored. */
export function compilerPath(): string {
  const packages = process.env["NUGET_PACKAGES"] || join(homedir(), ".nuget", "packages");
  const name = `azure.bicep.commandline.${systems[process.platform] ?? process.platform}-${process.arch}`;
  return join(packages, name, version, "tools", process.platform === "win32" ? "bicep.exe" : "bicep");
}

/** Why there is no compiler on this machine; undefined: there is. */
export function missing(): string | undefined {
  return existsSync(compilerPath())
    ? undefined
    : `there is no Bicep ${version} here: \`npm run bicep\` restores it, with the .NET SDK`;
}

/** Downloads the compiler with the .NET SDK. Throws with a sentence when that cannot be. */
export function restore(): void {
  const { status, stdout, stderr, error } = spawnSync("dotnet", ["restore", project, "--nologo", "-v", "quiet"], {
    encoding: "utf8",
    env: { ...process.env, DOTNET_CLI_TELEMETRY_OPTOUT: "1", DOTNET_NOLOGO: "1", MSBUILDDISABLENODEREUSE: "1" },
  });
  if (error) throw new Error("The Bicep compiler comes with `dotnet restore`: install the .NET SDK, 10 or later.");
  if (status !== 0) throw new Error(`\`dotnet restore infra/bicep.csproj\` failed:\n${stdout}${stderr}`);
  const still = missing();
  if (still !== undefined) throw new Error(`\`dotnet restore infra/bicep.csproj\` ran, yet ${still}.`);
}
