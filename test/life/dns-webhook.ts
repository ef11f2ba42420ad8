import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** TXT values of a zone in memory, which a webhook challenger writes. */
export interface ZoneWebhook {
  readonly url: string;
  lookup(name: string): readonly string[];
  /** Every value that is there now, as `name value`. */
  left(): readonly string[];
  close(): Promise<void>;
}

export async function startZoneWebhook(): Promise<ZoneWebhook> {
  const values = new Set<string>();
  const server = createServer((request, reply) => {
    void (async () => {
      let body = "";
      for await (const part of request as AsyncIterable<Buffer>) body += part.toString();
      const { action, name, value } = JSON.parse(body) as { action: string; name: string; value: string };
      if (action === "publish") values.add(`${name} ${value}`);
      else values.delete(`${name} ${value}`);
      reply.end();
    })();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/zone`,
    lookup: (name) => [...values].flatMap((one) => (one.startsWith(`${name} `) ? [one.slice(name.length + 1)] : [])),
    left: () => [...values],
    async close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
