import { type Check, fault, ok, unknown } from "../finding.ts";
import type { Outside } from "./context.ts";
import { isByAuthentication } from "./front.ts";

/** That nobody from outside starts, ends or reads orchestrations past Pinion's own API. */
export const management: Check<Outside> = {
  id: "management",
  area: "Outside",
  about: "the durable management API is closed, by App Service authentication and not by a key alone",
  needs: ["reached"],
  async run({ url, fetch }, signal) {
    const { origin, host, protocol } = new URL(url);
    const ask = (address: string) => fetch(address, { redirect: "manual", signal });
    const reply = await ask(`${origin}/runtime/webhooks/durabletask/instances?top=1`);
    const { status } = reply;
    const close =
      "Take /runtime/webhooks out of the paths that App Service authentication excludes, and renew the durabletask_extension key.";
    if (status < 400 || status >= 500)
      return [fault(host, `answers ${status} at /runtime/webhooks/durabletask/instances without a key`, close)];
    const closed = `keeps the durable management API closed (${status})`;
    if (protocol === "http:" || isByAuthentication(reply)) return [ok(host, closed)];
    // The host refuses whoever has no key by itself. How authentication refuses here shows at the API.
    if (isByAuthentication(await ask(`${url}/rotations`)))
      return [fault(host, `${closed} by a key alone: App Service authentication does not stand before it`, close)];
    return [
      unknown(
        host,
        `${closed}; whether App Service authentication does so, or a key alone, does not show`,
        "Look at excludedPaths of the app's authentication: only paths of docs/doctor.md may be there.",
      ),
    ];
  },
};
