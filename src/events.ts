import type { GetTokenOptions, TokenCredential } from "@azure/core-auth";

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

/** What tokens for a topic are asked for: the service, by the end of its address in this cloud. Of sovereign clouds unconfirmed. */
export function scopeOf(endpoint: string): string {
  const service = /\beventgrid\.azure\.[a-z]+$/.exec(new URL(endpoint).hostname)?.[0] ?? "eventgrid.azure.net";
  return `https://${service}/.default`;
}

/** Publishes CloudEvents to a custom Event Grid topic with the app's identity; without an endpoint there is nobody to tell. */
export function openPublisher(endpoint: string | undefined, source: string, credential: TokenCredential): Publisher {
  if (endpoint === undefined) return async () => undefined;
  type Client = { send(events: object[], options: { abortSignal: AbortSignal }): Promise<void> };
  let client: Promise<Client> | undefined;
  const open = async (): Promise<Client> => {
    const { EventGridPublisherClient } = await import("@azure/eventgrid");
    // The client asks for the public cloud's scope, whatever its endpoint is.
    const here = {
      getToken: (_: unknown, options?: GetTokenOptions) => credential.getToken(scopeOf(endpoint), options),
    };
    return new EventGridPublisherClient(endpoint, "CloudEvent", here);
  };
  return async (event, signal) => {
    client ??= open();
    const { id, type, subject, time, data } = event;
    const limit = AbortSignal.timeout(patience);
    const abortSignal = signal === undefined ? limit : AbortSignal.any([signal, limit]);
    await (await client).send([{ id, type, source, subject, time: new Date(time), data }], { abortSignal });
  };
}
