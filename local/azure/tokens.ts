import { createHash, createPublicKey, generateKeyPairSync, hash, randomUUID } from "node:crypto";
import { join } from "node:path";
import { SignJWT, errors, exportJWK, importPKCS8, jwtVerify } from "jose";
import type { Clock } from "../clock.ts";
import type { Handler } from "./http.ts";
import { readOrMake } from "./store.ts";

/** Who a token is for and what it opens. */
export interface TokenRequest {
  /** The resource, as `https://vault.azure.net`; echoed as `aud`. */
  readonly audience: string;
  /** The service principal's or user's object id (`oid`, `sub`). */
  readonly objectId: string;
  /** The application's client id (`appid`). */
  readonly appId: string;
  readonly roles?: readonly string[];
  /** Default: a day, as managed identities get. */
  readonly lifetimeSeconds?: number;
}

/** What a valid token says. */
export interface TokenClaims {
  readonly audience: string;
  readonly objectId: string;
  readonly appId: string;
  readonly roles: readonly string[];
  /** Seconds since 1970. */
  readonly expiresOn: number;
}

/** Why a token was refused. */
export type TokenFault = "missing" | "malformed" | "expired" | "audience";

/** Outcome of a check; `found` is the token's own audience where that is what is wrong. */
export type Verified = TokenClaims | { readonly fault: TokenFault; readonly found?: string };

/** The stand-in for Microsoft Entra's token issuer. */
export interface Tokens {
  readonly issuer: string;
  readonly tenantId: string;
  /** `expiresOn` and `issuedAt` in seconds since 1970. */
  readonly issue: (request: TokenRequest) => Promise<{ token: string; expiresOn: number; issuedAt: number }>;
  /**
   * Checks signature, times (by the cloud's clock) and audience (any of those given; a trailing slash makes no difference).
   * Answers at once for a token that was checked before.
   */
  readonly verify: (token: string, audience: string | readonly string[]) => Verified | Promise<Verified>;
  /** Like `verify`, for the value of an Authorization header. */
  readonly verifyHeader: (header: string | undefined, audience: string | readonly string[]) => Promise<Verified>;
  /** `/{tenant}/[v2.0/].well-known/openid-configuration` and `/{tenant}/discovery/keys`. */
  readonly handler: Handler;
}

/** Options of `createTokens`. */
export interface TokensOptions {
  /** Where the signing key is kept: every process given the same folder verifies every other's tokens. */
  readonly stateDir: string;
  readonly clock: Clock;
  readonly tenantId: string;
  /** Default `https://sts.windows.net/{tenantId}/`, as in Azure's own v1.0 tokens. */
  readonly issuer?: string;
}

const day = 86_400;
/** Seconds that clocks may differ. */
const leeway = 300;
const maxKnown = 1000;

/** A token whose signature is good. */
interface Known {
  readonly claims: TokenClaims;
  /** Seconds since 1970. */
  readonly notBefore: number;
}

/** Issues and checks RS256 tokens. The key is made on first use and stays. */
export function createTokens(options: TokensOptions): Tokens {
  const { clock, tenantId, issuer = `https://sts.windows.net/${tenantId}/` } = options;
  const pem = readOrMake(join(options.stateDir, "token-key.pem"), makeKey);
  const publicKey = createPublicKey(pem);
  const kid = createHash("sha256")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest("base64url");
  const privateKey = importPKCS8(pem, "RS256");

  /** By hash of the token: a signature is checked once. */
  const known = new Map<string, Known>();
  /** The token met last with its hash, since most come again at once. */
  let last = { token: "", digest: "" };
  const digestOf = (token: string) => {
    if (token !== last.token) last = { token, digest: hash("sha256", token, "base64") };
    return last.digest;
  };
  const recall = (token: string): Known | undefined => {
    const found = known.get(digestOf(token));
    const now = clock.now() / 1000;
    return found && found.notBefore <= now + leeway && found.claims.expiresOn > now - leeway ? found : undefined;
  };
  const check = async (token: string): Promise<Known> => {
    const { payload } = await jwtVerify(token, publicKey, {
      issuer,
      algorithms: ["RS256"],
      currentDate: new Date(clock.now()),
      clockTolerance: leeway,
    });
    const claims = {
      audience: String(payload.aud),
      objectId: String(payload["oid"]),
      appId: String(payload["appid"]),
      roles: (payload["roles"] ?? []) as string[],
      expiresOn: payload.exp ?? 0,
    };
    const fresh = { claims, notBefore: payload.nbf ?? 0 };
    if (known.size >= maxKnown) known.clear();
    known.set(digestOf(token), fresh);
    return fresh;
  };

  const verify: Tokens["verify"] = (token, audience) => {
    const judge = ({ claims }: Known): Verified => {
      const expected = typeof audience === "string" ? [audience] : audience;
      const meant = expected.some((one) => one === claims.audience || sameResource(one, claims.audience));
      return meant ? claims : { fault: "audience", found: claims.audience };
    };
    const found = recall(token);
    if (found) return judge(found);
    return check(token).then(judge, (error: unknown) => ({
      fault: error instanceof errors.JWTExpired ? "expired" : "malformed",
    }));
  };

  return {
    issuer,
    tenantId,
    verify,
    async issue({ audience, objectId, appId, roles, lifetimeSeconds = day }) {
      const now = Math.floor(clock.now() / 1000);
      const expiresOn = now + lifetimeSeconds;
      const claims = {
        oid: objectId,
        appid: appId,
        tid: tenantId,
        idtyp: "app",
        ver: "1.0",
        ...(roles ? { roles } : {}),
      };
      const token = await new SignJWT(claims)
        .setProtectedHeader({ typ: "JWT", alg: "RS256", kid })
        .setAudience(audience)
        .setIssuer(issuer)
        .setSubject(objectId)
        .setJti(randomUUID())
        .setIssuedAt(now)
        .setNotBefore(now)
        .setExpirationTime(expiresOn)
        .sign(await privateKey);
      return { token, expiresOn, issuedAt: now };
    },
    async verifyHeader(header, audience) {
      const token = /^Bearer (.+)$/i.exec(header ?? "")?.[1];
      return token === undefined ? { fault: "missing" } : verify(token, audience);
    },
    handler({ method, url, headers }) {
      const path = /^\/([^/]+)\/(?:v2\.0\/)?(\.well-known\/openid-configuration|discovery(?:\/v2\.0)?\/keys)$/.exec(
        url.pathname,
      );
      if (method !== "GET" || path?.[1] !== tenantId) return undefined;
      const base = `https://${headers.host ?? url.host}/${tenantId}`;
      if (path[2] === ".well-known/openid-configuration") {
        const folder = url.pathname.includes("/v2.0/") ? "oauth2/v2.0" : "oauth2";
        const body = metadata(base, issuer, folder);
        return { operation: "openid.metadata", run: () => ({ status: 200, body }) };
      }
      return {
        operation: "openid.keys",
        run: async () => ({
          status: 200,
          body: { keys: [{ ...(await exportJWK(publicKey)), use: "sig", alg: "RS256", kid }] },
        }),
      };
    },
  };
}

function makeKey(): string {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return privateKey.export({ type: "pkcs8", format: "pem" }) as string;
}

function sameResource(a: string, b: string): boolean {
  return a.replace(/\/+$/, "").toLowerCase() === b.replace(/\/+$/, "").toLowerCase();
}

function metadata(base: string, issuer: string, folder: string): Record<string, unknown> {
  return {
    issuer,
    token_endpoint: `${base}/${folder}/token`,
    authorization_endpoint: `${base}/${folder}/authorize`,
    jwks_uri: `${base}/discovery/keys`,
    response_types_supported: ["code", "id_token"],
    subject_types_supported: ["pairwise"],
    id_token_signing_alg_values_supported: ["RS256"],
  };
}
