import { PinionError } from "../errors.ts";
import type { Credential, Observed, Proof } from "../rotator.ts";
import type { Command } from "../store/types.ts";
import type { LatestVersion } from "../vault/vault.ts";
import { carriedBy, ownTagCount, ownTagLimit } from "../vault/tags.ts";
import type { StepInput } from "../workflow/steps.ts";
import { ownerOf } from "./certificate-slot.ts";
import { readReferences } from "./consumers.ts";
import { demand, toCredential } from "./credentials.ts";
import type { Deps } from "./deps.ts";
import { claimAgain } from "./place.ts";
import { planFor } from "./plan.ts";
import { proveRights } from "./rights.ts";
import { createStep, type Scene, type StatePatch } from "./step.ts";
import { isLost, takeUp } from "./take-up.ts";
import { checkWindow } from "./window.ts";

const skewLimit = 120_000;
const versionLimit = 490;

/**
 * Takes the object for its rotation, then looks at everything and changes nothing: that somebody with a record asked, that the
 * version is still the newest, that the current credential works and a wrong one does not, that a slot is free, that each consumer is
 * where it should be, and that there is a way back.
 */
export const createPreflight = (deps: Deps) =>
  createStep(deps, {
    name: "preflight",
    first: true,
    phases: ["idle", "running"],
    // The orchestration hears of it, and turns back what was done.
    interruptible: (input, state) => !isLost(input, state),
    async run(scene, input) {
      const { subject } = scene;
      const { object, vault, rotator } = subject;
      const command = requireRecord(scene, input);
      const { reached } = scene.state;
      if (reached !== undefined && isLost(input, scene.state)) return await takeUp(scene, reached);

      tellStart(scene, command);
      const state = await scene.patch(claim(scene, command));
      const newest = await vault.latest(object.name, scene.signal);
      if (newest.version !== command.version) return { result: { end: "stale" } };
      const proofs: Proof[] = [...vaultProofs(newest, object.tags, state.versionCount ?? 0, deps.now())];
      demand(proofs, ({ name, detail }) => {
        const code = name.startsWith("clock") ? "CLOCK_SKEW" : "VAULT_VERSION_LIMIT";
        return new PinionError(
          code,
          `${object.id}: ${name} does not hold (${detail ?? ""}): correct that before it is rotated.`,
        );
      });
      await checkWindowOrPark(scene, newest);
      if (state.parked) await claimAgain(scene);
      requireWayBack(scene);
      if (object.kind === "certificate") await requireNoOperation(scene);
      if (rotator.strategy === "in-place" && !rotator.restorable) {
        throw new PinionError(
          "ROLLBACK_IMPOSSIBLE",
          `${object.id}: its target cannot take a former credential back; rotate it by hand, or choose another strategy.`,
        );
      }

      const current = toCredential(scene, newest.value);
      const seen = await observe(scene, current, state.controlledFor !== input.rotationId);
      const lookFurther = async () => {
        proofs.push(...demand(seen.proofs, failedObservation), ...(await idleIsFree(scene, seen)));
        proofs.push(...(await proveRights(scene)));
        return await readReferences(scene, [newest.version, ...carriedBy(newest.tags)]);
      };
      const consumers = await lookFurther().catch(async (error: unknown) => {
        // Another try makes no second wrong login.
        await scene.patch({ controlledFor: input.rotationId });
        throw error;
      });
      proofs.push({
        name: "every consumer is on the current version",
        ok: true,
        detail: `${consumers.length} consumers`,
      });

      const done = {
        sourceVersion: newest.version,
        expiresAt: newest.expiresOn?.toISOString(),
        controlledFor: input.rotationId,
      } as const;
      if (object.mode === "observe") return { result: { end: "observed" }, proofs, state: done };
      const plan = planFor(scene, newest, seen, consumers);
      return {
        result: { plan },
        proofs,
        state: { ...done, reached: { plan, startedAt: new Date(deps.now()).toISOString() } },
        event: { name: "Started", data: { sourceVersion: newest.version } },
      };
    },
  });

/**
 * The start's command record; without one, or with one that was used up, whoever started this has no authority. Ids of an object's
 * rotations rise, so a record that is older than the last one was used or passed over.
 */
function requireRecord({ state, commands, subject }: Scene, input: StepInput<"preflight">) {
  const command = commands.find(({ verb, rotationId }) => verb === "start" && rotationId === input.rotationId);
  const last = state.rotationId ?? "";
  const used =
    !isLost(input, state) &&
    (input.rotationId < last ||
      (input.rotationId === last && !(state.phase === "running" && (state.step ?? "preflight") === "preflight")));
  if (command === undefined || used || input.instanceId !== subject.key) {
    throw new PinionError(
      "COMMAND_MISSING",
      "This start has no command record, or its record was used already: nothing was changed. Start through the API.",
    );
  }
  return command;
}

/** Told before the object is taken, so that no crash in between leaves a rotation that nobody heard of. */
function tellStart({ deps, state, subject }: Scene, { rotationId, version }: Command): void {
  if (state.rotationId === rotationId) return;
  const object = subject.object.id;
  deps.log("info", `a rotation of ${object} begins, from version ${version}`, {
    counter: "rotation.started",
    object,
    rotationId,
  });
}

function claim({ state }: Scene, { rotationId, version }: Command): StatePatch {
  const again = state.rotationId === rotationId;
  const attempts = again ? state.attempts : state.attempts + 1;
  const former = [
    "idleSince",
    "idleRound",
    "outcome",
    "code",
    "message",
    "endedAt",
    "remembered",
    "parked",
    "reached",
  ] as const;
  return {
    ...(again ? {} : Object.fromEntries(former.map((name) => [name, undefined]))),
    step: undefined,
    rotationId,
    // From the first moment, so that a repeat of the request is known for one.
    sourceVersion: version,
    phase: "running",
    attempts,
    pointOfNoReturn: false,
  };
}

function vaultProofs(
  newest: LatestVersion,
  policyTags: Readonly<Record<string, string>>,
  versions: number,
  now: number,
): readonly Proof[] {
  const ownTags = ownTagCount(newest.tags, policyTags);
  const skew = Math.abs(newest.at.getTime() - now);
  return [
    {
      name: "clock within 2 minutes of the vault's",
      ok: skew < skewLimit,
      detail: `${Math.round(skew / 1000)} s apart`,
    },
    {
      name: "room for our tags",
      ok: ownTags <= ownTagLimit,
      detail: `${ownTags} of its own`,
    },
    { name: "room for more versions", ok: versions < versionLimit, detail: `${versions} versions` },
  ];
}

/** While the window is shut others may run: the place in the fleet is given back, and taken again by `claimAgain`. */
async function checkWindowOrPark(scene: Scene, newest: LatestVersion): Promise<void> {
  const { deps, subject, step } = scene;
  try {
    checkWindow(subject.object, newest.at, newest.expiresOn);
  } catch (error) {
    await scene.patch({ parked: true });
    scene.signal.throwIfAborted();
    await deps.fleet.release(subject.key, step.rotationId);
    throw error;
  }
}

/**
 * Where the vault itself makes the newest version, readers of the newest cannot be turned back; the policy must say that it accepts it.
 * Some credentials work nowhere yet when they come to be: then nobody may follow the newest.
 */
function requireWayBack({ subject: { object, madeIn, rotator } }: Scene): void {
  const follower = object.consumers.find(({ reads }) => reads === "latest");
  if (follower !== undefined && rotator.pinnedOnly === true) {
    throw new PinionError(
      "CONSUMER_MISCONFIGURED",
      `${object.id}: ${follower.id} reads the newest version, which would be used before it is accepted anywhere: pin it.`,
    );
  }
  if (madeIn === "staging" || follower === undefined || object.rollback === "reissue") return;
  throw new PinionError(
    "ROLLBACK_IMPOSSIBLE",
    `${object.id}: ${follower.id} reads the newest version, which only the vault can make: pin it, or set rollback to reissue.`,
  );
}

/** An operation that is pending on the object would meet ours, or the import, with 409. */
async function requireNoOperation({ subject, step, signal }: Scene): Promise<void> {
  const { object, certificates, rotator, madeIn } = subject;
  // The vault's own renewal is what such a rotator waits for.
  if (rotator.madeInObject?.(object.rotator.target) === true) return;
  const operation = await certificates.object.operation(object.name, signal);
  if (operation?.status !== "inProgress") return;
  const { rotationId, notes } = step;
  if (madeIn === "object" && (await ownerOf({ subject, rotationId, notes, signal }, operation)) !== "others") return;
  throw new PinionError(
    "OUT_OF_BAND_CHANGE",
    `${object.id}: an operation of somebody else (issuer ${operation.issuer}) is pending on it: merge, cancel or delete it, then start again.`,
  );
}

async function observe({ subject, step }: Scene, current: Credential, negativeControl: boolean): Promise<Observed> {
  return subject.rotator.observe(step, current, { negativeControl });
}

const failedObservation = ({ name, detail }: Proof) =>
  new PinionError(
    "TARGET_MISCONFIGURED",
    `Preflight could not prove: ${name} (${detail ?? "no detail"}). Correct the target or the policy, then start again.`,
  );

/** Before the idle slot is changed for the first time, nobody may be using it: somebody could have been given it by hand. */
async function idleIsFree({ subject, step }: Scene, seen: Observed): Promise<readonly Proof[]> {
  const { rotator } = subject;
  if (rotator.strategy === "in-place" || rotator.usage === undefined) return [];
  const usage = await rotator.usage(step, seen.idle);
  const proof = {
    name: "the idle slot is free",
    ok: usage.active === 0,
    detail: `${seen.idle.id}: ${usage.active} in use`,
  };
  return demand(
    [proof],
    () =>
      new PinionError(
        "NO_FREE_SLOT",
        `${seen.idle.id} is in use by ${usage.users.join(", ") || "somebody"}: move them to the current credential, then start again.`,
      ),
  );
}
