import type { ErrorCode } from "../errors.ts";
import type { Status } from "../workflow/steps.ts";
import type { Context } from "./context.ts";
import { type Check, eachOf, fault, ok, type Said, warning } from "./finding.ts";

/** Milliseconds that a step may take, or a timer be late. A step ends within a minute, and is given up and tried again when it does not. */
const patience = 30 * 60_000;
/** Milliseconds between two tries of a step, from which on it has failed for about twice as long: waits grow with each failure. */
const rarely = 10 * 60_000;
/** What is waited for, however long it takes. */
const awaited: ReadonlySet<ErrorCode> = new Set(["FLEET_FULL", "ISSUANCE_PENDING", "NOT_SETTLED", "WINDOW_CLOSED"]);

/** That each rotation which the records call running has an orchestration that runs it, and that it gets on. */
export const stuck: Check<Context> = {
  id: "stuck",
  area: "Durable",
  about: "each rotation that is under way by its record is run, and gets on",
  needs: ["settings", "identity", "storage", "durable"],
  async run(context) {
    const { engine, now } = context;
    if (engine === undefined) return [];
    const states = await context.records.all();
    const busy = states.filter(({ state }) => state.phase !== "idle");
    const said = await eachOf(
      busy,
      ({ object }) => object,
      async ({ object, state }) => {
        const status = await engine.running(object);
        if (status !== undefined) return hangs(object, status, now());
        return [
          fault(
            object,
            `rotation ${state.rotationId ?? ""} is ${state.phase} by its record, and nothing runs it`,
            "The task hub was lost or purged. The next sweep takes the rotation up; where it does not, follow 'Task hub lost' in docs/runbook.md.",
          ),
        ];
      },
    );
    return said.length > 0
      ? said
      : [ok("rotations", busy.length === 0 ? "none is under way" : `${busy.length} under way`)];
  },
};

function hangs(
  object: string,
  { rotationId, step, since, until, fault: failed }: Status,
  now: number,
): readonly Said[] {
  const rotation = `rotation ${rotationId}`;
  if (until === undefined && step !== "ended" && now - Date.parse(since) > patience)
    return [
      warning(
        object,
        `${rotation} began ${step} at ${since}, which has not ended`,
        "See that the app runs and reads its task hub; restart it when nothing moves: a step goes on where it was.",
      ),
    ];
  if (until !== undefined && now - Date.parse(until) > patience)
    return [
      warning(
        object,
        `${rotation} was to go on at ${until}, and did not`,
        "See that the app runs and reads its task hub: the durable backend has its roles and is reached.",
      ),
    ];
  const wait = until === undefined ? 0 : Date.parse(until) - Date.parse(since);
  if (step === "retry" && wait >= rarely && failed !== undefined && !awaited.has(failed.code))
    return [
      warning(
        object,
        `${rotation} has a step that keeps failing (${failed.code}); it is tried again at ${until}`,
        "Do what its message says: GET /api/rotations/{id} has it. 'Stuck rotation' in docs/runbook.md tells more.",
      ),
    ];
  return [];
}
