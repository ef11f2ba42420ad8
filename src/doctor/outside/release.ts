import { type Check, ok, warning } from "../finding.ts";
import type { Outside } from "./context.ts";

/** That the app is the version of this clone, whose documentation one reads. */
export const release: Check<Outside> = {
  id: "release",
  area: "Outside",
  about: "the app runs the version of this clone",
  needs: ["reached"],
  async run({ url, version, report }) {
    const { host } = new URL(url);
    if (report === undefined || report.version === version) return [ok(host, `runs ${version}`)];
    return [
      warning(
        host,
        `runs ${report.version}, and this clone is ${version}`,
        "Deploy this clone (azd deploy), or check out the version that runs.",
      ),
    ];
  },
};
