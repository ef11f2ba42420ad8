import { randomBytes } from "node:crypto";
import { openAuthority } from "../../rotators/shared/private-ca/authority.ts";
import { signRequest } from "../../rotators/shared/private-ca/sign.ts";
import { privateCaTarget } from "../../rotators/shared/private-ca/target.ts";
import type { CertificateWish } from "../../src/rotator.ts";
import { keyPair, memoryKeys } from "./keys.ts";
import type { KeyWish } from "./keys.ts";
import { makeAuthority, makeRequest } from "./openssl.ts";
import type { Made } from "./openssl.ts";

export const serverAuth = "1.3.6.1.5.5.7.3.1";
export const clientAuth = "1.3.6.1.5.5.7.3.2";
export const day = 86_400_000;

export const p256: KeyWish = { type: "EC", curve: "P-256" };
export const p384: KeyWish = { type: "EC", curve: "P-384" };
export const p521: KeyWish = { type: "EC", curve: "P-521" };
export const rsa2048: KeyWish = { type: "RSA", size: 2048 };
export const rsa3072: KeyWish = { type: "RSA", size: 3072 };
export const rsa4096: KeyWish = { type: "RSA", size: 4096 };

/** OpenSSL makes certificates from now on, so the tests live in the present. */
export const now = Math.floor(Date.now() / 1000) * 1000 + 60_000;

export const wish = (more: Partial<CertificateWish> = {}): CertificateWish => ({
  subject: "CN=www.contoso.com, O=Contoso",
  names: ["www.contoso.com", "*.api.contoso.com"],
  rotateBefore: 30 * 86_400_000,
  validity: 90 * day,
  key: p256,
  exportable: false,
  usages: [serverAuth],
  roots: "system",
  revocation: "ignore",
  ...more,
});

interface Setting {
  readonly key?: KeyWish;
  /** Lines of an OpenSSL configuration for the signing authority. */
  readonly extensions?: readonly string[];
  readonly rootExtensions?: readonly string[];
  readonly days?: number;
  /** The signing authority is the root itself. */
  readonly flat?: boolean;
  readonly target?: Readonly<Record<string, unknown>>;
}

/** A root, an authority under it whose key is in a vault, and a target for them. */
export function makeScene({
  key = p256,
  extensions = [],
  rootExtensions = [],
  days = 1000,
  flat = false,
  target = {},
}: Setting = {}) {
  const keys = memoryKeys();
  const signing = keyPair(key, 1).privateKey;
  const root = makeAuthority(keyPair(p384, 2).privateKey, "/O=Contoso/CN=Root", { extensions: rootExtensions });
  const ca: Made = flat
    ? makeAuthority(signing, "/O=Contoso/CN=Flat", { days, extensions })
    : makeAuthority(signing, "/O=Contoso/CN=Issuing", { days, extensions, by: root });
  const url = keys.add("issuing", { privateKey: signing });
  const asked = {
    ca: { key: url, certificate: ca.pem, chain: flat ? [] : [root.pem] },
    maxValidity: "P398D",
    nameConstraints: { permitted: ["contoso.com"] },
    ...target,
  };
  const parsed = privateCaTarget.parse(asked);
  const trust = flat ? { root: ca.pem } : { root: root.pem, chain: [ca.pem] };
  return {
    keys,
    url,
    root,
    ca,
    target: parsed,
    trust,
    open: async (at = now) => await openAuthority(parsed, keys.port, at),
    /** Signs a fresh request for a wish. */
    async sign(wanted = wish(), { csr, at = now }: { csr?: Uint8Array; at?: number } = {}) {
      const authority = await openAuthority(parsed, keys.port, at);
      const request = csr ?? makeRequest(keyPair(wanted.key).privateKey);
      const serial = randomBytes(20).map((byte, index) => (index === 0 ? 0x40 | (byte & 0x3f) : byte));
      return await signRequest(request, { ca: authority, target: parsed, wanted, now: at, serial });
    },
  };
}
