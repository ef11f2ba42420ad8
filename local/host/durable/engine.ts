// Runs instances: takes messages to the core, the core's payloads to the code, its checkpoints to the store, and does the
// work that a stored checkpoint asks for. What is in memory here can be lost at any moment: history and inbox tell it all.
import { randomUUID } from "node:crypto";
import { availableParallelism } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { returned, threw } from "./actions.ts";
import type { Outcome } from "./actions.ts";
import { begin, finish, refuse } from "./core.ts";
import type { Checkpoint, Episode, Host } from "./core.ts";
import { activityFailed } from "./failure.ts";
import { event, EventType, openWork } from "./history.ts";
import type { HistoryEvent, Parent, Scheduled } from "./history.ts";
import type { DurableOptions } from "./index.ts";
import { completion, create, isTerminal } from "./instance.ts";
import type { Instance, Message } from "./instance.ts";
import { createKeys, createLimit } from "./pace.ts";
import { Conflict } from "./store.ts";
import type { Stored, StoredMessage } from "./store.ts";
import { verdict } from "./version.ts";

/** An instance of this id is under way. */
export class AlreadyExists extends Error {}

/** What a new orchestration needs; `input` is JSON text. */
export interface StartOptions {
  readonly id?: string;
  readonly name: string;
  readonly version?: string | null;
  readonly input: string | null;
  readonly parent?: Parent;
}

export interface Engine {
  start(): Promise<void>;
  stop(): Promise<void>;
  get(id: string): Instance | undefined;
  all(): Instance[];
  history(id: string): Promise<readonly HistoryEvent[]>;
  /** Durable once resolved, as `send`. Rejects with `AlreadyExists`. Resolves with the instance's id. */
  create(options: StartOptions): Promise<string>;
  /** Sends an event to whichever execution runs. */
  send(id: string, event: HistoryEvent): Promise<void>;
  purge(id: string): Promise<void>;
}

interface Live {
  instance: Instance;
  history: HistoryEvent[];
  inbox: Message[];
  /** Instants of the timers that are to fire, by sequence id. */
  readonly timers: Map<number, number>;
  /** The steps under way; undefined when nothing is. */
  loop: Promise<void> | undefined;
  /** Something has arrived since the steps last looked. */
  woken: boolean;
  /** It was replaced or deleted: it must not write any more. */
  gone: boolean;
}

const tickEvery = 25;
const retryAfter = 500;
/** How long `stop` waits for steps to end that finished activities have set off. */
const patience = 2_000;

/** Makes the engine; see `Durable` for what its options mean. */
export function createEngine(options: DurableOptions): Engine {
  const { clock, store, log } = options;
  const records = new Map<string, Instance>();
  const lives = new Map<string, Live>();
  const inFlight = new Map<string, Promise<void>>();
  const keys = createKeys(() => clock.now());
  const perCore = 10 * availableParallelism();
  const activities = createLimit(options.maxConcurrentActivities ?? perCore);
  const orchestrators = createLimit(options.maxConcurrentOrchestrators ?? perCore);
  const named = (names: ReadonlySet<string>, name: string) =>
    [...names].find((one) => one.toLowerCase() === name.toLowerCase());
  let ticking: NodeJS.Timeout | undefined;
  let soonest = Infinity;
  let stopping = false;
  let stopped = false;

  const host = (): Host => ({
    defaultVersion: options.defaultVersion ?? null,
    hasActivity: (name) => named(options.activities(), name) !== undefined,
    hasOrchestrator: (name) => named(options.orchestrators(), name) !== undefined,
    nextExecutionId: randomUUID().replaceAll("-", ""),
    nextKey: () => keys.next(),
  });

  // --- steps ---

  const wake = (live: Live) => {
    live.woken = true;
    if (live.loop || live.gone || stopped) return;
    live.loop = steps(live).finally(() => {
      live.loop = undefined;
      if (live.woken) wake(live);
    });
  };

  const steps = async (live: Live) => {
    // So that `live.loop` is set before the first step ends.
    await Promise.resolve();
    live.woken = false;
    try {
      while (!live.gone && !stopped) {
        const episode = begin(live, clock.now());
        if (!episode || !(await step(live, episode))) break;
      }
      if (isTerminal(live.instance.status) && lives.get(live.instance.id) === live) lives.delete(live.instance.id);
    } catch (error) {
      if (live.gone || stopped) return;
      const lost = error instanceof Conflict ? "" : ` It is tried again. ${String(error)}`;
      log("warning", `Instance '${live.instance.id}': a checkpoint was not stored.${lost}`);
      void reload(live);
    }
  };

  /** Runs one episode and stores it; false when the instance has to wait for another version of the app. */
  const step = async (live: Live, episode: Episode): Promise<boolean> => {
    const fits = episode.payload === undefined ? "run" : verdict(episode.instance.version, options);
    if (fits === "reject") {
      log(
        "warning",
        `Instance '${live.instance.id}' has version '${live.instance.version}', which this host does not run.`,
      );
      return false;
    }
    const checkpoint =
      fits === "fail"
        ? refuse(episode, "VersionMismatch: Orchestration version did not comply with Worker Versioning")
        : finish(episode, await outcomeOf(episode), host());
    if (live.gone) return false;
    const stored = (message: Message): message is StoredMessage => message.key !== null;
    await store.commit({
      instance: checkpoint.instance,
      whole: checkpoint.restart.length > 0,
      append: checkpoint.append,
      enqueue: checkpoint.restart.filter(stored),
      consume: checkpoint.consumed.filter(stored).map(({ key }) => key),
    });
    apply(live, checkpoint);
    return true;
  };

  const outcomeOf = async ({ payload, instance }: Episode): Promise<Outcome | undefined> => {
    if (payload === undefined) return undefined;
    const name = named(options.orchestrators(), instance.name);
    if (!name)
      return {
        crash: `The function '${instance.name}' doesn't exist, is disabled, or is not an orchestrator function.`,
        stack: "",
      };
    return orchestrators(async () => {
      try {
        return returned(await options.invokeOrchestrator(name, payload));
      } catch (error) {
        return threw(error);
      }
    });
  };

  const apply = (live: Live, checkpoint: Checkpoint) => {
    const { instance, append, consumed, restart, work, warning } = checkpoint;
    const { id } = instance;
    const begunAgain = restart.length > 0;
    const used = new Set(consumed);
    live.instance = instance;
    live.history = begunAgain ? [] : [...live.history, ...append];
    live.inbox = [...restart, ...live.inbox.filter((message) => !used.has(message))];
    if (live.gone) return;
    records.set(id, instance);
    if (warning) log("warning", `Instance '${id}': ${warning}`);
    if (begunAgain || isTerminal(instance.status)) live.timers.clear();
    for (const timer of instance.cancelled) live.timers.delete(timer);
    for (const row of work) dispatch(live, row);
    if (begunAgain) void store.tidy(instance).catch(() => {});
    if (append.length > 0) tellParent(instance);
  };

  const reload = async (live: Live) => {
    live.gone = true;
    const { id } = live.instance;
    while (!stopped) {
      try {
        const stored = await store.load(id);
        lives.delete(id);
        if (stored) adopt(stored);
        else records.delete(id);
        return;
      } catch (error) {
        log("error", `Instance '${id}' cannot be loaded; it is tried again. ${String(error)}`);
        await delay(retryAfter);
      }
    }
  };

  /** Takes up an instance as stored, with the work that its history has open. */
  const adopt = ({ instance, history, inbox }: Stored) => {
    records.set(instance.id, instance);
    if (isTerminal(instance.status)) return;
    const live: Live = {
      instance,
      history: [...history],
      inbox: [...inbox],
      timers: new Map(),
      loop: undefined,
      woken: false,
      gone: false,
    };
    lives.set(instance.id, live);
    for (const message of inbox) keys.after(message.key);
    for (const row of openWork(history).values()) if (!instance.cancelled.includes(row.EventId)) dispatch(live, row);
    wake(live);
  };

  // --- messages ---

  /** Hands a message to an instance; it is stored first where it may have to wait long and nothing else tells of it. */
  const deliver = async (id: string, message: Message, durable = false) => {
    let arrived = message;
    const suspended = lives.get(id)?.instance.status === "Suspended";
    if (message.key === null && (durable || suspended)) {
      const keyed = { ...message, key: keys.next() };
      await store.enqueue(id, keyed).then(
        () => (arrived = keyed),
        (error: unknown) => log("warning", `A message to '${id}' was not stored. ${String(error)}`),
      );
    }
    const live = lives.get(id);
    if (!live) return;
    live.inbox.push(arrived);
    wake(live);
  };

  const tellParent = (instance: Instance) => {
    const message = completion(instance, clock.now());
    if (message) void deliver(instance.parent!.instanceId, message);
  };

  /** Before an ended sub-orchestration goes away: what it told its parent must not live in memory only. */
  const settle = async (instance: Instance | undefined) => {
    const message = instance && completion(instance, clock.now());
    const parent = message && lives.get(instance.parent!.instanceId);
    const waits = parent?.instance.executionId === message?.executionId;
    if (parent && waits && openWork(parent.history).has(instance!.parent!.taskId)) {
      await deliver(parent.instance.id, message!, true);
    }
  };

  /** Ends what runs of an instance, so that nothing writes it any more. */
  const retire = async (id: string) => {
    const live = lives.get(id);
    if (!live) return;
    live.gone = true;
    lives.delete(id);
    await live.loop;
  };

  // --- work ---

  const dispatch = (live: Live, row: Scheduled) => {
    if (row.EventType === EventType.TaskScheduled) runActivity(live.instance, row);
    else if (row.EventType === EventType.TimerCreated) setTimer(live, row.EventId, Date.parse(row.FireAt));
    else void startChild(live.instance, row);
  };

  const runActivity = ({ id, executionId }: Instance, row: Extract<Scheduled, { EventType: 4 }>) => {
    const tag = `${executionId}/${row.EventId}`;
    if (inFlight.has(tag)) return;
    const work = activities(async () => {
      // Still waiting at the end, or no longer wanted: history knows of it.
      if (stopping || lives.get(id)?.instance.executionId !== executionId) return;
      const done = await resultOf(id, row);
      inFlight.delete(tag);
      await deliver(id, { key: null, executionId, event: done });
    }).finally(() => inFlight.delete(tag));
    inFlight.set(tag, work);
  };

  const resultOf = async (instanceId: string, row: Extract<Scheduled, { EventType: 4 }>): Promise<HistoryEvent> => {
    const { Name, EventId: taskId } = row;
    const [argument] = JSON.parse(row.Input) as [unknown];
    // The SDK has made JSON text of strings already.
    const input = argument === null || typeof argument === "string" ? argument : JSON.stringify(argument);
    try {
      const name = named(options.activities(), Name);
      if (!name) throw new Error(`The function '${Name}' doesn't exist, is disabled, or is not an activity function.`);
      const value = await options.invokeActivity(name, input, { instanceId, taskId });
      const Result = value === undefined ? null : JSON.stringify(value);
      return event({ EventType: EventType.TaskCompleted, TaskScheduledId: taskId, Result }, clock.now());
    } catch (error) {
      return activityFailed(Name, taskId, error, clock.now());
    }
  };

  const setTimer = (live: Live, id: number, fireAt: number) => {
    live.timers.set(id, fireAt);
    soonest = Math.min(soonest, fireAt);
    if (fireAt <= clock.now()) queueMicrotask(tick);
  };

  const tick = () => {
    const now = clock.now();
    if (now < soonest || stopping) return;
    soonest = Infinity;
    for (const live of lives.values()) {
      for (const [id, fireAt] of live.timers) {
        if (fireAt > now) soonest = Math.min(soonest, fireAt);
        else {
          live.timers.delete(id);
          const FireAt = new Date(fireAt).toISOString();
          const fired = event({ EventType: EventType.TimerFired, TimerId: id, FireAt }, now);
          live.inbox.push({ key: null, executionId: live.instance.executionId, event: fired });
          wake(live);
        }
      }
    }
  };

  /** Starts a sub-orchestration; again after a crash, when it may be there already, or even have ended. */
  const startChild = async (parent: Instance, row: Extract<Scheduled, { EventType: 7 }>) => {
    const waits: Parent = {
      name: parent.name,
      instanceId: parent.id,
      executionId: parent.executionId,
      taskId: row.EventId,
    };
    const there = records.get(row.InstanceId);
    const ours = there?.parent?.executionId === waits.executionId && there.parent.taskId === waits.taskId;
    if (there && ours) {
      tellParent(there);
      return;
    }
    const { InstanceId: id, Name: name, Version: version, Input: input } = row;
    while (!stopped) {
      try {
        await engine.create({ id, name, version, input, parent: waits });
        return;
      } catch (error) {
        if (error instanceof AlreadyExists) {
          const body = { TaskScheduledId: row.EventId, Reason: error.message, Details: "" };
          const failed = event({ EventType: EventType.SubOrchestrationInstanceFailed, ...body }, clock.now());
          return deliver(parent.id, { key: null, executionId: parent.executionId, event: failed });
        }
        log("warning", `The sub-orchestration '${id}' was not stored; it is tried again. ${String(error)}`);
        await delay(retryAfter);
      }
    }
  };

  const engine: Engine = {
    async start() {
      await store.open();
      const found = await store.list();
      for (const instance of found) {
        records.set(instance.id, instance);
        keys.after(instance.since);
      }
      const unfinished = found.filter(({ status }) => !isTerminal(status));
      const loading = createLimit(8);
      const stored = await Promise.all(unfinished.map(({ id }) => loading(() => store.load(id))));
      // Keys of all stored messages are known before any new one is made.
      for (const { key } of stored.flatMap((one) => one?.inbox ?? [])) keys.after(key);
      for (const one of stored) if (one) adopt(one);
      ticking = setInterval(tick, tickEvery);
    },
    async stop() {
      stopping = true;
      clearInterval(ticking);
      await Promise.all(inFlight.values());
      const busy = () => [...lives.values()].flatMap(({ loop }) => loop ?? []);
      const idle = async () => {
        while (busy().length > 0 && !stopped) await Promise.all(busy());
      };
      await Promise.race([idle(), delay(patience, undefined, { ref: false })]);
      stopped = true;
      await Promise.all(busy());
      await store.close();
    },
    get: (id) => records.get(id),
    all: () => [...records.values()],
    async history(id) {
      return lives.get(id)?.history ?? (await store.load(id))?.history ?? [];
    },
    async create({ id = randomUUID().replaceAll("-", ""), name, version, input, parent = null }) {
      const before = records.get(id);
      if (before && !isTerminal(before.status)) {
        throw new AlreadyExists(`An Orchestration instance with the status ${before.status} already exists.`);
      }
      const { instance, start } = create({
        id,
        name,
        version: version ?? options.defaultVersion ?? null,
        executionId: randomUUID().replaceAll("-", ""),
        input,
        parent,
        generation: (before?.generation ?? 0) + 1,
        key: keys.next(),
        now: clock.now(),
      });
      // Taken at once, so that a second start in the meantime finds it.
      records.set(id, instance);
      try {
        await settle(before);
        await retire(id);
        await store.commit({ instance, whole: true, append: [], enqueue: [start as StoredMessage], consume: [] });
      } catch (error) {
        if (before) records.set(id, before);
        else records.delete(id);
        throw error;
      }
      adopt({ instance, history: [], inbox: [start as StoredMessage] });
      if (before) void store.tidy(instance).catch(() => {});
      return id;
    },
    async send(id, sent) {
      const message: StoredMessage = { key: keys.next(), executionId: null, event: sent };
      await store.enqueue(id, message);
      await deliver(id, message);
    },
    async purge(id) {
      await settle(records.get(id));
      await retire(id);
      await store.remove(id);
      records.delete(id);
    },
  };
  return engine;
}
