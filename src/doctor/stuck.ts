import type { Context } from "./context.ts";
import { type Check, eachOf, fault, ok } from "./finding.ts";

/** That each rotation which the records call running has an orchestration that runs it. */
export const stuck: Check<Context> = {
  id: "stuck",
  area: "Durable",
  about: "no rotation is under way by its record while nothing runs it",
  needs: ["settings", "identity", "storage", "durable"],
  async run(context) {
    const { engine } = context;
    if (engine === undefined) return [];
    const states = await context.records.all();
    const busy = states.filter(({ state }) => state.phase !== "idle");
    const said = await eachOf(
      busy,
      ({ object }) => object,
      async ({ object, state }) => {
        if ((await engine.running(object)) !== undefined) return [];
        return [
          fault(
            object,
            `rotation ${state.rotationId ?? ""} is ${state.phase} by its record, and nothing runs it`,
            "The task hub was lost or purged: follow 'Task hub lost' in docs/runbook.md.",
          ),
        ];
      },
    );
    return said.length > 0
      ? said
      : [ok("rotations", busy.length === 0 ? "none is under way" : `${busy.length} under way`)];
  },
};
