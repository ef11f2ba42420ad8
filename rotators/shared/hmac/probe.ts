import { randomUUID } from "node:crypto";
import { PinionError } from "../../../src/errors.ts";
import type { Step } from "../../../src/rotator.ts";
import { ask } from "../http.ts";
import { bytesOf, hmac, standardHeaders } from "./secret.ts";
import type { HmacTarget } from "./target.ts";

/**
 * Sends the policy's probe a canary signed with this secret: true for 2xx, false for 401 and 403. Any other answer says nothing about the
 * secret: `TARGET_MISCONFIGURED`.
 */
export async function probeAccepts(
  step: Step<HmacTarget>,
  probe: NonNullable<HmacTarget["probe"]>,
  secret: string,
): Promise<boolean> {
  const id = `msg_${randomUUID().replaceAll("-", "")}`;
  const body = JSON.stringify({ type: "pinion.canary", id, rotationId: step.rotationId });
  const { encoding } = step.target;
  const signed =
    "scheme" in probe
      ? standardHeaders(bytesOf(secret, encoding), { id, at: step.ports.now(), body })
      : {
          [probe.header]:
            probe.prefix +
            hmac(probe.key === "decoded" ? bytesOf(secret, encoding) : secret, body).toString(probe.digest),
        };
  const headers = { "content-type": "application/json", ...signed };
  const { status } = await ask(probe.url, { method: "POST", headers, body, signal: step.signal });
  if (status >= 200 && status < 300) return true;
  if (status === 401 || status === 403) return false;
  throw new PinionError(
    "TARGET_MISCONFIGURED",
    `The probe answered ${status}: it must say 2xx to a good signature, and 401 or 403 to a wrong one.`,
  );
}
