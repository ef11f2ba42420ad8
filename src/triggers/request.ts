import { randomBytes } from "node:crypto";
import type { Deps, Subject } from "../activities/deps.ts";
import { byPerson, claimPlace } from "../activities/place.ts";
import { beforeNoReturn } from "../activities/point-of-no-return.ts";
import { type ErrorCode, PinionError } from "../errors.ts";
import type { FleetRefusal } from "../store/fleet.ts";
import type { Stored } from "../store/records.ts";
import type { Actor, Command, ObjectState } from "../store/types.ts";
import type { Engine } from "./engine.ts";
import { giveCommand } from "./give-command.ts";
import { takeUpIfLost } from "./take-up.ts";

/** A wish to rotate one version of an object, from an event, the sweep or a person. */
export interface StartRequest {
  readonly subject: Subject;
  readonly version: string;
  readonly actor: Actor;
  /** Whether the actor may also finish the rotation that is under way; an event and the sweep never may. */
  readonly mayFinish?: boolean;
  /** The issuer asks for it, however young the version is. */
  readonly early?: true | undefined;
  /** Equal keys are one request. */
  readonly key: string;
  readonly reason?: string;
  readonly change?: string;
}

/**
 * `started` and `running` name a rotation; `finishing` names the one whose grace is ended first, and the wish is remembered; `ignored` has nothing to do; `refused` cannot be done now and, where it may be later, is remembered.
 */
export type StartReply =
  | { readonly kind: "started" | "running" | "finishing"; readonly rotationId: string }
  | { readonly kind: "ignored" | "refused"; readonly code: ErrorCode; readonly why: string };

/**
 * Rotation ids of an object sort in the order of their making, even when a clock was behind: a later rotation's mark in a target is told
 * from an earlier one's, and a record that is older than the object's last rotation was used or passed over.
 */
export function newRotationId(now: number, last?: string): string {
  const after = Number.parseInt(/^r-([0-9a-z]{9})-/.exec(last ?? "")?.[1] ?? "0", 36);
  return `r-${Math.max(now, after + 1)
    .toString(36)
    .padStart(9, "0")}-${randomBytes(4).toString("hex")}`;
}

/** The key under which an event and the sweep ask for the same attempt. */
export function automaticKey(version: string, state: ObjectState): string {
  return `auto:${version}:${state.attempts}`;
}

/** The answer to everybody while the settings say that nothing is to be changed. */
export const observeOnly = new PinionError(
  "OBSERVE_ONLY",
  "PINION_OBSERVE is set: this app only looks and reports, and changes nothing for anybody.",
);

/**
 * Decides on a start: looks at the object's state, takes a place in the fleet, writes the command record, and only then starts the
 * orchestration (design 3.2, 3.3, 3.6). Reads no vault: preflight compares the version with the newest one.
 */
export async function requestStart(deps: Deps, engine: Engine, request: StartRequest): Promise<StartReply> {
  const { subject, version } = request;
  if (deps.stop)
    return {
      kind: "refused",
      code: "KILL_SWITCH",
      why: "PINION_STOP is set: no rotation starts until it is taken away.",
    };
  if (deps.observe) return { kind: "refused", code: observeOnly.code, why: observeOnly.message };
  const { state } = await deps.records.read(subject.key);
  const before = judge(deps, request, state.value);
  if (before !== undefined)
    return before.remember ? await remembered(deps, request, state, before.reply) : before.reply;

  // A rotation that was lost runs again from now on, where that can be.
  if (state.value.phase !== "idle" && (await takeUpIfLost(engine, subject, state.value)) !== "lost") {
    const { rotationId = "", sourceVersion, publishedVersion, phase } = state.value;
    if (version === sourceVersion) return { kind: "running", rotationId };
    if (request.mayFinish && version === publishedVersion && beforeNoReturn.includes(phase)) {
      return await finishFirst(deps, engine, request, state, rotationId);
    }
    const why = `A rotation of ${subject.object.id} is in its ${phase} phase: finish it or roll it back first. The request is remembered.`;
    return await remembered(deps, request, state, { kind: "refused", code: "NO_FREE_SLOT", why });
  }
  return await startNow(deps, engine, request, state);
}

/** Ends the grace of the rotation that is under way. The wish is remembered before that, so that no crash ends a grace for nothing. */
async function finishFirst(
  deps: Deps,
  engine: Engine,
  request: StartRequest,
  state: Stored<ObjectState>,
  rotationId: string,
): Promise<StartReply> {
  const { subject, actor, reason, change } = request;
  const reply = await remembered(deps, request, state, { kind: "finishing", rotationId });
  try {
    await giveCommand(deps, engine, subject, { verb: "finish", rotationId, actor, reason, change });
    return reply;
  } catch (error) {
    const over = error instanceof PinionError && (error.code === "CONFLICT" || error.code === "NOT_FOUND");
    if (!over) throw error;
    // It ended, or turned back, at this very moment.
    return await requestStart(deps, engine, request);
  }
}

async function startNow(
  deps: Deps,
  engine: Engine,
  request: StartRequest,
  state: Stored<ObjectState>,
): Promise<StartReply> {
  const { subject, version, actor } = request;
  const at = new Date(deps.now()).toISOString();
  const claim = (rotationId: string) => claimPlace(deps, subject, { rotationId, byPerson: byPerson(actor) });
  const mine = newRotationId(deps.now(), state.value.rotationId);
  const refusal = await claim(mine);
  if (refusal !== undefined)
    return await remembered(deps, request, state, {
      kind: "refused",
      code: "CONFLICT",
      why: refusals[refusal],
    });

  const wish: Command = {
    id: "start",
    verb: "start",
    rotationId: mine,
    version,
    actor,
    at,
    ...(request.reason !== undefined && { reason: request.reason }),
    ...(request.change !== undefined && { change: request.change }),
  };
  const { rotationId } = await deps.records.start(subject.key, request.key, wish);
  if (rotationId !== mine) {
    const last = state.value.rotationId ?? "";
    if (rotationId < last || (rotationId === last && state.value.phase === "idle")) {
      await deps.fleet.release(subject.key, mine);
      return {
        kind: "ignored",
        code: "VERSION_NOT_CURRENT",
        why: `This request was served by rotation ${rotationId}, which has ended.`,
      };
    }
    await claim(rotationId);
  }
  const ended = state.value.phase === "idle" ? state.value.rotationId : undefined;
  const running = await startAfter(engine, subject, rotationId, ended);
  // The place that was taken is kept, and the sweep begins what is recorded.
  if (running.rotationId === ended) return { kind: "started", rotationId };
  if (running.rotationId !== rotationId) await claim(running.rotationId);
  return { kind: running.started ? "started" : "running", rotationId: running.rotationId };
}

/** Milliseconds between two tries to start, and how many: whoever starts a rotation is answered within a second or so. */
const [startEvery, startTries] = [200, 5];

/** Starts an orchestration. That of the rotation before is over by its record a moment before durable knows that it is. */
async function startAfter(engine: Engine, { key, object }: Subject, rotationId: string, ended: string | undefined) {
  for (let tries = 1; ; tries++) {
    const running = await engine.start(key, { objectId: object.id, rotationId });
    if (running.started || running.rotationId !== ended || tries === startTries) return running;
    await new Promise((resolve) => setTimeout(resolve, startEvery));
  }
}

const refusals: Readonly<Record<FleetRefusal, string>> = {
  concurrent:
    "As many rotations run as the policy allows at once (limits.concurrent); the sweep starts this one later.",
  daily:
    "As many rotations were started today as the policy allows (limits.perDay); the sweep starts this one tomorrow.",
  breaker:
    "Rotations of this vault or target failed several times in a row (limits.breaker): look at them, then start one by hand to go on.",
};

/**
 * What policy and state alone decide. A person's start passes back-off, quarantine and breaker; nothing passes a version that is over, or
 * an account that two objects share.
 */
function judge(
  { now }: Deps,
  { subject, version, actor, early }: StartRequest,
  state: ObjectState,
): { reply: StartReply; remember: boolean } | undefined {
  const { object } = subject;
  const no = (kind: "ignored" | "refused", code: ErrorCode, why: string, remember = false) => ({
    reply: { kind, code, why } as const,
    remember,
  });
  if (object.pairedWith.length > 0) {
    return no(
      "refused",
      "ACCOUNT_SHARED",
      `${object.id} shares its account with ${object.pairedWith.join(", ")}: Pinion does not rotate two objects together yet, and one alone would leave the other with a dead credential.`,
    );
  }
  if (state.superseded.includes(version)) {
    return no("ignored", "VERSION_NOT_CURRENT", `Version ${version} of ${object.id} is no longer current.`);
  }
  if (byPerson(actor)) return undefined;
  const age = state.publishedAt === undefined ? undefined : now() - Date.parse(state.publishedAt);
  const fresh = age !== undefined && age < (lifeOf(object.validity, state) - object.rotateBefore) / 2;
  // Unless a person wished for it while there was no room for another rotation.
  if (state.publishedVersion === version && fresh && early !== true && state.remembered?.version !== version) {
    return no(
      "ignored",
      "VERSION_NOT_CURRENT",
      `Version ${version} of ${object.id} was written by Pinion a short while ago.`,
    );
  }
  if (object.mode === "observe") {
    return no(
      "refused",
      "CONFLICT",
      `${object.id} is observed only: set its mode to rotate, or start it by hand.`,
      true,
    );
  }
  if (state.quarantined)
    return no(
      "refused",
      "QUARANTINED",
      `${object.id} failed too often: look at its evidence, then start it by hand.`,
      true,
    );
  if (state.retryNotBefore !== undefined && Date.parse(state.retryNotBefore) > now()) {
    return no("refused", "CONFLICT", `${object.id} failed; it is tried again after ${state.retryNotBefore}.`, true);
  }
  return undefined;
}

/** Milliseconds that the published version really lives. */
function lifeOf(validity: number, { publishedAt, publishedUntil }: ObjectState): number {
  if (publishedAt === undefined || publishedUntil === undefined) return validity;
  return Math.min(validity, Date.parse(publishedUntil) - Date.parse(publishedAt));
}

/** Keeps a refused request for the sweep, on top of whatever a running rotation writes at the same moment. A person's name stays with it. */
async function remembered(
  deps: Deps,
  { subject: { key }, version, actor }: StartRequest,
  state: Stored<ObjectState>,
  reply: StartReply,
): Promise<StartReply> {
  const why = "why" in reply ? reply.why : "The grace of the rotation before it is being ended.";
  const at = new Date(deps.now()).toISOString();
  for (let { value, etag } = state; ; { value, etag } = (await deps.records.read(key)).state) {
    const known = value.remembered?.version === version ? value.remembered : undefined;
    const by = byPerson(actor) ? actor : known?.by;
    if (known?.why === why && known.by?.id === by?.id) return reply;
    const next = { ...value, remembered: { version, at, why, ...(by && { by }) } };
    if ((await deps.records.write(key, next, etag)) !== undefined) return reply;
  }
}
