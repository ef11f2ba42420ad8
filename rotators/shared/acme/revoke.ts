import type { Proof } from "../../../src/rotator.ts";
import { ensureAccount } from "./account.ts";
import { withClient } from "./client.ts";
import { problemOf, refusal } from "./errors.ts";
import type { AcmeStep } from "./target.ts";

/** CRLReason of RFC 5280 section 5.3.1. */
const superseded = 4;

/** Revokes a certificate (DER) at the CA as superseded (RFC 8555 section 7.6). Revoked already is success. */
export async function revokeSuperseded(step: AcmeStep, leaf: Uint8Array): Promise<Proof> {
  return await withClient(step, async (client) => {
    const account = await ensureAccount(step, client);
    const payload = { certificate: Buffer.from(leaf).toString("base64url"), reason: superseded };
    const reply = await account.post(client.directory.revokeCert, payload);
    const problem = problemOf(reply);
    if (problem && problem.type !== "alreadyRevoked") {
      throw refusal(reply, "to revoke the former certificate", step.ports.now());
    }
    return { name: "the CA has revoked the former certificate", ok: true };
  });
}
