import { findSubject, type Subject } from "../../activities/deps.ts";
import { emptyState } from "../../store/records.ts";
import type { ObjectState } from "../../store/types.ts";
import type { Status } from "../../workflow/steps.ts";
import { json } from "./problem.ts";
import { type ApiHandler, subjectOf } from "./route.ts";

/** `GET /api/rotations`: every object of the policy with its state, and what is wrong with the rest. */
export const list: ApiHandler = async ({ deps }) => {
  // One after the other: the policy comes with the storage made ready.
  const { policy, faults } = await deps.policy();
  const states = await deps.records.all();
  const byKey = new Map(states.map(({ object, state }) => [object, state]));
  const objects = await Promise.all(
    (policy?.objects ?? []).map(async ({ id }) => {
      const subject = await findSubject(deps, id);
      return subject && summary(subject, byKey.get(subject.key) ?? emptyState);
    }),
  );
  return json(200, { rotations: objects.filter((object) => object !== undefined), faults });
};

/** `GET /api/rotations/{id}`: one object, and where its running rotation stands. */
export const show: ApiHandler = async (call) => {
  const subject = await subjectOf(call);
  const { state } = await call.deps.records.read(subject.key);
  const status = state.value.phase === "idle" ? undefined : await call.engine.running(subject.key);
  return json(200, summary(subject, state.value, status));
};

function summary({ object, vaultName, rotator }: Subject, state: ObjectState, status?: Status) {
  const {
    superseded: _versions,
    lastCommand: _command,
    controlledFor: _control,
    notes: _notes,
    left: _left,
    ...rest
  } = state;
  return {
    id: object.id,
    vault: vaultName,
    kind: object.kind,
    name: object.name,
    mode: object.mode,
    rotator: rotator.kind,
    strategy: rotator.strategy,
    ...rest,
    ...(status !== undefined && { status }),
  };
}
