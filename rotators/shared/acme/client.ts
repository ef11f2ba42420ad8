import { z } from "zod";
import { PinionError } from "../../../src/errors.ts";
import { nonsense, problemOf, refusal } from "./errors.ts";
import { openConnection } from "./http.ts";
import type { Connection, Reply } from "./http.ts";
import { openAccountKey } from "./key.ts";
import type { AccountKey } from "./key.ts";
import { isSafeUrl } from "./target.ts";
import type { AcmeStep } from "./target.ts";

const url = z.string().refine(isSafeUrl);

const directory = z.looseObject({
  newNonce: url,
  newAccount: url,
  newOrder: url,
  revokeCert: url,
  /** RFC 8555 section 7.3.5. Some leave it out. */
  keyChange: url.optional(),
  /** RFC 9773. */
  renewalInfo: url.optional(),
  meta: z
    .looseObject({
      externalAccountRequired: z.boolean().optional(),
      profiles: z.record(z.string(), z.unknown()).optional(),
    })
    .default({}),
});

/** What a CA offers, and where (RFC 8555 section 7.1.1). */
export type Directory = z.output<typeof directory>;

/** One conversation with a CA, signed by the account's key. */
export interface Client {
  readonly directory: Directory;
  readonly key: AccountKey;
  /** Unsigned, for what everybody may read (RFC 9773). Any status. */
  get(url: string): Promise<Reply>;
  /**
   * A signed POST, as the account `kid` or, without one, with the key itself; `""` as payload reads (POST-as-GET). Any status but
   * badNonce, which is asked again here.
   */
  post(url: string, payload: unknown, kid?: string): Promise<Reply>;
  /** Like `post`, but what is no success is thrown as a fault that says what was asked. */
  demand(url: string, payload: unknown, doing: string, kid?: string): Promise<Reply>;
  /** The same conversation, signed by another key. */
  signedBy(key: AccountKey): Client;
}

/** A CA may call any nonce bad (RFC 8555 section 6.5), so an answer of that kind says nothing; but it must end. */
const nonceAttempts = 10;

/** What everybody may do without an account. */
export type Reader = Pick<Client, "directory" | "get">;

/** Runs `work` with a client; its connections are closed in the end. */
export async function withClient<R>(step: AcmeStep, work: (client: Client) => Promise<R>): Promise<R> {
  return await withConnection(step, async (connection, directory) => {
    const key = await openAccountKey(step);
    return await work(clientOf(step, connection, directory, key, []));
  });
}

/** Like {@link withClient}, for what needs no account. */
export async function withReader<R>(step: AcmeStep, work: (reader: Reader) => Promise<R>): Promise<R> {
  return await withConnection(step, async (connection, directory) => await work(readerOf(connection, directory)));
}

async function withConnection<R>(
  step: AcmeStep,
  work: (connection: Connection, directory: Directory) => Promise<R>,
): Promise<R> {
  const connection = openConnection(step.target, step.signal);
  try {
    return await work(connection, await readDirectory(step, connection));
  } finally {
    connection.close();
  }
}

const readerOf = (connection: Connection, directory: Directory): Reader => ({
  directory,
  get: async (url) => await connection.send({ method: "GET", url }),
});

async function readDirectory(step: AcmeStep, connection: Connection): Promise<Directory> {
  const reply = await connection.send({ method: "GET", url: step.target.directory });
  if (reply.status !== 200) throw refusal(reply, "to show its directory", step.ports.now());
  return parse(reply, directory, "a directory");
}

/** The JSON of an answer, by its schema. Throws `TARGET_REFUSED` for anything else. */
export function parse<T>(reply: Reply, schema: z.ZodType<T>, what: string): T {
  try {
    return schema.parse(JSON.parse(reply.body));
  } catch {
    throw nonsense(reply.url, what);
  }
}

/** Where the CA put what was made. */
export function locationOf(reply: Reply): string {
  const { location } = reply.headers;
  const url = location === undefined || !URL.canParse(location, reply.url) ? "" : new URL(location, reply.url).href;
  if (!isSafeUrl(url) || url.length > 500) throw nonsense(reply.url, "a location");
  return url;
}

function clientOf(step: AcmeStep, connection: Connection, known: Directory, key: AccountKey, nonces: string[]): Client {
  const keepNonce = (reply: Reply) => {
    const nonce = reply.headers["replay-nonce"];
    if (typeof nonce === "string" && /^[\w-]+$/.test(nonce)) nonces.push(nonce);
    return reply;
  };
  const nonce = async () => {
    if (nonces.length === 0) keepNonce(await connection.send({ method: "HEAD", url: known.newNonce }));
    const one = nonces.pop();
    if (one === undefined) throw nonsense(known.newNonce, "a nonce");
    return one;
  };
  const client: Client = {
    ...readerOf(connection, known),
    key,
    async post(url, payload, kid) {
      for (let attempt = 0; attempt < nonceAttempts; attempt++) {
        const header = { nonce: await nonce(), url, ...(kid === undefined ? { jwk: key.jwk } : { kid }) };
        const body = await key.sign(header, payload);
        // The newest nonce is the one that the CA has least forgotten: those from before a badNonce are not tried.
        const ask = { method: "POST", url, body, headers: { "content-type": "application/jose+json" } } as const;
        const reply = await connection.send(ask);
        const bad = problemOf(reply)?.type === "badNonce";
        if (bad) nonces.length = 0;
        keepNonce(reply);
        if (!bad) return reply;
      }
      const message = `${new URL(url).host} called ${nonceAttempts} nonces bad, one after the other; it is asked again.`;
      throw new PinionError("TARGET_UNREACHABLE", message, { class: "transient" });
    },
    async demand(url, payload, doing, kid) {
      const reply = await client.post(url, payload, kid);
      if (problemOf(reply)) throw refusal(reply, doing, step.ports.now());
      return reply;
    },
    signedBy: (other) => clientOf(step, connection, known, other, nonces),
  };
  return client;
}
