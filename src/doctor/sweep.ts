import { Cron } from "croner";
import type { Context } from "./context.ts";
import { type Check, fault, ok } from "./finding.ts";

/** How late the timer may be: the host starts cold, and a sweep of many vaults takes its time. */
const slack = 30 * 60_000;

/** That the sweep, which finds what events missed, comes when its schedule says. */
export const sweep: Check<Context> = {
  id: "sweep",
  area: "Durable",
  about: "the sweep ran when its schedule says",
  needs: ["settings", "identity", "storage"],
  async run({ fleet, config, env, now }) {
    const last = await fleet.lastSweep();
    if (last === undefined) return [ok("sweep", `has not run yet; its schedule is ${config.sweepSchedule}`)];
    // NCRONTAB and croner agree on six fields.
    const due = new Cron(config.sweepSchedule, { timezone: env["WEBSITE_TIME_ZONE"] ?? "UTC" }).nextRun(new Date(last));
    if (due === null || due.getTime() + slack > now()) return [ok("sweep", `ran ${last}`)];
    return [
      fault(
        "sweep",
        `was due ${due.toISOString()} and last ran ${last}`,
        "See that the app runs and its sweep trigger is enabled; its log says why it does not start.",
      ),
    ];
  },
};
