import { type Check, fault, ok } from "../finding.ts";
import type { Outside } from "./context.ts";

/** That nobody from outside starts, ends or reads orchestrations past Pinion's own API. */
export const management: Check<Outside> = {
  id: "management",
  area: "Outside",
  about: "the durable management API is closed",
  needs: ["reached"],
  async run({ url, fetch }, signal) {
    const { origin, host } = new URL(url);
    const { status } = await fetch(`${origin}/runtime/webhooks/durabletask/instances?top=1`, {
      redirect: "manual",
      signal,
    });
    if (status >= 400 && status < 500) return [ok(host, `keeps the durable management API closed (${status})`)];
    return [
      fault(
        host,
        `answers ${status} at /runtime/webhooks/durabletask/instances without a key`,
        "Take /runtime/webhooks out of the paths that App Service authentication excludes, and renew the durabletask_extension key.",
      ),
    ];
  },
};
