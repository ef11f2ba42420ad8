import { QueueServiceClient } from "@azure/storage-queue";
import type { DequeuedMessageItem, QueueClient } from "@azure/storage-queue";
import type { AppFunction, AppLog } from "./app.ts";
import { bindingText } from "./core.ts";
import type { TypedData } from "./core.ts";
import { describeError, wait } from "./run.ts";
import type { Runner } from "./run.ts";
import { connectionString, resolveSettings } from "./settings.ts";
import type { Env, HostSettings } from "./settings.ts";

/** Milliseconds between looks at a queue that just had work. */
const shortestPoll = 100;

/** What the queue triggers run on. */
export interface QueueOptions {
  readonly functions: Iterable<AppFunction>;
  readonly settings: HostSettings["queues"];
  /**
   * Seconds for which a message that is being handled is hidden; renewed at half of it. After a crash it takes as long, by the
   * storage's clock, until the message is handled again. (The real host hides for 10 minutes.)
   */
  readonly lockSeconds: number;
  readonly env: Env;
  readonly runner: Runner;
  readonly log: AppLog;
}

/**
 * Polls the queues of all queue triggers. A message goes away when its function succeeds; after a failure it comes back when
 * `visibilityTimeout` is over; after `maxDequeueCount` failures, or when it cannot be decoded, it goes to `<queue>-poison`.
 * Throws at once when a setting is missing. Returns what stops the polling and resolves when the messages under way are done with.
 */
export function startQueues(options: QueueOptions): () => Promise<void> {
  const stopping = new AbortController();
  const listeners = [...options.functions].map((fn) => {
    const service = QueueServiceClient.fromConnectionString(
      connectionString(bindingText(fn.trigger, "connection"), options.env),
    );
    return { fn, service, name: resolveSettings(bindingText(fn.trigger, "queueName") ?? "", options.env) };
  });
  const polling = listeners.map(({ fn, service, name }) => {
    const queue = service.getQueueClient(name);
    // A function on a poison queue has no poison queue of its own: its messages come back until they expire.
    const poison = name.endsWith("-poison") ? undefined : service.getQueueClient(`${name}-poison`);
    return poll({ ...options, fn, queue, poison, signal: stopping.signal });
  });
  return async () => {
    stopping.abort();
    await Promise.all(polling);
  };
}

interface Listener extends QueueOptions {
  readonly fn: AppFunction;
  readonly queue: QueueClient;
  readonly poison: QueueClient | undefined;
  readonly signal: AbortSignal;
}

async function poll(listener: Listener): Promise<void> {
  const { fn, queue, settings, signal, log } = listener;
  const inFlight = new Set<Promise<void>>();
  let pause = shortestPoll;
  let complained = false;
  while (!signal.aborted) {
    let received: readonly DequeuedMessageItem[] = [];
    try {
      const room = Math.min(32, settings.batchSize - inFlight.size);
      if (room > 0) {
        const answer = await queue.receiveMessages({ numberOfMessages: room, visibilityTimeout: listener.lockSeconds });
        received = answer.receivedMessageItems;
      }
      complained = false;
    } catch (error) {
      // No queue yet is no messages yet. Anything else is said once, not at every poll.
      if ((error as { statusCode?: number }).statusCode !== 404 && !complained) {
        complained = true;
        log("warning", fn.name, `cannot read the queue ${queue.name}: ${describeError(error)}`);
      }
    }
    for (const message of received) {
      const work = handle(listener, message)
        .catch((error: unknown) => log("warning", fn.name, `queue ${queue.name}: ${describeError(error)}`))
        .finally(() => inFlight.delete(work));
      inFlight.add(work);
    }
    if (inFlight.size >= settings.batchSize) await Promise.race(inFlight);
    else if (received.length === 0)
      await Promise.race([wait(pause, signal), ...(inFlight.size > 0 ? [Promise.race(inFlight)] : [])]);
    pause = received.length > 0 ? shortestPoll : Math.min(pause * 1.5, settings.maxPollingInterval);
  }
  await Promise.all(inFlight);
}

async function handle(listener: Listener, message: DequeuedMessageItem): Promise<void> {
  const { fn, queue, settings, runner, log } = listener;
  const text = decode(message.messageText, settings.base64);
  if (text === undefined || (message.dequeueCount > settings.maxDequeueCount && listener.poison)) {
    const why = text === undefined ? "it is not base64" : `it was taken ${message.dequeueCount} times`;
    return moveToPoison(listener, message, message.popReceipt, why);
  }
  const lock = holdLock(listener, message);
  try {
    await runner.once(fn, { data: { string: text }, metadata: triggerMetadata(message, text) });
  } catch (error) {
    const popReceipt = await lock.release();
    log("error", fn.name, `failed (delivery ${message.dequeueCount}): ${describeError(error)}`);
    if (message.dequeueCount >= settings.maxDequeueCount) {
      return moveToPoison(listener, message, popReceipt, `it failed ${message.dequeueCount} times`);
    }
    const seconds = Math.round(settings.visibilityTimeout / 1000);
    await queue.updateMessage(message.messageId, popReceipt, undefined, seconds);
    return undefined;
  }
  await queue.deleteMessage(message.messageId, await lock.release());
  return undefined;
}

/** Keeps a message hidden while it is handled. `release` ends that and gives the receipt that is valid then. */
function holdLock({ queue, lockSeconds }: Listener, message: DequeuedMessageItem): { release(): Promise<string> } {
  let popReceipt = message.popReceipt;
  const done = new AbortController();
  const renewing = (async () => {
    for (;;) {
      await wait(lockSeconds * 500, done.signal);
      if (done.signal.aborted) return;
      // Lost (expired and taken again): the work goes on, deleting will fail, and the message is handled once more.
      const renewed = await queue
        .updateMessage(message.messageId, popReceipt, undefined, lockSeconds)
        .catch(() => undefined);
      if (!renewed) return;
      popReceipt = renewed.popReceipt ?? popReceipt;
    }
  })();
  return {
    async release() {
      done.abort();
      await renewing;
      return popReceipt;
    },
  };
}

async function moveToPoison(
  listener: Listener,
  message: DequeuedMessageItem,
  popReceipt: string,
  why: string,
): Promise<void> {
  const { fn, queue, poison, log } = listener;
  if (!poison) return;
  log("warning", fn.name, `moves message ${message.messageId} to ${poison.name}: ${why}.`);
  await poison.createIfNotExists();
  await poison.sendMessage(message.messageText);
  await queue.deleteMessage(message.messageId, popReceipt);
}

function decode(text: string, base64: boolean): string | undefined {
  if (!base64) return text;
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text.trim() ? bytes.toString("utf8") : undefined;
}

/** The names and forms that the real host gives; the library makes their first letters small. */
function triggerMetadata(message: DequeuedMessageItem, text: string): Record<string, TypedData> {
  const time = (value: Date) => ({ json: JSON.stringify(value.toISOString().replace(/\.\d+Z$/, "+00:00")) });
  return {
    QueueTrigger: { json: JSON.stringify(text) },
    DequeueCount: { json: String(message.dequeueCount) },
    Id: { string: message.messageId },
    PopReceipt: { json: JSON.stringify(message.popReceipt) },
    InsertionTime: time(message.insertedOn),
    ExpirationTime: time(message.expiresOn),
    NextVisibleTime: time(message.nextVisibleOn),
  };
}
