import { type Check, fault, ok } from "../finding.ts";
import type { Outside } from "./context.ts";

/** That nobody reads who does not say who they are. */
export const anonymous: Check<Outside> = {
  id: "anonymous",
  area: "Outside",
  about: "a caller without a token or key is refused",
  needs: ["reached"],
  async run({ url, fetch }, signal) {
    const { host } = new URL(url);
    const { status } = await fetch(`${url}/rotations`, { redirect: "manual", signal });
    if (status === 401 || status === 403) return [ok(host, `refuses who does not say who they are (${status})`)];
    if (status >= 300 && status < 400)
      return [
        fault(
          host,
          `sends a stranger to a login page (${status})`,
          "Set unauthenticatedClientAction to Return401: infra/main.bicep does.",
        ),
      ];
    return [
      fault(
        host,
        `answers a stranger ${status}`,
        "Switch App Service authentication on: deploy infra/main.bicep with the Entra application of npm run entra.",
      ),
    ];
  },
};
