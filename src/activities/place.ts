import { PinionError } from "../errors.ts";
import type { FleetRefusal } from "../store/fleet.ts";
import type { Actor } from "../store/types.ts";
import { breakersOf, type Deps, type Subject } from "./deps.ts";
import type { Scene } from "./step.ts";

/** Who wants a place among the running rotations. `again`: it was counted for the day before, and was given back meanwhile. */
export interface PlaceRequest {
  readonly rotationId: string;
  /** A person's start passes an open breaker. */
  readonly byPerson: boolean;
  readonly again?: true;
}

/** A person, an app with a role (a pipeline), or whoever holds a function key: somebody who chose this very rotation. */
export const byPerson = ({ kind }: Actor): boolean => kind === "person" || kind === "app" || kind === "key";

/** Takes a place in the fleet by the policy's limits, or tells why there is none. `POLICY_INVALID` while the policy cannot be read. */
export async function claimPlace(
  deps: Deps,
  subject: Subject,
  { rotationId, byPerson, again }: PlaceRequest,
): Promise<FleetRefusal | undefined> {
  const { policy } = await deps.policy();
  if (policy === undefined) {
    throw new PinionError("POLICY_INVALID", "The policy has faults at its top: GET /api/health lists them.", {
      class: "transient",
    });
  }
  const { concurrent, perDay, breaker } = policy.limits;
  return await deps.fleet.claim({
    object: subject.key,
    rotationId,
    breakers: breakersOf(subject),
    limits: { concurrent, perDay, breakerFailures: breaker.failures },
    byPerson,
    ...(again && { again }),
    at: new Date(deps.now()).toISOString(),
  });
}

/** Takes a place again, unless the kill switch came meanwhile. A breaker stops new starts, and this one was let through before. */
export async function claimAgain(scene: Scene): Promise<void> {
  const { deps, subject, step } = scene;
  const { rotationId } = step;
  const refusal = deps.stop
    ? "PINION_STOP is set"
    : deps.observe
      ? "PINION_OBSERVE is set"
      : await claimPlace(deps, subject, { rotationId, byPerson: true, again: true });
  if (refusal !== undefined) {
    throw new PinionError(
      "FLEET_FULL",
      `${subject.object.id} waits for a place among the running rotations (${refusal}).`,
      {
        class: "throttled",
      },
    );
  }
  try {
    await scene.patch({ parked: undefined });
  } catch (error) {
    await deps.fleet.release(subject.key, rotationId);
    throw error;
  }
}
