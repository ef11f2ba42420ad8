// The Event Grid extension's webhook, `/runtime/webhooks/eventgrid?functionName=`. Its order of checks and its answers are those
// of EventGridExtensionConfigProvider and HttpRequestProcessor in azure-sdk-for-net.
import type { AppFunction, AppLog } from "./app.ts";
import { describeError } from "./run.ts";
import type { Runner } from "./run.ts";
import type { Handler, RequestHead, Response } from "./server.ts";

const origins = [
  "eventgrid.azure.net",
  "eventgrid.azure.us",
  "eventgrid.azure.cn",
  "eventgrid.azure.eaglex.ic.gov",
  "eventgrid.azure.microsoft.scloud",
];

/** Answers the webhook for the app's Event Grid triggers; the key is checked by the caller. */
export function eventGridWebhook(options: {
  readonly functions: Iterable<AppFunction>;
  readonly runner: Runner;
  readonly log: AppLog;
}): Handler {
  const functions = new Map([...options.functions].map((fn) => [fn.name.toLowerCase(), fn]));
  return (head) => {
    const name = head.url.searchParams.get("functionName") ?? "";
    const fn = functions.get(name.toLowerCase());
    if (!fn) return { status: 404, body: `cannot find function: '${name}'` };
    if (head.method === "OPTIONS") return { status: 200, headers: { "webhook-allowed-origin": allowedOrigin(head) } };
    if (head.method !== "POST") return { status: 400 };
    switch (head.headers["aeg-event-type"]) {
      case "SubscriptionValidation":
        return async (body) => validate(body);
      case "Notification":
        return (body) => notify(fn, body, options.runner, options.log);
      case "Unsubscribe":
        return { status: 202 };
      default:
        return { status: 400 };
    }
  };
}

function allowedOrigin(head: RequestHead): string {
  const asked = head.headers["webhook-request-origin"];
  return origins.find((origin) => origin === String(asked).toLowerCase()) ?? "eventgrid.azure.net";
}

/** The handshake of an Event Grid subscription: the code comes in an array of one event, or in an object with `data` as JSON text. */
function validate(body: Buffer): Response {
  const parsed = parse(body);
  const event = (Array.isArray(parsed) ? parsed[0] : parsed) as { data?: unknown } | undefined;
  const data = (typeof event?.data === "string" ? parse(Buffer.from(event.data)) : event?.data) as
    | { validationCode?: unknown }
    | undefined;
  if (typeof data?.validationCode !== "string") return { status: 400 };
  return json(200, { validationResponse: data.validationCode });
}

/** Every event of a batch is an invocation of its own, side by side; one failure fails the whole batch, which then comes again. */
async function notify(fn: AppFunction, body: Buffer, runner: Runner, log: AppLog): Promise<Response> {
  const parsed = parse(body);
  const events = Array.isArray(parsed) ? parsed : [parsed];
  if (!events.every((event) => typeof event === "object" && event !== null)) return { status: 400 };
  const results = await Promise.allSettled(
    events.map((event: { data?: unknown }) =>
      runner.once(fn, {
        data: { json: JSON.stringify(event) },
        metadata: event.data === undefined ? {} : { data: { json: JSON.stringify(event.data) } },
      }),
    ),
  );
  const failures = results.filter((result) => result.status === "rejected");
  for (const failure of failures) log("error", fn.name, `failed: ${describeError(failure.reason)}`);
  return failures.length > 0
    ? { status: 500, body: `Exception while executing function: ${fn.name}` }
    : { status: 202 };
}

function json(status: number, value: unknown): Response {
  return { status, headers: { "content-type": "application/json; charset=utf-8" }, body: JSON.stringify(value) };
}

/** Undefined when the text is no JSON. */
function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
}
