import type { HttpHandler } from "@azure/functions";
import { describeFaults, type PolicyFault } from "../../policy-faults.ts";
import { toFault } from "../../errors.ts";
import { callerOf, may } from "./caller.ts";
import { json } from "./problem.ts";
import { accessOf, answer, type App } from "./route.ts";

/**
 * `GET /api/health`: 200 when settings, policy and storage are sound; otherwise 503 with every fault at once, by name, never a value.
 *
 * Readers get all of it, whoever else gets through only `status`: App Service's health check calls without a principal, and behind App
 * Service authentication the platform lets it through by itself (its documentation says so; unconfirmed here). So the path must *not* be
 * left out of authentication: there nobody would vouch for a principal header. A restart heals nothing that is told here.
 */
export function health(app: App): HttpHandler {
  return answer(async (request) => {
    const access = accessOf(app);
    const caller = callerOf(request, access);
    const found = await look(app);
    const status = found.sound ? 200 : 503;
    const body = { status: found.sound ? "ok" : "faulty" };
    return json(status, caller !== undefined && may(caller, "read", access) ? { ...body, ...found.told } : body);
  });
}

interface Look {
  readonly sound: boolean;
  readonly told: Readonly<Record<string, unknown>>;
}

async function look(app: App): Promise<Look> {
  if (!app.ok) return { sound: false, told: { settings: app.faults, faults: [] } };
  const { deps, config } = app;
  const { stop, observe } = config;
  const switches = { stopped: stop, observed: observe, settings: [] };
  try {
    const { policy, faults } = await deps.policy();
    await deps.records.read("health");
    const sound = policy !== undefined && faults.length === 0;
    return { sound, told: { objects: policy?.objects.length ?? 0, mode: policy?.mode, ...switches, ...told(faults) } };
  } catch (error) {
    const { code, message } = toFault(error);
    return { sound: false, told: { ...switches, faults: [], storage: { code, message } } };
  }
}

const told = (faults: readonly PolicyFault[]) => ({
  faults,
  ...(faults.length > 0 && { summary: describeFaults(faults) }),
});
