import { createHmac } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

/** A receiver as the specification of Standard Webhooks describes it, written from that text and not from the rotator. */
export class Webhook {
  readonly #key: Buffer;
  readonly #now: number;

  constructor(secret: string, now: number, form: "whsec" | "raw" = "whsec") {
    this.#key = form === "raw" ? Buffer.from(secret) : Buffer.from(secret.replace("whsec_", ""), "base64");
    this.#now = now;
  }

  verifies(body: string, headers: IncomingHttpHeaders): boolean {
    const id = String(headers["webhook-id"]);
    const time = String(headers["webhook-timestamp"]);
    if (Math.abs(Number(time) - this.#now / 1000) > 300) return false;
    const wanted = createHmac("sha256", this.#key).update(`${id}.${time}.${body}`).digest("base64");
    return String(headers["webhook-signature"])
      .split(" ")
      .some((one) => one === `v1,${wanted}`);
  }
}
