import { type Check, fault, ok, unknown } from "../finding.ts";
import type { Outside } from "./context.ts";

/**
 * That what callers say of themselves counts for nothing. Behind App Service authentication the app believes the header that it puts in; where
 * nothing stands before an app that was told so, everybody is an operator. It is tried whether or not the caller may read: then nobody may.
 */
export const impostor: Check<Outside> = {
  id: "impostor",
  area: "Outside",
  about: "a caller who only claims to have the roles is refused",
  async run({ url, fetch }, signal) {
    const { host } = new URL(url);
    const ask = (headers: Readonly<Record<string, string>>) =>
      fetch(`${url}/rotations`, { headers, redirect: "manual", signal });
    const plain = await ask({});
    const forged = await ask({ "x-ms-client-principal": principal() });
    const { status } = forged;
    if (await isRefused(forged)) return [ok(host, `believes no caller what he says of himself (${status})`)];
    // As everybody is answered: a wrong address, or an app that is down.
    if (status >= 400 && status === plain.status)
      return [unknown(host, `answers everybody ${status}: whether it believes a caller does not show`)];
    return [
      fault(
        host,
        `believes whatever a caller says of himself (${status}): anybody can command it`,
        "Set PINION_STOP to true and close the app now: az functionapp stop. App Service authentication does not stand before it: take WEBSITE_AUTH_ENABLED out of its settings where somebody set it, deploy infra/main.bicep, and ask the doctor again before others may reach it.",
      ),
    ];
  },
};

/** By whatever stands in front, or by Pinion for want of a principal; its own FORBIDDEN is for somebody whom it took for real. */
async function isRefused(reply: Response): Promise<boolean> {
  const { status } = reply;
  if (status === 401 || (status >= 300 && status < 400)) return true;
  if (status !== 403) return false;
  const body: unknown = await reply.json().catch(() => undefined);
  return !(typeof body === "object" && body !== null && "code" in body && body.code === "FORBIDDEN");
}

/** A principal as App Service authentication puts it into the header, of nobody, with the roles that Pinion asks for by default. */
function principal(): string {
  const roles = ["Pinion.Reader", "Pinion.Operator"].map((val) => ({ typ: "roles", val }));
  const claims = [{ typ: "oid", val: crypto.randomUUID() }, ...roles];
  return Buffer.from(JSON.stringify({ auth_typ: "aad", claims })).toString("base64");
}
