import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { checks } from "./checks.ts";
import type { Context } from "./context.ts";
import { examine } from "./examine.ts";

const finding = z.object({
  check: z.string(),
  area: z.string(),
  level: z.enum(["ok", "fault", "warning", "unknown"]),
  subject: z.string(),
  says: z.string(),
  todo: z.string().exactOptional(),
  stops: z.literal(true).exactOptional(),
  after: z.string().exactOptional(),
});

/** One examination, as `GET /api/doctor` and `--json` give it. Fields are only ever added. */
export const reportSchema = z.object({
  /** The version of Pinion that looked. */
  version: z.string(),
  /** Whose rights these are: the app's own, or those of whoever is logged in on a laptop. */
  place: z.enum(["app", "laptop"]),
  /** Ids of the checks that were run, those that found nothing to look at too. */
  checks: z.array(z.string()),
  findings: z.array(finding),
});
export type Report = z.output<typeof reportSchema>;

/** Runs every check there is inside. */
export async function reportOf(context: Context): Promise<Report> {
  const [version, findings] = await Promise.all([versionIn(context.folder), examine(checks, context)]);
  return { version, place: context.place, checks: checks.map(({ id }) => id), findings: [...findings] };
}

/** The version in a folder's package.json. */
export async function versionIn(folder: string): Promise<string> {
  const text = await readFile(join(folder, "package.json"), "utf8").catch(() => "{}");
  const { version } = JSON.parse(text) as { version?: unknown };
  return typeof version === "string" ? version : "unknown";
}
