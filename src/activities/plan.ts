import type { PolicyConsumer } from "../policy-consumers.ts";
import type { Observed } from "../rotator.ts";
import { carriedBy } from "../vault/tags.ts";
import type { LatestVersion } from "../vault/vault.ts";
import type { Plan } from "../workflow/steps.ts";
import type { Scene } from "./step.ts";

/** Seconds after which a restarted consumer surely answers itself. */
const restartSeconds = 60;
/** Seconds a consumer gets beyond its declared lag to be proven. */
const uptakeMargin = 60;
const day = 86_400_000;

/** Milliseconds that a candidate may take: a CA answers within a day, a person needs most of the time that there is. */
function patienceOf({ object, rotator }: Scene["subject"]): number {
  return object.issueWithin ?? (rotator.waitsFor === "person" ? object.rotateBefore * 0.8 : day);
}

/** What is fixed for this rotation, by what preflight found and the policy asks. */
export function planFor(
  { subject, step }: Scene,
  newest: LatestVersion,
  seen: Observed,
  consumers: Plan["consumers"],
): Plan {
  const { object, rotator } = subject;
  const seconds = (milliseconds: number) => Math.ceil(milliseconds / 1000);
  const lag = Math.max(0, ...object.consumers.map((consumer) => consumer.lag));
  // What a credential gave out lives on after its last user has left it; neither a finish nor a rollback cuts that short.
  const outlives = lag + (rotator.leastGrace?.(object.rotator.target) ?? 0);
  const { successes, over } = object.validate;
  const sourceAliases = carriedBy(newest.tags);
  return {
    objectId: object.id,
    rotationId: step.rotationId,
    strategy: rotator.strategy,
    sourceVersion: newest.version,
    ...(sourceAliases.length === 0 ? {} : { sourceAliases }),
    ...(newest.expiresOn === undefined ? {} : { expiresAt: newest.expiresOn.toISOString() }),
    current: publicFacts(seen.current),
    idle: publicFacts(seen.idle),
    ...(subject.madeIn === "object" ? { madeInObject: true } : {}),
    ...(object.kind === "secret" ? {} : { issueSeconds: seconds(patienceOf(subject)) }),
    suspends: rotator.strategy !== "in-place" && rotator.suspension !== undefined,
    validations: successes,
    validateEverySeconds: successes > 1 ? seconds(over / (successes - 1)) : 0,
    graceSeconds: seconds(Math.max(object.grace, outlives)),
    lagSeconds: seconds(outlives),
    uptakeSeconds: seconds(lag) + uptakeMargin,
    recheckSeconds: object.consumers.some(answersUnseen) ? Math.min(seconds(lag), restartSeconds) : 0,
    watchSeconds: seconds(object.suspend.watch),
    maxHoldSeconds: seconds(object.revoke.maxHold),
    consumers,
  };
}

/** A health answer without a version may still come from the instance that is being replaced. */
function answersUnseen({ health }: PolicyConsumer): boolean {
  return health !== undefined && health.versionField === undefined;
}

/** Only what may be in durable history, whatever else a rotator's object carries. */
export function publicFacts({ id, slot, expiresAt }: Observed["current"]): Observed["current"] {
  return { id, ...(slot === undefined ? {} : { slot }), ...(expiresAt === undefined ? {} : { expiresAt }) };
}
