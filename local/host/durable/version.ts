/** How the host's `defaultVersion` and an instance's version have to fit. */
export interface Versioning {
  readonly defaultVersion?: string;
  readonly versionMatchStrategy?: "None" | "Strict" | "CurrentOrOlder";
  readonly versionFailureStrategy?: "Reject" | "Fail";
}

/** What to do with an instance of `version`: `reject` leaves it as it is, for a host that knows it. */
export function verdict(version: string | null, host: Versioning): "run" | "reject" | "fail" {
  // Without a default version the extension compares nothing.
  if (!host.defaultVersion) return "run";
  const strategy = host.versionMatchStrategy ?? "CurrentOrOlder";
  const fits =
    strategy === "None" ||
    (strategy === "Strict"
      ? (version ?? "") === host.defaultVersion
      : compareVersions(version, host.defaultVersion) <= 0);
  if (fits) return "run";
  return host.versionFailureStrategy === "Fail" ? "fail" : "reject";
}

/** durabletask's order: none first, then as numbers with two to four parts, else as text without regard to case. */
export function compareVersions(a: string | null, b: string | null): number {
  const [left, right] = [a?.trim() ?? "", b?.trim() ?? ""];
  if (left === "" || right === "") return Number(left !== "") - Number(right !== "");
  const [x, y] = [parts(left), parts(right)];
  if (x && y) {
    for (let i = 0; i < 4; i++) {
      // A part that is not given is less than 0, as in .NET's System.Version.
      const difference = (x[i] ?? -1) - (y[i] ?? -1);
      if (difference !== 0) return Math.sign(difference);
    }
    return 0;
  }
  const [l, r] = [left.toLowerCase(), right.toLowerCase()];
  return l < r ? -1 : Number(l > r);
}

function parts(version: string): number[] | undefined {
  return /^\d+(\.\d+){1,3}$/.test(version) ? version.split(".").map(Number) : undefined;
}
