import type { Health } from "../policy-consumers.ts";
import type { Proof } from "../rotator.ts";

/** How Key Vault names versions. */
const isVersion = /^[0-9a-f]{32}$/;

/** Asks a consumer's own health endpoint. An endpoint that cannot be reached is unhealthy, not an error: the caller asks again. */
export async function probeHealth(id: string, health: Health, version: string, signal: AbortSignal): Promise<Proof> {
  const name = `${id} is healthy`;
  try {
    const reply = await fetch(health.url, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(health.timeout)]),
      redirect: "error",
    });
    const text = await reply.text();
    if (reply.status !== health.expect)
      return { name, ok: false, detail: `answered ${reply.status}, expected ${health.expect}` };
    if (health.versionField === undefined) return { name, ok: true, detail: `answered ${reply.status}` };
    const reported = (JSON.parse(text) as Record<string, unknown>)[health.versionField];
    // What it reports goes into the evidence, and a field that was named by mistake may hold anything.
    const shown = typeof reported === "string" && isVersion.test(reported) ? reported : "in another form";
    return { name, ok: reported === version, detail: `answered ${reply.status}, reports version ${shown}` };
  } catch {
    if (signal.aborted) throw signal.reason;
    return { name, ok: false, detail: "did not answer in time, or not with JSON" };
  }
}
