import type { JsonWebKey } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage } from "node:http";
import { createAuthority } from "./authority.ts";
import { isRefused, open } from "./jws.ts";
import { changeKey } from "./key-change.ts";
import { newId } from "./orders.ts";
import type { CaOrder } from "./orders.ts";
import * as resources from "./resources.ts";
import { document, problem } from "./state.ts";
import type { Answer, CaAccount, Manners, Resource, State } from "./state.ts";

/** A running stand-in, and what a test may ask of it. */
export interface StandIn {
  readonly directory: string;
  readonly manners: Manners;
  /** PEM. */
  readonly root: string;
  readonly orders: readonly CaOrder[];
  readonly accounts: ReadonlyMap<string, CaAccount>;
  /** Requests that passed every check, with their payload. */
  readonly seen: readonly { readonly resource: Resource; readonly payload: unknown }[];
  /** An account that this key has had for long; its URL. */
  adopt(jwk: JsonWebKey): string;
  close(): void;
}

/**
 * A certificate authority for what pebble lacks: renewal information, profiles, limits, and every way to be refused. It checks
 * signatures, nonces, URLs and content types, and looks for challenge values by `lookup`.
 */
export async function startCa(lookup: State["lookup"]): Promise<StandIn> {
  const state: State = {
    base: "",
    authority: await createAuthority(),
    manners: { failing: new Map(), instead: new Map() },
    accounts: new Map(),
    orders: [],
    replaced: new Set(),
    revoked: new Set(),
    nonces: new Set(),
    lookup,
  };
  const seen: { resource: Resource; payload: unknown }[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const [status, body, headers] = await answer(state, seen, request);
      if (body === "cut") {
        request.socket.destroy();
        return;
      }
      const nonce = newId();
      state.nonces.add(nonce);
      response.writeHead(status, { "replay-nonce": nonce, ...headers });
      response.end(typeof body === "string" ? body : JSON.stringify(body));
    })();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  state.base = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  const { manners, authority, orders, accounts } = state;
  return {
    directory: `${state.base}/directory`,
    manners,
    root: authority.root,
    orders,
    accounts,
    seen,
    adopt(jwk) {
      const kid = `${state.base}/account/${newId()}`;
      accounts.set(kid, { jwk, contact: [] });
      return kid;
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function answer(state: State, seen: StandIn["seen"] & unknown[], request: IncomingMessage): Promise<Answer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  const [, path = "", id = ""] = request.url!.split("/");
  const resource = path as Resource;
  const early = state.manners.instead.get(resource)?.shift();
  if (early) return [early.status, typeof early.body === "string" ? early.body : document(early.body), early.headers];
  if (resource === "directory") return resources.directory(state);
  if (resource === "newNonce") return [200, ""];
  if (resource === "ari") return resources.renewal(state, id);
  if (request.method !== "POST") return problem(405, "malformed", "only POST");

  const signed = open(Buffer.concat(parts).toString(), {
    url: `${state.base}${request.url}`,
    contentType: request.headers["content-type"],
    useNonce: (nonce) => state.nonces.delete(nonce),
    keyOf: (kid) => state.accounts.get(kid)?.jwk,
  });
  if (isRefused(signed)) return problem(400, ...signed.refused);
  const payload = signed.payload as Record<string, unknown>;
  seen.push({ resource, payload });
  if (resource === "newAccount") return resources.account(state, signed.jwk!, payload);
  const kid = signed.kid!;
  if (resource === "newOrder") return resources.order(state, kid, payload);
  if (resource === "account") return resources.contacts(state, kid, payload);
  if (resource === "revoke") return resources.revoke(state, payload);
  if (resource === "keyChange") return changeKey(state, signed.kid, payload);

  const mine = state.orders.filter((one) => one.kid === kid);
  if (resource === "orders") return [200, { orders: mine.map((one) => `${state.base}/order/${one.id}`) }];
  const order = mine.find((one) => one.id === id);
  if (order && resource === "order") return resources.look(state, order);
  if (order && resource === "finalize") return await resources.finalize(state, order, String(payload.csr));
  if (order && resource === "cert") return [200, order.pem];
  const authorization = mine.flatMap(({ authorizations }) => authorizations).find((one) => one.id === id);
  if (authorization && resource === "authz") return resources.authorization(state, authorization);
  if (authorization && resource === "challenge") {
    return resources.challenge(state, authorization, { jwk: state.accounts.get(kid)!.jwk, payload });
  }
  return problem(404, "malformed", `no such ${resource}`);
}
