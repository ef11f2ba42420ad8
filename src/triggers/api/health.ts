import { describeFaults } from "../../policy-faults.ts";
import { json } from "./problem.ts";
import type { ApiHandler } from "./route.ts";

/** `GET /api/health`: 200 when settings, policy and storage are sound; otherwise 503 with every fault at once. */
export const health: ApiHandler = async ({ deps, config }) => {
  const { policy, faults } = await deps.policy();
  await deps.records.read("health");
  const sound = policy !== undefined && faults.length === 0;
  return json(sound ? 200 : 503, {
    status: sound ? "ok" : "faulty",
    objects: policy?.objects.length ?? 0,
    mode: policy?.mode,
    stopped: config.stop,
    faults,
    ...(faults.length > 0 && { summary: describeFaults(faults) }),
  });
};
