// Runs instances: takes messages to the core, the core's payloads to the code, its checkpoints to the store, and does the
// work that a stored checkpoint asks for. What is in memory here can be lost at any moment: history and inbox tell it all.
import { randomUUID } from "node:crypto";
import { availableParallelism } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { createActivities } from "./activities.ts";
import { createAlarms } from "./alarms.ts";
import { begin } from "./core.ts";
import type { Checkpoint } from "./core.ts";
import { createFamily } from "./family.ts";
import { answers, event, EventType, openWork } from "./history.ts";
import type { HistoryEvent, Scheduled } from "./history.ts";
import type { DurableOptions } from "./index.ts";
import { AlreadyExists, create, isTerminal } from "./instance.ts";
import type { Instance, Message, StartOptions } from "./instance.ts";
import { createKeys, createLimit } from "./pace.ts";
import { createStep } from "./step.ts";
import { Conflict } from "./store.ts";
import type { Stored, StoredMessage } from "./store.ts";

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
  /** The steps under way; undefined when nothing is. */
  loop: Promise<void> | undefined;
  /** Something has arrived since the steps last looked. */
  woken: boolean;
  /** It was replaced or deleted: it must not write any more. */
  gone: boolean;
}

const retryAfter = 500;
/** How long `stop` waits for steps to end that finished activities have set off. */
const patience = 2_000;

/** Makes the engine; see `Durable` for what its options mean. */
export function createEngine(options: DurableOptions): Engine {
  const { clock, store, log } = options;
  const records = new Map<string, Instance>();
  const lives = new Map<string, Live>();
  const keys = createKeys(() => clock.now());
  const perCore = 10 * availableParallelism();
  const step = createStep(options, options.maxConcurrentOrchestrators ?? perCore, () => keys.next());
  const activities = createActivities(options, options.maxConcurrentActivities ?? perCore, {
    wants: ({ id, executionId }) => lives.get(id)?.instance.executionId === executionId,
    take: ({ id, executionId }, done) => deliver(id, { key: null, executionId, event: done }),
  });
  const alarms = createAlarms<Live>(clock, (live, { EventId, FireAt }) => {
    const fired = event({ EventType: EventType.TimerFired, TimerId: EventId, FireAt }, clock.now());
    live.inbox.push({ key: null, executionId: live.instance.executionId, event: fired });
    wake(live);
  });
  const family = createFamily({
    clock,
    find: (id) => records.get(id),
    waits: ({ instanceId, executionId, taskId }) => {
      const live = lives.get(instanceId);
      return live?.instance.executionId === executionId && openWork(live.history).has(taskId);
    },
    create: (what) => engine.create(what),
    deliver: (id, message, durable) => deliver(id, message, durable),
    stopped: () => stopped(),
    warn: (message) => log("warning", message),
  });
  const ending = new AbortController();
  const stopped = () => ending.signal.aborted;

  // --- steps ---

  const wake = (live: Live) => {
    live.woken = true;
    if (live.loop || live.gone || stopped()) return;
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
      while (!live.gone && !stopped()) {
        const episode = begin(live, clock.now());
        const checkpoint = episode && (await step(episode, () => !live.gone));
        if (!checkpoint) break;
        apply(live, checkpoint);
      }
      if (isTerminal(live.instance.status) && lives.get(live.instance.id) === live) lives.delete(live.instance.id);
    } catch (error) {
      if (live.gone || stopped()) return;
      const lost = error instanceof Conflict ? "" : ` It is tried again. ${String(error)}`;
      log("warning", `Instance '${live.instance.id}': a checkpoint was not stored.${lost}`);
      void reload(live);
    }
  };

  const apply = (live: Live, checkpoint: Checkpoint) => {
    const { instance, append, consumed, restart, work } = checkpoint;
    const { id } = instance;
    const begunAgain = restart.length > 0;
    const used = new Set(consumed);
    live.instance = instance;
    if (begunAgain) live.history = [];
    else live.history.push(...append);
    live.inbox = [...restart, ...live.inbox.filter((message) => !used.has(message))];
    if (live.gone) return;
    records.set(id, instance);
    if (begunAgain || isTerminal(instance.status)) alarms.clear(live);
    alarms.cancel(live, instance.cancelled);
    for (const row of work) dispatch(live, row);
    if (begunAgain) void store.tidy(instance).catch(() => {});
    if (append.length > 0) void family.tell(instance);
  };

  const reload = async (live: Live) => {
    live.gone = true;
    alarms.clear(live);
    const { id } = live.instance;
    const known = live.inbox.length;
    while (!stopped()) {
      try {
        const stored = await store.load(id);
        lives.delete(id);
        // What the store does not tell: results that were on their way, and what has come since it was asked.
        const keys = new Set<string | null>(stored?.inbox.map(({ key }) => key));
        const unstored = live.inbox.filter(({ key }, n) => key === null || (n >= known && !keys.has(key)));
        if (stored) adopt({ ...stored, inbox: [...stored.inbox, ...unstored] });
        else records.delete(id);
        return;
      } catch (error) {
        log("error", `Instance '${id}' cannot be loaded; it is tried again. ${String(error)}`);
        await delay(retryAfter);
      }
    }
  };

  /** Takes up an instance as stored, with the work that its history has open. */
  const adopt = ({ instance, history, inbox }: Omit<Stored, "inbox"> & { readonly inbox: readonly Message[] }) => {
    records.set(instance.id, instance);
    if (isTerminal(instance.status)) return;
    const begun = { instance, history: [...history], inbox: [...inbox] };
    const live: Live = { ...begun, loop: undefined, woken: false, gone: false };
    lives.set(instance.id, live);
    const ours = inbox.filter(({ executionId }) => executionId === instance.executionId);
    const settled = new Set([...instance.cancelled, ...ours.map((message) => answers(message.event))]);
    for (const row of openWork(history).values()) if (!settled.has(row.EventId)) dispatch(live, row);
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

  /** Ends what runs of an instance, so that nothing writes it any more. */
  const retire = async (id: string) => {
    const live = lives.get(id);
    if (!live) return;
    live.gone = true;
    alarms.clear(live);
    lives.delete(id);
    await live.loop;
  };

  // --- work ---

  const dispatch = (live: Live, row: Scheduled) => {
    if (row.EventType === EventType.TaskScheduled) activities.run(live.instance, row);
    else if (row.EventType === EventType.TimerCreated) alarms.set(live, row);
    else void family.start(live.instance, row);
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
      alarms.start();
    },
    async stop() {
      alarms.stop();
      await activities.drain();
      const busy = () => [...lives.values()].flatMap(({ loop }) => loop ?? []);
      const idle = async () => {
        while (busy().length > 0 && !stopped()) await Promise.all(busy());
      };
      await Promise.race([idle(), delay(patience, undefined, { ref: false })]);
      ending.abort();
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
        // What the API starts keeps the dashes; sub-orchestrations and what continues as new have none.
        executionId: parent ? randomUUID().replaceAll("-", "") : randomUUID(),
        input,
        parent,
        generation: (before?.generation ?? 0) + 1,
        key: keys.next(),
        now: clock.now(),
      });
      // Taken at once, so that a second start in the meantime finds it.
      records.set(id, instance);
      try {
        await family.settle(before);
        await retire(id);
        await store.commit({ instance, whole: true, append: [], enqueue: [start], consume: [] });
      } catch (error) {
        if (before) records.set(id, before);
        else records.delete(id);
        throw error;
      }
      adopt({ instance, history: [], inbox: [start] });
      if (before) void store.tidy(instance).catch(() => {});
      return id;
    },
    async send(id, sent) {
      const message: StoredMessage = { key: keys.next(), executionId: null, event: sent };
      await store.enqueue(id, message);
      await deliver(id, message);
    },
    async purge(id) {
      await family.settle(records.get(id));
      await retire(id);
      await store.remove(id);
      records.delete(id);
    },
  };
  return engine;
}
