import type { Context } from "./context.ts";
import { type Check, ok, warning } from "./finding.ts";

/** What holds every rotation back, or an object's: the kill switch, and observe mode. */
export const mode: Check<Context> = {
  id: "mode",
  area: "Policy",
  about: "nothing holds rotations back: kill switch, observe mode",
  needs: ["settings", "policy"],
  async run(context) {
    const { policy } = await context.policy();
    const { stop, observe } = context.config;
    const objects = policy?.objects ?? [];
    const observed = objects.filter((object) => object.mode === "observe").map(({ id }) => id);
    const said = [
      ...(stop
        ? [warning("PINION_STOP", "is true: no rotation starts", "Set it to false to let rotations start.")]
        : []),
      ...(observe
        ? [
            warning(
              "PINION_OBSERVE",
              "is true: everything is only observed",
              "Set it to false to let the policy decide.",
            ),
          ]
        : []),
      ...(observed.length === 0
        ? []
        : [
            warning(
              observed.length === objects.length ? "every object" : observed.join(", "),
              "is only observed, never rotated",
              `Set "mode": "rotate" in the policy once its reports are as you expect.`,
            ),
          ]),
    ];
    return said.length > 0 ? said : [ok("mode", "rotations may start")];
  },
};
