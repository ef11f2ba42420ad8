import type { JsonWebKey } from "node:crypto";
import { isRefused, openInner } from "./jws.ts";
import { printOf } from "./resources.ts";
import { problem } from "./state.ts";
import type { Answer, State } from "./state.ts";

/**
 * RFC 8555 section 7.3.5. The outer JWS was checked already, by the account's key; `inner` is its payload. The inner one must be signed by
 * the new key, and name the account and the key that it has.
 */
export function changeKey({ base, accounts }: State, kid: string | undefined, inner: unknown): Answer {
  if (kid === undefined) return problem(400, "malformed", "the outer JWS has no kid");
  const opened = openInner(inner, `${base}/keyChange`);
  if (isRefused(opened)) return problem(400, ...opened.refused);
  const account = accounts.get(kid)!;
  const { account: named, oldKey } = opened.payload as { account?: string; oldKey?: JsonWebKey };
  if (named !== kid) return problem(400, "malformed", "the inner JWS names another account");
  if (oldKey === undefined || printOf(oldKey) !== printOf(account.jwk)) {
    return problem(400, "malformed", "oldKey is not the account's key");
  }
  const [holder] = [...accounts].find(([, { jwk }]) => printOf(jwk) === printOf(opened.jwk)) ?? [];
  if (holder !== undefined) {
    const [status, body] = problem(409, "malformed", "an account has this key");
    return [status, body, { location: holder }];
  }
  account.jwk = opened.jwk;
  return [200, {}];
}
