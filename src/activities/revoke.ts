import { PinionError } from "../errors.ts";
import type { Proof } from "../rotator.ts";
import { credentialIn, demand, toCredential } from "./credentials.ts";
import type { Deps } from "./deps.ts";
import { passGates } from "./gates.ts";
import { beforeNoReturn, passPointOfNoReturn } from "./point-of-no-return.ts";
import { createStep, type Scene } from "./step.ts";

/**
 * The final kill, then the proof: the old one fails, where its kind can die, and the new one works. The old version stays readable, so that a second run can prove
 * the same; the last step disables it. The point of no return is recorded before anything is done, against the state as it was read: a
 * rollback command that came in meanwhile wins.
 */
export const createRevoke = (deps: Deps) =>
  createStep(deps, {
    name: "revoke",
    leased: true,
    phases: [...beforeNoReturn, "rolling-back"],
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
      const ended = rotator.former === undefined ? [await dead(scene, old)] : [];
      const proven = [...proofs, ...revoked, ...ended, await alive(scene, kept)];
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

async function dead(
  { subject, step }: Scene,
  old: Parameters<Scene["subject"]["rotator"]["works"]>[1],
): Promise<Proof> {
  return { name: "the old credential is refused", ok: !(await subject.rotator.works(step, old)), detail: old.id };
}

async function alive(
  { subject, step, state }: Scene,
  kept: Parameters<Scene["subject"]["rotator"]["works"]>[1],
): Promise<Proof> {
  // Only a rotation that is turned back keeps the former one.
  if (state.phase === "rolling-back" && (await subject.rotator.withdrawn?.(step, kept)) === true)
    return { name: "the kept credential was withdrawn in an emergency", ok: true, detail: kept.id };
  return { name: "the kept credential logs in", ok: await subject.rotator.works(step, kept), detail: kept.id };
}
