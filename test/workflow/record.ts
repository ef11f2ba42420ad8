import type { Verb } from "../../src/store/types.ts";
import type { Reached, Reply, StepInput, StepName, Steps, TakenUp } from "../../src/workflow/steps.ts";
import type { Model } from "./rotation.ts";
import { createWorld, usual, type World, type WorldOptions } from "./world.ts";

export interface Recorded extends Model {
  readonly world: World;
  /** How often preflight took the rotation up. */
  readonly takenUp: () => number;
}

/** A world whose steps also write down what the rotation has come to, and whose preflight takes it up from there, as the app's do. */
export function withRecord(options: Partial<WorldOptions>, now: () => number): Recorded {
  const world = createWorld({ ...usual, ...options }, now);
  const given = new Set<Verb>();
  let reached: Reached | undefined;
  let at: TakenUp["at"] = "forward";
  let round: number | undefined;
  let times = 0;

  const note = <S extends StepName>(name: S, input: StepInput<S>, reply: Reply<StepName>): void => {
    if (input.turningBack) at = "turning-back";
    // Before it is done, so that whoever takes it up knows what to lift.
    if (name === "suspend" && "round" in input) round = input.round;
    if (name === "record" && "outcome" in input && reached !== undefined) {
      const { outcome, fault, retired } = input;
      reached = { ...reached, ended: { outcome, ...(fault && { fault }), ...(retired && { retired }) } };
    }
    if (!reply.ok) return;
    const result = reply.result as Partial<
      Steps["preflight"]["result"] & Steps["stage"]["result"] & Steps["publish"]["result"]
    >;
    const iso = new Date(now()).toISOString();
    if (name === "preflight" && "plan" in result) reached = { plan: result.plan, startedAt: iso };
    if (reached === undefined || input.turningBack) return;
    if (name === "stage")
      reached = { ...reached, staged: { stagedVersion: result.stagedVersion!, candidate: result.candidate! } };
    if (name === "publish") reached = { ...reached, publishedVersion: result.publishedVersion! };
    if (name === "verify") [at, reached] = ["grace", { ...reached, verifiedAt: reached.verifiedAt ?? iso }];
    if (name === "suspend" && !("waitSeconds" in reply.result)) at = "suspended";
    if (name === "resume") at = "suspended";
  };

  return {
    world,
    takenUp: () => times,
    command(verb) {
      if (!world.command(verb)) return false;
      given.add(verb);
      return true;
    },
    perform(name, input) {
      if (name === "preflight" && "takeUp" in input && reached !== undefined) {
        times += 1;
        const takenUp: TakenUp = {
          ...reached,
          at: world.state.pointOfNoReturn ? "revoking" : at,
          written: world.versions.some(({ of }) => of === input.rotationId),
          ...(round !== undefined && { round }),
          rollbackAsked: given.has("rollback"),
          finishAsked: given.has("finish"),
        };
        return { ok: true, result: { plan: reached.plan, takenUp }, proofs: [] };
      }
      const reply = world.perform(name, input);
      note(name, input, reply);
      return reply;
    },
  };
}
