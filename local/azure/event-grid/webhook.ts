import { randomUUID } from "node:crypto";
import { azureTime, deliveredAs, inSchema, text } from "./event.ts";
import type { Published, Schema } from "./event.ts";
import type { Outcome } from "./subscription.ts";

/** The endpoint that a webhook subscription names. */
export interface Endpoint {
  readonly url: string;
  readonly subscription: string;
  readonly schema: Schema;
}

/** Outcome of a handshake: `manual` means that somebody has to open the validation URL within five minutes. */
export type Handshake = "validated" | "manual" | "refused";

const origin = "eventgrid.azure.net";
const patience = 30_000;

/**
 * Asks the endpoint whether it wants events: by a SubscriptionValidationEvent (learn.microsoft.com/azure/event-grid/
 * end-point-validation-event-grid-events-schema), or for CloudEvents by OPTIONS (their abuse protection).
 */
export async function handshake(
  endpoint: Endpoint,
  topic: string,
  code: string,
  validationUrl: string,
  now: number,
): Promise<Handshake> {
  const { url, schema } = endpoint;
  try {
    if (schema === "CloudEventSchemaV1_0") {
      const headers = {
        "webhook-request-origin": origin,
        "webhook-request-callback": validationUrl,
        "webhook-request-rate": "120",
      };
      const reply = await fetch(url, { method: "OPTIONS", headers, signal: AbortSignal.timeout(patience) });
      await reply.arrayBuffer();
      if (!reply.ok) return "refused";
      const allowed = reply.headers.get("webhook-allowed-origin");
      return allowed === "*" || allowed === origin ? "validated" : "manual";
    }
    const body = [
      {
        id: randomUUID(),
        topic,
        subject: "",
        data: { validationCode: code, validationUrl },
        eventType: "Microsoft.EventGrid.SubscriptionValidationEvent",
        eventTime: azureTime(now),
        metadataVersion: "1",
        dataVersion: "2",
      },
    ];
    const reply = await post(endpoint, JSON.stringify(body), {
      "content-type": "application/json; charset=utf-8",
      "aeg-event-type": "SubscriptionValidation",
      "aeg-delivery-count": "0",
      "aeg-data-version": "2",
      "aeg-metadata-version": "1",
    });
    const text = await reply.text();
    if (reply.status !== 200) return "refused";
    return text.includes(code) ? "validated" : "manual";
  } catch {
    return "refused";
  }
}

/** Posts one event and says how it ended. `attempt` counts from 0. */
export async function deliver(endpoint: Endpoint, published: Published, attempt: number): Promise<Outcome> {
  const schema = deliveredAs(published, endpoint.schema);
  const event = inSchema(published, schema);
  const cloud = schema === "CloudEventSchemaV1_0";
  try {
    const reply = await post(endpoint, JSON.stringify(cloud ? event : [event]), {
      "content-type": cloud ? "application/cloudevents+json; charset=utf-8" : "application/json; charset=utf-8",
      "aeg-event-type": "Notification",
      "aeg-delivery-count": String(attempt),
      "aeg-output-event-id": randomUUID(),
      ...(cloud
        ? { "webhook-request-origin": origin }
        : { "aeg-data-version": text(event["dataVersion"]), "aeg-metadata-version": "1" }),
    });
    await reply.arrayBuffer();
    return { status: reply.status };
  } catch (error) {
    return { failure: (error as Error).name === "TimeoutError" ? "TimedOut" : "GenericError" };
  }
}

function post({ url, subscription }: Endpoint, body: string, headers: Record<string, string>): Promise<Response> {
  return fetch(url, {
    method: "POST",
    body,
    headers: { ...headers, "aeg-subscription-name": subscription.toUpperCase() },
    // A redirect is a failure: only 200 to 204 count.
    redirect: "manual",
    signal: AbortSignal.timeout(patience),
  });
}
