import { stepBeside } from "../activities/beside.ts";
import type { Deps, Subject } from "../activities/deps.ts";
import { PinionError } from "../errors.ts";
import type { ObjectState } from "../store/types.ts";

/** Milliseconds for which an issuer's answer is good: RFC 9773 asks for a few questions a day at most. */
const good = 6 * 3_600_000;
const patience = 15_000;

/**
 * When the issuer wants its certificate replaced (ARI), asked a few times a day; the answer is kept in the object's state. Undefined where
 * it has no wish, or does not answer: the policy's own date stands.
 */
export async function askRenewal(
  deps: Deps,
  subject: Subject,
  state: ObjectState,
  version: string,
): Promise<ObjectState["renewal"]> {
  const { rotator, object, vault } = subject;
  const known = state.renewal;
  if (rotator.renewAt === undefined) return undefined;
  if (known?.version === version && deps.now() - Date.parse(known.askedAt) < good) return known;
  const askedAt = new Date(deps.now()).toISOString();
  try {
    const step = await stepBeside(deps, subject, "sweep", AbortSignal.timeout(patience));
    const at = await rotator.renewAt(step, {
      id: version,
      material: { vaultVersion: vault.url(object.name, version) },
    });
    return { version, askedAt, ...(at === undefined ? {} : { at }) };
  } catch (error) {
    const why = error instanceof PinionError ? error.code : "unexpected";
    deps.log("info", `${object.id}: its issuer was asked for a time of renewal, without an answer (${why})`);
    return known?.version === version ? known : undefined;
  }
}
