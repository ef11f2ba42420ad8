import { commonNamesIn } from "./authority.ts";
import { X509Certificate } from "node:crypto";
import type { JsonWebKey } from "node:crypto";
import { certificateId } from "../../../rotators/shared/acme/ari.ts";
import { thumbprint } from "../../../rotators/shared/jwk.ts";
import type { PublicJwk } from "../../../rotators/shared/jwk.ts";
import { newId, newOrder, settle, wantedAnswer, wantedTxt } from "./orders.ts";
import type { CaAuthorization, CaOrder } from "./orders.ts";
import { document, problem } from "./state.ts";
import type { Answer, Manners, State } from "./state.ts";

// What each resource of the CA answers (RFC 8555 section 7, RFC 9773, draft-ietf-acme-profiles).

export const printOf = (jwk: JsonWebKey) => thumbprint(jwk as PublicJwk);

export function directory({ base, manners: { profiles, window, changesKeys } }: State): Answer {
  const paths = {
    newNonce: "newNonce",
    newAccount: "newAccount",
    newOrder: "newOrder",
    revokeCert: "revoke",
    ...(changesKeys === false ? {} : { keyChange: "keyChange" }),
  };
  const urls = Object.fromEntries(Object.entries(paths).map(([name, path]) => [name, `${base}/${path}`]));
  return [200, { ...urls, ...(window ? { renewalInfo: `${base}/ari` } : {}), meta: profiles ? { profiles } : {} }];
}

export function account({ accounts, base }: State, jwk: JsonWebKey, payload: Record<string, unknown>): Answer {
  const known = [...accounts].find(([, one]) => printOf(one.jwk) === printOf(jwk))?.[0];
  if (known !== undefined) return [200, {}, { location: known }];
  if (payload.onlyReturnExisting) return problem(400, "accountDoesNotExist", "no account has this key");
  if (payload.termsOfServiceAgreed !== true) return problem(403, "userActionRequired", "agree to the terms");
  const kid = `${base}/account/${newId()}`;
  accounts.set(kid, { jwk, contact: (payload.contact as string[] | undefined) ?? [] });
  return [201, {}, { location: kid }];
}

export function order(state: State, kid: string, payload: Record<string, unknown>): Answer {
  const { base, manners, orders, replaced } = state;
  const names = (payload.identifiers as { value: string }[]).map(({ value }) => value);
  const { profile, replaces } = payload as { profile?: string; replaces?: string };
  if (profile !== undefined && !manners.profiles?.[profile]) return problem(400, "invalidProfile", "no such profile");
  if (replaces !== undefined && replaced.has(replaces)) return problem(409, "alreadyReplaced", "it is replaced");
  const open = orders.find(
    (one) => one.kid === kid && one.status === "pending" && one.names.join(" ") === names.join(" "),
  );
  if (manners.reusesOrders && open) return [201, shown(state, open), { location: `${base}/order/${open.id}` }];
  if (replaces !== undefined) replaced.add(replaces);
  const made = newOrder(kid, names, { ...(profile ? { profile } : {}), ...(replaces ? { replaces } : {}) });
  orders.push(made);
  return [201, shown(state, made), { location: `${base}/order/${made.id}` }];
}

const shown = ({ base }: State, one: CaOrder) => ({
  status: one.status,
  identifiers: one.names.map((value) => ({ type: "dns", value })),
  authorizations: one.authorizations.map(({ id }) => `${base}/authz/${id}`),
  finalize: `${base}/finalize/${one.id}`,
  ...(one.profile === undefined ? {} : { profile: one.profile }),
  ...(one.error ? { error: document(one.error) } : {}),
  ...(one.status === "valid" ? { certificate: `${base}/cert/${one.id}` } : {}),
});

export function look(state: State, one: CaOrder): Answer {
  const { slow } = state.manners;
  settle(one);
  if (one.status === "processing" && ++one.looks > (slow?.looks ?? 0)) one.status = "valid";
  return [200, shown(state, one), retry(one.status === "processing" ? slow?.retryAfter : undefined)];
}

const retry = (after: string | undefined): Readonly<Record<string, string>> => (after ? { "retry-after": after } : {});

export function authorization({ base, manners }: State, one: CaAuthorization): Answer {
  const { id, name, status, error } = one;
  const challenge = {
    type: typeOf(manners),
    status,
    url: `${base}/challenge/${id}`,
    token: manners.token ?? one.token,
    ...(error ? { error: document(error) } : {}),
  };
  const wildcard = name.startsWith("*.") ? { wildcard: true } : {};
  const identifier = { type: "dns", value: name.replace(/^\*\./, "") };
  return [200, { identifier, status, ...wildcard, challenges: [challenge] }];
}

const typeOf = ({ http }: Manners): string => (http === true ? "http-01" : "dns-01");

export function challenge(
  { base, manners, lookup }: State,
  one: CaAuthorization,
  { jwk, payload }: { readonly jwk: JsonWebKey; readonly payload: unknown },
): Answer {
  const shown = { type: typeOf(manners), url: `${base}/challenge/${one.id}`, token: one.token };
  if (payload === "") return [200, { ...shown, status: one.status }];
  if (one.status !== "pending") return problem(400, "malformed", "the authorization is not pending");
  const [name, value] = (manners.http === true ? wantedAnswer : wantedTxt)(one, printOf(jwk));
  const failing = manners.failing.get(one.name);
  if (failing) one.error = failing;
  else if (!lookup(name).includes(value)) one.error = { type: "unauthorized", detail: `no ${value} at ${name}` };
  one.status = one.error ? "invalid" : "valid";
  return [200, { ...shown, status: "processing" }];
}

export async function finalize(state: State, one: CaOrder, csr: string): Promise<Answer> {
  settle(one);
  if (one.status !== "ready") return problem(403, "orderNotReady", `it is ${one.status}`);
  const request = Buffer.from(csr, "base64url");
  // As Boulder has it: a common name is one more name that is asked for.
  if (!commonNamesIn(request).every((name) => one.names.includes(name)))
    return problem(400, "badCSR", "the request does not name what the order names");
  one.pem = (await state.authority.sign(request, one.names)) + state.authority.root;
  one.status = "processing";
  return [200, shown(state, one), retry(state.manners.slow?.retryAfter)];
}

export function renewal({ manners: { window }, orders }: State, id: string): Answer {
  const known = orders.some(({ pem }) => pem !== undefined && certificateId(new X509Certificate(pem).raw) === id);
  if (!window || !known) return problem(404, "malformed", "no such certificate");
  const { start, end, retryAfter, explanationURL } = window;
  const body = { suggestedWindow: { start, end }, ...(explanationURL ? { explanationURL } : {}) };
  return [200, body, retry(retryAfter)];
}

export function contacts({ base, accounts, manners }: State, kid: string, payload: Record<string, unknown>): Answer {
  const one = accounts.get(kid)!;
  if (Array.isArray(payload.contact)) one.contact = payload.contact as string[];
  return [200, { contact: one.contact, ...(manners.listsOrders ? { orders: `${base}/orders/1` } : {}) }];
}

export function revoke({ revoked }: State, { certificate }: Record<string, unknown>): Answer {
  if (revoked.has(String(certificate))) return problem(400, "alreadyRevoked", "it is");
  revoked.add(String(certificate));
  return [200, ""];
}
