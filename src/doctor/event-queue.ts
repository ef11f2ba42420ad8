import type { QueueServiceClient } from "@azure/storage-queue";
import type { StorageConfig } from "../config-storage.ts";
import { openStorage, statusOf } from "../store/storage.ts";
import { accountName } from "./account.ts";
import type { Context } from "./context.ts";
import { type Check, fault, ok, type Said, unknown, warning } from "./finding.ts";

/** How long an event may wait for the app before something is wrong: the host polls far more often, even from cold. */
const patience = 15 * 60_000;

/** That the queue of events is there and is being emptied, and that nothing lies beside it. */
export const eventQueue: Check<Context> = {
  id: "event-queue",
  area: "Events",
  about: "the queue of events is there and is read; no poison message, no dead letter",
  needs: ["settings", "identity"],
  async run(context) {
    const { config, hostStorage } = context;
    const queues = await openQueues(context, hostStorage);
    const subject = `${config.eventsQueue} of ${accountName(hostStorage)}`;
    const said = [...(await backlog(context, queues, subject)), ...(await poison(queues, config.eventsQueue))];
    said.push(...(await deadLetters(context)));
    return said.length > 0 ? said : [ok(subject, "nothing waits in it")];
  },
};

async function openQueues(context: Context, storage: StorageConfig): Promise<QueueServiceClient> {
  const { QueueServiceClient: Queues } = await import("@azure/storage-queue");
  const retryOptions = { maxTries: 2 };
  return "connectionString" in storage
    ? Queues.fromConnectionString(storage.connectionString, { retryOptions })
    : new Queues(storage.queueUrl, context.identity(), { retryOptions });
}

async function backlog(context: Context, queues: QueueServiceClient, subject: string): Promise<readonly Said[]> {
  const queue = queues.getQueueClient(context.config.eventsQueue);
  try {
    const {
      peekedMessageItems: [oldest],
    } = await queue.peekMessages({ numberOfMessages: 1 });
    const age = oldest === undefined ? 0 : context.now() - oldest.insertedOn.getTime();
    if (age < patience) return [];
    return [
      fault(
        subject,
        `an event has waited there for ${Math.round(age / 60_000)} minutes`,
        "See that the app runs and its events-queue trigger is enabled; its log says why it does not start.",
      ),
    ];
  } catch (error) {
    const status = statusOf(error);
    if (status === 404)
      return [
        fault(subject, "does not exist", "Deploy infra/main.bicep, which makes it, or correct PINION_EVENTS_QUEUE."),
      ];
    if (status === 403)
      return [
        fault(
          subject,
          "may not be read (403)",
          "Give the app's identity Storage Queue Data Contributor on the account, and let it through the account's firewall.",
        ),
      ];
    return [
      fault(
        subject,
        `did not answer (${status ?? "no connection"})`,
        "Check AzureWebJobsStorage, name resolution, and the way out of the app's network.",
      ),
    ];
  }
}

/** Where the host puts what it failed at five times. */
async function poison(queues: QueueServiceClient, name: string): Promise<readonly Said[]> {
  const subject = `${name}-poison`;
  const count = await queues
    .getQueueClient(subject)
    .getProperties()
    .then(({ approximateMessagesCount = 0 }) => approximateMessagesCount)
    .catch(() => 0);
  return count === 0
    ? []
    : [
        warning(
          subject,
          `holds ${count} events that the app failed at`,
          "Read the app's log for events-queue, correct the cause, then clear the queue: the sweep finds what they told of.",
        ),
      ];
}

async function deadLetters(context: Context): Promise<readonly Said[]> {
  const subject = "dead-letters";
  try {
    const { blobService } = openStorage(context.hostStorage, context.identity());
    const blobs = blobService.getContainerClient(subject).listBlobsFlat().byPage({ maxPageSize: 100 });
    for await (const { segment } of blobs) {
      const { length } = segment.blobItems;
      return length === 0
        ? []
        : [
            warning(
              subject,
              `holds ${length === 100 ? "100 or more" : length} events that Event Grid gave up`,
              "Read deadLetterReason in them, correct the cause, then delete them: the sweep finds what they told of.",
            ),
          ];
    }
    return [];
  } catch (error) {
    const status = statusOf(error);
    if (status === 404)
      return [warning(subject, "does not exist in the app's storage", "Deploy infra/main.bicep, which makes it.")];
    return [
      unknown(
        subject,
        `could not be listed (${status ?? "no connection"})`,
        "Give the identity Storage Blob Data Reader on that container to let the doctor see it.",
      ),
    ];
  }
}
