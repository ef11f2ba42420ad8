import { PinionError } from "../errors.ts";
import type { Proof } from "../rotator.ts";
import type { Phase } from "../store/types.ts";
import { credentialIn, demand, toCredential } from "./credentials.ts";
import type { Deps } from "./deps.ts";
import { passGates } from "./gates.ts";
import { createStep, type Scene } from "./step.ts";

/** The phases from which it goes on to the point of no return. */
const forward: readonly Phase[] = ["grace", "retiring", "held"];

/**
 * The final kill, then the proof: the old one fails, the new one works. The old version stays readable, so that a second run can prove
 * the same; the last step disables it. The point of no return is recorded before anything is done, against the state as it was read: a
 * rollback command that came in meanwhile wins.
 */
export const createRevoke = (deps: Deps) =>
  createStep(deps, {
    name: "revoke",
    leased: true,
    phases: [...forward, "rolling-back"],
    async run(scene, retirement) {
      const { subject, step, state } = scene;
      const { object, rotator } = subject;
      const { proofs, newest } = await passGates(scene, retirement);
      const kept = toCredential(scene, newest.value);
      demand(
        [await alive(scene, kept)],
        () =>
          new PinionError(
            "CURRENT_LOGIN_FAILED",
            `${object.id}: the credential that is to stay does not log in; nothing is taken away.`,
          ),
      );
      if (state.phase !== "rolling-back") await passPointOfNoReturn(scene);

      const old = await credentialIn(scene, retirement.oldVersion, retirement.old);
      const revoked = rotator.strategy === "in-place" ? [] : await rotator.revoke(step, old);
      const proven = [...proofs, ...revoked, await dead(scene, old), await alive(scene, kept)];
      demand(
        proven,
        ({ name }) =>
          new PinionError("OLD_STILL_WORKS", `${object.id}: after the revocation this did not hold: ${name}.`, {
            class: "transient",
          }),
      );
      return {
        result: {},
        proofs: proven,
        event: { name: "Revoked", data: { credential: retirement.old.id, version: retirement.oldVersion } },
      };
    },
  });

async function passPointOfNoReturn({ deps, subject, step, state }: Scene): Promise<void> {
  if (state.pointOfNoReturn) return;
  const page = await deps.records.read(subject.key, step.rotationId);
  const asked = page.commands.some(({ verb }) => verb === "rollback");
  // A copy that was held up must not write its phase over one that came after it.
  const { rotationId, phase } = page.state.value;
  const late = rotationId !== step.rotationId || !forward.includes(phase);
  const written =
    asked || late
      ? undefined
      : await deps.records.write(
          subject.key,
          { ...page.state.value, phase: "retiring", pointOfNoReturn: true },
          page.state.etag,
        );
  if (written === undefined) {
    throw new PinionError("CONFLICT", "The rotation changed just before the revocation; the step looks again.", {
      class: "transient",
    });
  }
}

async function dead(
  { subject, step }: Scene,
  old: Parameters<Scene["subject"]["rotator"]["works"]>[1],
): Promise<Proof> {
  return { name: "the old credential is refused", ok: !(await subject.rotator.works(step, old)), detail: old.id };
}

async function alive(
  { subject, step }: Scene,
  kept: Parameters<Scene["subject"]["rotator"]["works"]>[1],
): Promise<Proof> {
  return { name: "the kept credential logs in", ok: await subject.rotator.works(step, kept), detail: kept.id };
}
