import { createHmac, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createFaults } from "../../local/azure/faults.ts";
import type { Faults } from "../../local/azure/faults.ts";
import { isRecord, listener, parseJson } from "../../local/azure/http.ts";
import type { Handler, Reply, Request } from "../../local/azure/http.ts";

/** A service on loopback that speaks the documented API of a DNS provider, over plain HTTP. */
export interface Service {
  readonly url: string;
  readonly faults: Faults;
  /** The texts of a name now. */
  readonly texts: (name: string) => readonly string[];
  /** Somebody else's value. */
  readonly add: (name: string, text: string) => void;
  readonly stop: () => void;
}

async function serve(handler: Handler, store: Pick<Service, "texts" | "add">): Promise<Service> {
  const faults = createFaults();
  const server = createServer(listener([handler], faults)).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    ...store,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    faults,
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/**
 * Cloudflare's API v4, as developers.cloudflare.com describes "List Zones", "List DNS Records", "Create DNS Record" and "Delete DNS Record".
 * Unconfirmed by the documentation, but seen in replies quoted by users: the codes 6003, 10000, 81044 and 81058 and their statuses.
 */
export async function startCloudflare(token: string, zones: readonly string[]): Promise<Service> {
  const records: { id: string; type: "TXT"; name: string; content: string }[] = [];
  const idOf = (zone: string) => Buffer.from(zone).toString("hex").padEnd(32, "0").slice(0, 32);
  const bad = (status: number, code: number): Reply => ({
    status,
    body: { success: false, errors: [{ code, message: "An error." }], messages: [], result: null },
  });
  const good = (result: unknown): Reply => ({ status: 200, body: { success: true, errors: [], messages: [], result } });
  const run = ({ method, url, headers, body }: Request): Reply => {
    if (!/^Bearer [\w-]{5,}$/.test(headers.authorization ?? "")) return bad(400, 6003);
    if (headers.authorization !== `Bearer ${token}`) return bad(403, 10_000);
    const query = url.searchParams;
    const [, , zone, , record] = url.pathname.split("/");
    if (zone === undefined) {
      return good(
        zones.filter((name) => name === query.get("name")).map((name) => ({ id: idOf(name), name, status: "active" })),
      );
    }
    if (!zones.some((name) => idOf(name) === zone)) return bad(404, 7003);
    if (method === "GET") {
      const [page, size] = [Number(query.get("page")), Number(query.get("per_page"))];
      return good(records.filter(({ name }) => name === query.get("name")).slice((page - 1) * size, page * size));
    }
    if (method === "DELETE") {
      const at = records.findIndex(({ id }) => id === record);
      if (at < 0) return bad(404, 81_044);
      records.splice(at, 1);
      return good({ id: record });
    }
    const wanted = parseJson(body);
    if (!isRecord(wanted) || typeof wanted["name"] !== "string" || typeof wanted["content"] !== "string")
      return bad(400, 9000);
    const made = {
      id: randomUUID().replaceAll("-", ""),
      type: "TXT" as const,
      name: wanted["name"],
      content: wanted["content"],
    };
    if (records.some(({ name, content }) => name === made.name && content === made.content)) return bad(400, 81_058);
    records.push(made);
    return good(made);
  };
  return await serve(
    (request) => ({
      operation: `${request.method} ${request.url.pathname.split("/")[3] ?? "zones"}`,
      run: () => run(request),
    }),
    {
      texts: (name) => records.filter((one) => one.name === name).map(({ content }) => content.replaceAll('"', "")),
      // Records of former years have no quotes.
      add: (name, text) =>
        void records.push({ id: randomUUID().replaceAll("-", ""), type: "TXT", name, content: text }),
    },
  );
}

/** acme-dns: two rows for each subdomain, of which the one that was written longer ago is written (its api.go and db.go). */
export async function startAcmeDns(user: string, key: string, subdomain: string, fulldomain: string): Promise<Service> {
  const rows: [string, string] = ["", ""];
  const put = (text: string) => void rows.splice(0, 2, rows[1], text);
  const run = ({ headers, body }: Request): Reply => {
    const { subdomain: named, txt } = (parseJson(body) ?? {}) as { subdomain?: unknown; txt?: unknown };
    if (headers["x-api-user"] !== user || headers["x-api-key"] !== key || named !== subdomain) {
      return { status: 401, body: { error: "forbidden" } };
    }
    if (typeof txt !== "string" || !/^[\w-]{43}$/.test(txt)) return { status: 400, body: { error: "bad_txt" } };
    put(txt);
    return { status: 200, body: { txt } };
  };
  return await serve(
    (request) => (request.url.pathname === "/update" ? { operation: "update", run: () => run(request) } : undefined),
    { texts: (name) => (name === fulldomain ? rows.filter((text) => text !== "") : []), add: (_, text) => put(text) },
  );
}

/** A receiver of our webhook: what docs/rotators/dns.md asks of one. */
export async function startWebhook(secret: string): Promise<Service & { readonly calls: unknown[] }> {
  const key = Buffer.from(secret.replace("whsec_", ""), "base64");
  const calls: unknown[] = [];
  const kept = new Map<string, Set<string>>();
  const at = (name: string) => {
    if (!kept.has(name)) kept.set(name, new Set());
    return kept.get(name)!;
  };
  const run = ({ headers, body }: Request): Reply => {
    const { "webhook-id": id, "webhook-timestamp": time, "webhook-signature": signature } = headers;
    const mac = createHmac("sha256", key)
      .update(`${String(id)}.${String(time)}.${body.toString()}`)
      .digest("base64");
    if (signature !== `v1,${mac}`) return { status: 401 };
    const call = parseJson(body) as { action: string; name: string; value: string; timestamp: number };
    if (String(call.timestamp) !== time) return { status: 400 };
    calls.push(call);
    if (call.action === "withdraw") at(call.name).delete(call.value);
    else if (at(call.name).has(call.value)) return { status: 409 };
    else at(call.name).add(call.value);
    return { status: 202, body: "x".repeat(1000) };
  };
  const service = await serve((request) => ({ operation: "webhook", run: () => run(request) }), {
    texts: (name) => [...at(name)],
    add: (name, text) => void at(name).add(text),
  });
  return { ...service, calls };
}
