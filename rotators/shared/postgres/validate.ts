import type { Client } from "pg";
import type { Control, Credential, Proof, Step } from "../../../src/rotator.ts";
import { PinionError } from "../../../src/errors.ts";
import { loginOf, session } from "./connect.ts";
import { isLoginRefused } from "./faults.ts";
import { refusesWrongPassword } from "./observe.ts";
import type { ServerTarget } from "./target.ts";

/**
 * On a new connection: the candidate logs in as itself, and the policy's probe succeeds in a read-only transaction. What fails is a
 * proof with `ok: false`; only checks that could not be made throw.
 */
export async function validateLogin(step: Step<ServerTarget>, next: Credential): Promise<Proof[]> {
  const login = `${next.id} logs in with the candidate, as itself`;
  try {
    const probes = await session(
      step,
      loginOf("candidate", next),
      async (client) => await runProbe(client, step.target),
    );
    return [{ name: login, ok: true }, ...probes];
  } catch (error) {
    if (isLoginRefused(error) || (error instanceof PinionError && error.code === "IDENTITY_MISMATCH")) {
      return [{ name: login, ok: false, detail: (error as PinionError).message }];
    }
    throw error;
  }
}

/** The proofs with the negative control at their end, which is made only where everything else holds. */
export async function withControl(
  step: Step<ServerTarget>,
  { id }: Credential,
  proofs: readonly Proof[],
  { negativeControl }: Control,
): Promise<readonly Proof[]> {
  if (!negativeControl || proofs.some(({ ok }) => !ok)) return proofs;
  return [...proofs, await refusesWrongPassword(step, id)];
}

async function runProbe(client: Client, { probe }: ServerTarget): Promise<Proof[]> {
  if (probe === undefined) return [];
  const name = "the policy's probe succeeds";
  await client.query("BEGIN TRANSACTION READ ONLY");
  try {
    // A prepared statement is one statement only, so that the probe cannot leave its transaction.
    await client.query({ name: "probe", text: probe, values: [] });
    return [{ name, ok: true }];
  } catch (error) {
    // Its text may quote data; the SQLSTATE says enough. A broken connection is no verdict on the probe.
    const state = error instanceof Error && "severity" in error && "code" in error ? String(error.code) : undefined;
    if (state === undefined || /^(08|53|57|58)/.test(state)) throw error;
    return [{ name, ok: false, detail: `SQLSTATE ${state}` }];
  }
}
