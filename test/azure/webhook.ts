import { createServer } from "node:http";
import type { IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";

export interface Received {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A small event handler: agrees to every handshake unless told otherwise, and answers notifications with `status`. */
export async function startWebhook() {
  const received: Received[] = [];
  const behaviour = { status: 200, agrees: true };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString();
      received.push({ method: request.method ?? "", headers: request.headers, body });
      if (request.method === "OPTIONS") {
        const origin = String(request.headers["webhook-request-origin"]);
        return response.writeHead(200, behaviour.agrees ? { "webhook-allowed-origin": origin } : {}).end();
      }
      if (request.headers["aeg-event-type"] === "SubscriptionValidation") {
        const [event] = JSON.parse(body) as [{ data: { validationCode: string } }];
        return response.end(behaviour.agrees ? JSON.stringify({ validationResponse: event.data.validationCode }) : "");
      }
      return response.writeHead(behaviour.status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const notifications = () => received.filter(({ headers }) => headers["aeg-event-type"] === "Notification");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?code=key`,
    received,
    notifications,
    /** The notified events' subjects, in order of arrival. */
    subjects: () => notifications().map(({ body }) => ([JSON.parse(body)].flat()[0] as { subject: string }).subject),
    behaviour,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => void server.close(resolve));
    },
  };
}

export type Webhook = Awaited<ReturnType<typeof startWebhook>>;
