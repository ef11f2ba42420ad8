import type { ContextOptions } from "../../doctor/context.ts";
import type { Report } from "../../doctor/report.ts";
import { json } from "./problem.ts";
import type { ApiHandler } from "./route.ts";

/**
 * `GET /api/doctor`: what keeps Pinion from rotating, as its own identity sees it. 200 whatever it finds. Whoever asks while an
 * examination runs gets that one's answer: it makes some fifty requests to Azure.
 */
export function doctor(options: Pick<ContextOptions, "env" | "folder" | "registry">): ApiHandler {
  let running: Promise<Report> | undefined;
  return async ({ engine }) => {
    running ??= look({ place: "app", engine, ...options }).finally(() => void (running = undefined));
    return json(200, await running);
  };
}

/** Loaded when it is asked for: an app that starts needs no doctor. */
async function look(options: ContextOptions): Promise<Report> {
  const [{ openContext }, { reportOf }] = await Promise.all([
    import("../../doctor/context.ts"),
    import("../../doctor/report.ts"),
  ]);
  return reportOf(openContext(options));
}
