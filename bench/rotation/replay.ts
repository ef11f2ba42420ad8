import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { TableClient } from "@azure/data-tables";
import { BlobServiceClient } from "@azure/storage-blob";
import { Client } from "pg";
import { vault } from "../../local/cloud/scenario.ts";
import { asSuperuser } from "../../local/targets/postgres-seed.ts";
import { generatePassword } from "../../rotators/shared/password.ts";
import { scramVerifier } from "../../rotators/shared/postgres/scram.ts";
import { type Bed, key } from "./bed.ts";
import type { HttpCall, OutsideCall } from "./recorder.ts";

/** Sends the calls of a rotation again. */
export interface Replay {
  /** Puts back what stands in the way of a second time; not part of what is measured. */
  prepare(): Promise<void>;
  /** Sends them, one after the other. Rejects when one is answered otherwise than it was in the rotation. */
  run(): Promise<void>;
  close(): void;
}

/**
 * Replays a recorded rotation without durability and without Pinion: the same requests with the same bodies over connections kept
 * alive, and for each connection to PostgreSQL a new one with the same statements, each sent when the one before was answered.
 *
 * What cannot be the same: names of versions that a replay writes follow into its later calls; If-Match of table rows is `*`, since the
 * rows were written since; logins use passwords of the replay's own, which it sets by verifiers in the place of the recorded ones.
 */
export async function createReplay({ cloud }: Bed, rotationId: string, calls: readonly OutsideCall[]): Promise<Replay> {
  const ca = cloud.tls.ca;
  const agents = { "http:": new HttpAgent({ keepAlive: true }), "https:": new HttpsAgent({ keepAlive: true, ca }) };
  const password = generatePassword();
  const verifier = scramVerifier(password);
  const logins = calls.flatMap((call) => (call.place === "postgres" && call.kind === "login" ? [call] : []));
  const adminUser = "pinion_orders";
  const admin = (await cloud.secrets(vault).getSecret("pinion-orders-admin")).value ?? "";
  const [idle, current] = rolesOf(logins.filter(({ user }) => user !== adminUser));

  const http = async (call: HttpCall, renamed: Map<string, string>): Promise<void> => {
    const now = (text: string) => [...renamed].reduce((next, [from, to]) => next.replaceAll(from, to), text);
    const { origin, method, path, body } = call;
    const { status, text } = await send(agents, origin, method, now(path), headersOf(call), now(body));
    if (status !== call.status)
      throw new Error(`${call.place} ${call.name} was answered ${status}, not ${call.status}.`);
    const [was, is] = [versionIn(call, call.reply), versionIn(call, text)];
    if (was !== undefined && is !== undefined && was !== is) renamed.set(was, is);
  };

  return {
    async prepare() {
      const { connectionString } = cloud.azurite;
      const evidence = BlobServiceClient.fromConnectionString(connectionString).getContainerClient("pinion-evidence");
      await evidence.getBlockBlobClient(`${rotationId}.json`).deleteIfExists();
      const table = TableClient.fromConnectionString(connectionString, "PinionRecords", {
        allowInsecureConnection: true,
      });
      for await (const row of table.listEntities<{ json: string }>({
        queryOptions: { filter: `PartitionKey eq '${key}'` },
      }))
        if (row.rowKey !== "state" && row.json.includes(rotationId)) await table.deleteEntity(key, row.rowKey ?? "");
      await asSuperuser(cloud.postgres, "postgres", async (client) => {
        const name = (role: string) => client.escapeIdentifier(role);
        await client.query(`ALTER ROLE ${name(current)} LOGIN PASSWORD '${verifier}'`);
        await client.query(`ALTER ROLE ${name(idle)} NOLOGIN`);
      });
    },
    async run() {
      const renamed = new Map<string, string>();
      const open = new Map<number, Client>();
      for (const call of calls) {
        if (call.place !== "postgres") {
          await http(call, renamed);
          continue;
        }
        if (call.kind === "login") {
          const { user, database } = call;
          const right = user === adminUser ? admin : password;
          const client = new Client({
            host: cloud.postgres.host,
            port: cloud.postgres.port,
            user,
            database,
            password: call.ok ? right : "wrong",
            ssl: false,
          });
          client.on("error", () => {});
          const ok = await client.connect().then(
            () => true,
            () => false,
          );
          if (ok !== call.ok) throw new Error(`The login of ${user} was ${ok ? "let in" : "refused"} in the replay.`);
          open.set(call.connection, client);
        } else if (call.kind === "query") {
          const text = call.text.replaceAll(/'SCRAM-SHA-256\$[^']*'/g, `'${verifier}'`);
          const { values, name = "" } = call;
          await open
            .get(call.connection)
            ?.query(values === undefined ? text : { text, values: [...values], ...(name !== "" && { name }) });
        } else await open.get(call.connection)?.end();
      }
    },
    close() {
      for (const agent of Object.values(agents)) agent.destroy();
    },
  };
}

/** The first role that is let in is the current one; the other one is idle as the rotation begins. */
function rolesOf(logins: readonly { readonly user: string; readonly ok: boolean }[]): readonly [string, string] {
  const current = logins.find(({ ok }) => ok)?.user;
  const idle = logins.find(({ user }) => user !== current)?.user;
  if (current === undefined || idle === undefined)
    throw new Error("The recording shows no rotation of a pair of roles.");
  return [idle, current];
}

function headersOf({ place, headers }: HttpCall): Record<string, string> {
  const drop = new Set(["host", "connection", "content-length", "accept-encoding", "transfer-encoding"]);
  const kept = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined || drop.has(name)
      ? []
      : [[name, name === "if-match" && place === "table" ? "*" : String(value)]],
  );
  return Object.fromEntries(kept) as Record<string, string>;
}

/** The version that a write of a secret was answered with. */
function versionIn({ place, method }: HttpCall, reply: string): string | undefined {
  return place === "vault" && method === "PUT" ? /"id":"[^"]*\/([0-9a-f]{32})"/.exec(reply)?.[1] : undefined;
}

async function send(
  agents: { readonly "http:": HttpAgent; readonly "https:": HttpsAgent },
  origin: string,
  method: string,
  path: string,
  headers: Record<string, string>,
  body: string,
): Promise<{ status: number; text: string }> {
  return await new Promise((resolve, reject) => {
    const { protocol, hostname, port } = new URL(origin);
    const bytes = Buffer.from(body, "latin1");
    const length = bytes.length > 0 || method === "PUT" || method === "POST" ? { "content-length": bytes.length } : {};
    const options = { hostname, port, method, path, headers: { ...headers, ...length } };
    const request =
      protocol === "https:"
        ? httpsRequest({ ...options, agent: agents["https:"] })
        : httpRequest({ ...options, agent: agents["http:"] });
    request.on("error", reject).on("response", (reply) => {
      const chunks: Buffer[] = [];
      reply.on("data", (chunk: Buffer) => chunks.push(chunk));
      reply.on("end", () => resolve({ status: reply.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
    });
    request.end(bytes);
  });
}
