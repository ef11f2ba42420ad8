import type { Context } from "./context.ts";
import { type Check, ok, warning } from "./finding.ts";

/** What holds starts back by itself: a quarantine, an open breaker, the day's cap. */
export const fleet: Check<Context> = {
  id: "fleet",
  area: "Policy",
  about: "no object is quarantined, no breaker is open, the day's cap is not reached",
  needs: ["settings", "identity", "policy", "storage"],
  async run(context) {
    const { policy } = await context.policy();
    const row = await context.fleet.open();
    const states = await context.records.all();
    const failures = policy?.limits.breaker.failures ?? 3;
    const today = new Date(context.now()).toISOString().slice(0, 10);
    const full = row.day === today && row.started >= (policy?.limits.perDay ?? Number.POSITIVE_INFINITY);
    const said = [
      ...states
        .filter(({ state }) => state.quarantined)
        .map(({ object, state }) =>
          warning(
            object,
            `is quarantined after ${state.attempts} failures (${state.code ?? "unknown"})`,
            "Correct the cause, then start it by hand: POST /api/rotations/<object>/start.",
          ),
        ),
      ...Object.entries(row.failures)
        .filter(([, { count }]) => count >= failures)
        .map(([name, { count }]) =>
          warning(
            name,
            `its breaker is open after ${count} failures`,
            "Correct the cause, then start one of its objects by hand: a success closes it.",
          ),
        ),
      ...(full
        ? [
            warning(
              "today",
              `${row.started} rotations started, which is the cap`,
              "Wait for tomorrow (UTC), or raise limits.perDay in the policy.",
            ),
          ]
        : []),
    ];
    return said.length > 0 ? said : [ok("fleet", "nothing is held back")];
  },
};
