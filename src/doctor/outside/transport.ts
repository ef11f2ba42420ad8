import { type Check, fault, ok } from "../finding.ts";
import type { Outside } from "./context.ts";

/** That nothing is said in clear. What is wrong with a certificate shows where the app is reached. */
export const transport: Check<Outside> = {
  id: "transport",
  area: "Outside",
  about: "plain HTTP is refused or sent on to HTTPS",
  needs: ["reached"],
  async run({ url, fetch }, signal) {
    const { protocol, host, pathname } = new URL(url);
    if (protocol === "http:") return [ok(host, "is on this machine")];
    const reply = await fetch(`http://${host}${pathname}/health`, { redirect: "manual", signal }).catch(
      () => undefined,
    );
    if (reply === undefined) return [ok(host, "has no plain HTTP")];
    const { status, headers } = reply;
    if (status === 403 || (status >= 300 && status < 400 && headers.get("location")?.startsWith("https://") === true))
      return [ok(host, "sends plain HTTP on to HTTPS")];
    return [fault(host, `answers plain HTTP (${status})`, "Set httpsOnly of the function app: infra/main.bicep does.")];
  },
};
