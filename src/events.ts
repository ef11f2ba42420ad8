import type { TokenCredential } from "@azure/core-auth";

/** What Pinion tells the world of a rotation: references only (design 3.7). */
export interface RotationEvent {
  readonly type: `Pinion.Rotation.${string}`;
  /** Rotation id and step: the same for a repeat, so that a reader can drop it. */
  readonly id: string;
  readonly subject: string;
  /** ISO 8601. */
  readonly time: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Milliseconds a topic gets: a step waits for it, and in place that is time in which logins fail. */
const patience = 5_000;

export type Publisher = (event: RotationEvent, signal?: AbortSignal) => Promise<void>;

/** Publishes CloudEvents to a custom Event Grid topic with the app's identity; without an endpoint there is nobody to tell. */
export function openPublisher(endpoint: string | undefined, source: string, credential: TokenCredential): Publisher {
  if (endpoint === undefined) return async () => undefined;
  type Client = { send(events: object[], options: { abortSignal: AbortSignal }): Promise<void> };
  let client: Promise<Client> | undefined;
  const open = async (): Promise<Client> => {
    const { EventGridPublisherClient } = await import("@azure/eventgrid");
    return new EventGridPublisherClient(endpoint, "CloudEvent", credential);
  };
  return async (event, signal) => {
    client ??= open();
    const { id, type, subject, time, data } = event;
    const limit = AbortSignal.timeout(patience);
    const abortSignal = signal === undefined ? limit : AbortSignal.any([signal, limit]);
    await (await client).send([{ id, type, source, subject, time: new Date(time), data }], { abortSignal });
  };
}
