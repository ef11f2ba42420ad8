import { boundConsumers } from "../activities/consumers.ts";
import { type Deps, findSubject, type Subject } from "../activities/deps.ts";
import { PinionError } from "../errors.ts";
import type { Stored } from "../store/records.ts";
import type { ObjectState } from "../store/types.ts";
import { tags } from "../vault/tags.ts";
import type { ObjectSummary } from "../vault/vault.ts";
import { type Current, currentVersion } from "./current-version.ts";
import type { Engine } from "./engine.ts";
import { rebuild } from "./rebuild.ts";
import { askRenewal } from "./renewal.ts";
import { automaticKey, requestStart } from "./request.ts";
import { takeUpIfLost } from "./take-up.ts";

export interface Swept {
  readonly seen: number;
  readonly due: number;
  readonly started: number;
  readonly faults: number;
}

const perObject = 30_000;

/**
 * Finds what events missed: they exist only for versions made after the subscription, and never repeat. Reports on every object;
 * starts the due ones that the policy lets be rotated, and compares pins. One object's failure stops no other.
 */
export async function sweep(deps: Deps, engine: Engine): Promise<Swept> {
  const { policy, faults: policyFaults } = await deps.policy();
  const counts = { seen: 0, due: 0, started: 0, faults: 0 };
  const inventories = new Map<string, ReadonlyMap<string, ObjectSummary>>();
  const subjects = new Map<string, Subject>();
  for (const { id } of policy?.objects ?? []) {
    counts.seen += 1;
    try {
      const subject = await findSubject(deps, id);
      if (subject === undefined) continue;
      subjects.set(subject.key, subject);
      const { uri, kind } = subject.vault;
      const inventory = `${kind} ${uri}`;
      if (!inventories.has(inventory)) inventories.set(inventory, await inventoryOf(subject));
      const listed = inventories.get(inventory)?.get(subject.object.name.toLowerCase());
      const outcome = await look(deps, engine, subject, await current(subject, listed));
      if (outcome.due) counts.due += 1;
      if (outcome.started) counts.started += 1;
    } catch (error) {
      counts.faults += 1;
      deps.log(
        "warning",
        `sweep of ${id}: ${error instanceof PinionError ? `${error.code}. ${error.message}` : "unexpected"}`,
      );
    }
  }
  await startOrRelease(deps, engine, subjects);
  await takeUpOrTell(deps, engine, subjects);
  await deps.fleet.swept(new Date(deps.now()).toISOString());
  const { seen, due, started, faults } = counts;
  deps.log("info", `sweep: ${seen} objects, ${due} due, ${started} started, ${faults} not readable`, {
    counter: "sweep",
    seen,
    due,
    started,
    unreadable: faults,
    policyFaults: policyFaults.length,
  });
  return counts;
}

async function inventoryOf({ vault }: Subject): Promise<ReadonlyMap<string, ObjectSummary>> {
  const all = await vault.inventory(AbortSignal.timeout(perObject * 4));
  return new Map(all.map((summary) => [summary.name.toLowerCase(), summary]));
}

/** The object as it is listed, unless its newest version was withdrawn: then it is as due as the version that is current instead. */
async function current({ vault }: Subject, listed: ObjectSummary | undefined): Promise<ObjectSummary | undefined> {
  if (listed?.tags[tags.withdrawn] === undefined) return listed;
  return await vault.latest(listed.name, AbortSignal.timeout(perObject));
}

/** Asks the issuer of the current version; only a rotator that knows one with wishes costs a request. */
async function renewalOf(deps: Deps, subject: Subject, state: ObjectState): Promise<ObjectState["renewal"]> {
  if (subject.rotator.renewAt === undefined) return undefined;
  const { version } = await subject.vault.latest(subject.object.name, AbortSignal.timeout(perObject));
  return await askRenewal(deps, subject, state, version);
}

async function look(deps: Deps, engine: Engine, subject: Subject, found: ObjectSummary | undefined) {
  const { object, key, vault } = subject;
  const { state: known } = await deps.records.read(key);
  const marked = found?.enabled === true && found.tags[tags.rotation] !== undefined;
  const rebuilt =
    known.etag === "" && marked ? await rebuild(deps, subject, AbortSignal.timeout(perObject)) : undefined;
  const state = rebuilt ?? known;
  const notes: string[] = rebuilt === undefined ? [] : ["its record was rebuilt from the vault's tags"];
  if (found === undefined) notes.push(`the ${object.kind} does not exist`);
  else if (!found.enabled) notes.push("its newest version is disabled");
  else if (found.expiresOn === undefined) notes.push("it has no expiry date: it is rotated by hand only");
  const renewal = found?.enabled === true ? await renewalOf(deps, subject, state.value) : undefined;
  const wish = renewal?.at === undefined ? Number.POSITIVE_INFINITY : Date.parse(renewal.at);
  const dueAt = found?.expiresOn && Math.min(found.expiresOn.getTime() - object.rotateBefore, wish);
  const due = found?.enabled === true && dueAt !== undefined && dueAt <= deps.now();
  const wanted = due || (state.value.remembered !== undefined && state.value.phase === "idle");
  if (state.value.phase === "idle" && state.value.publishedVersion !== undefined)
    notes.push(...(await comparePins(deps, subject, state.value)));
  if (found?.expiresOn !== undefined && dueAt !== undefined) tellOverdue(deps, subject, dueAt, found.expiresOn);
  const early = due && wish <= deps.now();
  if (early) notes.push("its issuer asks for the renewal");
  if (due) notes.push(object.mode === "observe" ? "due, but only observed" : "due");

  let started = false;
  let newest: ObjectSummary | undefined;
  if (wanted && found?.enabled === true && object.mode === "rotate") {
    newest = await vault.latest(object.name, AbortSignal.timeout(perObject));
    const { version } = newest;
    const actor = { kind: "timer", id: "sweep", roles: [] } as const;
    const key = automaticKey(version, state.value);
    const kept = state.value.remembered?.version === version ? state.value.remembered : undefined;
    const reason = kept?.by === undefined ? "sweep" : `sweep, for the ${kept.by.kind} ${kept.by.id} of ${kept.at}`;
    const asked = due || kept !== undefined;
    const reply = asked
      ? await requestStart(deps, engine, { subject, version, actor, key, reason, ...(early && { early }) })
      : ({ kind: "ignored", why: "a remembered request was for a version that is over" } as const);
    started = reply.kind === "started";
    if ("why" in reply) notes.push(reply.why);
  }
  if (!started) {
    const current = await currentVersion(deps, subject, newest ?? found, state.value.report?.current);
    await report(deps, subject, state, {
      notes,
      ...(current && { current }),
      ...(dueAt !== undefined && { dueAt }),
      ...(found?.expiresOn && { expiresAt: found.expiresOn }),
      ...(renewal && { renewal }),
    });
  }
  await tellSeen(deps, engine, subject, state.value, { dueAt, expiresAt: found?.expiresOn?.getTime() });
  return { due, started };
}

/** Where an object stood when this sweep looked, and what it comes to. */
async function tellSeen(
  deps: Deps,
  engine: Engine,
  { object, key }: Subject,
  { phase, rotationId = "", endedAt = "" }: ObjectState,
  { dueAt, expiresAt }: { readonly dueAt: number | undefined; readonly expiresAt: number | undefined },
): Promise<void> {
  const iso = (at: number | undefined): string => (at === undefined ? "" : new Date(at).toISOString());
  const since = phase === "idle" ? endedAt : ((await engine.running(key))?.since ?? "");
  const times = { dueAt: iso(dueAt), expiresAt: iso(expiresAt) };
  deps.log("info", `${object.id} is ${phase}, and ${times.dueAt === "" ? "never due" : `due at ${times.dueAt}`}`, {
    counter: "object.seen",
    object: object.id,
    phase,
    rotationId,
    since,
    ...times,
  });
}

const day = 86_400_000;

/**
 * An object is overdue when it has expired, or is due for longer than a day: something keeps it from being rotated. A window may keep it
 * for longer, and nothing ever for more than a quarter of the time before its end.
 */
function tellOverdue(deps: Deps, { object }: Subject, dueAt: number, expiresOn: Date): void {
  const slack = Math.min(object.rotateBefore / 4, object.window === undefined ? day : Number.POSITIVE_INFINITY);
  if (Math.min(dueAt + slack, expiresOn.getTime()) > deps.now()) return;
  const [due, end] = [new Date(dueAt).toISOString(), expiresOn.toISOString()];
  deps.log(
    "error",
    `${object.id} is overdue since ${due}, and ends at ${end}: look at its state and its last evidence`,
    {
      counter: "object.overdue",
      object: object.id,
      dueAt: due,
      expiresAt: end,
    },
  );
}

/** A later Terraform run or a slot swap can put an old pin back. The old credential may be dead: say so before a restart finds out. */
async function comparePins(deps: Deps, subject: Subject, state: ObjectState): Promise<string[]> {
  const drifted: { readonly consumer: string; readonly note: string }[] = [];
  const { vault, object, madeIn } = subject;
  // What somebody else had the vault make moves no consumer.
  const current =
    madeIn === "object" ? (await vault.latest(object.name, AbortSignal.timeout(perObject))).version : undefined;
  for (const { kind, at } of boundConsumers({ deps, subject, signal: AbortSignal.timeout(perObject) })) {
    const { pinned } = await kind.read(at);
    if (pinned === undefined || pinned === state.publishedVersion) continue;
    const consumer = at.consumer.id;
    if (state.superseded.includes(pinned))
      drifted.push({ consumer, note: `${consumer} is pinned to the former version ${pinned}` });
    else if (current !== undefined && pinned !== current)
      drifted.push({ consumer, note: `${consumer} is pinned to version ${pinned}, which is not the current one` });
  }
  for (const { consumer, note } of drifted)
    deps.log("warning", `${object.id}: ${note}: find what re-pinned it and move it to the newest version`, {
      counter: "pins.drifted",
      object: object.id,
      consumer,
    });
  return drifted.map(({ note }) => note);
}

async function report(
  deps: Deps,
  { key }: Subject,
  read: Stored<ObjectState>,
  seen: {
    readonly notes: readonly string[];
    readonly current?: Current;
    readonly dueAt?: number;
    readonly expiresAt?: Date;
    readonly renewal?: ObjectState["renewal"];
  },
): Promise<void> {
  const { notes, current, dueAt, expiresAt, renewal } = seen;
  const { state } = await deps.records.read(key);
  const next = {
    at: new Date(deps.now()).toISOString(),
    notes,
    ...(current && { current }),
    ...(dueAt !== undefined && { dueAt: new Date(dueAt).toISOString() }),
    ...(expiresAt !== undefined && { expiresAt: expiresAt.toISOString() }),
  };
  const same = JSON.stringify({ ...read.value.report, at: "" }) === JSON.stringify({ ...next, at: "" });
  const asked = renewal !== undefined && renewal.askedAt !== read.value.renewal?.askedAt;
  if (!same || asked)
    await deps.records.write(key, { ...state.value, report: next, ...(renewal && { renewal }) }, state.etag);
}

/**
 * Places of rotations that do not run. One whose start was recorded, and whose process died or whose task hub was lost before it took its
 * object, begins now; the others are given back.
 */
async function startOrRelease(deps: Deps, engine: Engine, subjects: ReadonlyMap<string, Subject>): Promise<void> {
  const { active } = await deps.fleet.open();
  for (const [key, rotationId] of Object.entries(active)) {
    if ((await engine.running(key)) !== undefined) continue;
    const { state, commands } = await deps.records.read(key, rotationId);
    const { phase, rotationId: last = "" } = state.value;
    // One that never came to run within a day was wished for too long ago.
    const wished = commands.some(({ verb, at }) => verb === "start" && Date.parse(at) > deps.now() - day);
    const asked = wished && phase === "idle" && last < rotationId;
    const subject = asked && !deps.stop && !deps.observe ? subjects.get(key) : undefined;
    if (subject === undefined) await deps.fleet.release(key, rotationId);
    else await engine.start(key, { objectId: subject.object.id, rotationId });
  }
}

/**
 * A rotation whose orchestration is gone moves no more, and says nothing of itself: it is taken up, or, where that cannot be, told. Told
 * of every record, whether the policy still has its object and whether its vault can be read.
 */
async function takeUpOrTell(deps: Deps, engine: Engine, subjects: ReadonlyMap<string, Subject>): Promise<void> {
  const stopped = deps.stop || deps.observe;
  for (const { object: key, state } of await deps.records.all()) {
    if (state.phase === "idle" || (await engine.running(key)) !== undefined) continue;
    // It may have ended since it was read, and another one begun.
    const { value: now } = (await deps.records.read(key)).state;
    const { phase, rotationId = "" } = now;
    if (phase === "idle" || rotationId !== (state.rotationId ?? "")) continue;
    const subject = subjects.get(key);
    if (subject !== undefined && !stopped && (await takeUpIfLost(engine, subject, now)) !== "lost") continue;
    const object = subject?.object.id ?? key;
    deps.log("error", `${object}: rotation ${rotationId} is ${phase} by its record, and nothing runs it`, {
      counter: "rotation.lost",
      object,
      rotationId,
      phase,
    });
  }
}
