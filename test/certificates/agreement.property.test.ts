import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkCertificate } from "../../src/certificates/check.ts";
import {
  clientAuth,
  day,
  directory,
  dns,
  type Hash,
  keyOf,
  type KeyKind,
  make,
  type Made,
  now,
  serverAuth,
  type Spec,
} from "./make.ts";
import { noOpenssl, opensslReason, opensslVerify } from "./openssl.ts";

const name = "www.contoso.com";
const rarely = <T>(fault: fc.Arbitrary<T>, weight = 1): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 40, arbitrary: fc.constant(undefined) }, { weight, arbitrary: fault });

/** What may be wrong with any one certificate; mostly nothing. */
const common = fc.record({
  key: fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom<KeyKind>("rsa-2048", "P-256", "P-384") },
    { weight: 1, arbitrary: fc.constant<KeyKind>("rsa-1024") },
  ),
  hash: fc.oneof(
    { weight: 24, arbitrary: fc.constantFrom<Hash>("sha256", "sha384") },
    { weight: 1, arbitrary: fc.constantFrom<Hash>("sha1", "md5") },
  ),
  time: rarely(fc.constantFrom("expired", "future")),
  signedByAnother: rarely(fc.constant(true)),
  authorityKeyId: fc.oneof(
    { weight: 9, arbitrary: fc.constant(undefined) },
    { weight: 2, arbitrary: fc.constant("none" as const) },
    { weight: 1, arbitrary: fc.constant("wrong" as const) },
  ),
  unknownCritical: rarely(fc.constant(true)),
});

const authority = fc.record({
  common,
  ca: rarely(fc.constantFrom("false", "absent")),
  pathLength: fc.option(fc.nat({ max: 3 }), { nil: undefined }),
  keyUsage: rarely(fc.constantFrom("none", "wrong")),
  usages: rarely(fc.constantFrom([serverAuth], [serverAuth, clientAuth], [clientAuth], ["2.5.29.37.0"]), 4),
  permitted: rarely(
    fc.constantFrom(
      [dns("contoso.com")],
      [dns(name)],
      [dns(".contoso.com")],
      [dns("fabrikam.com")],
      [dns("so.com")],
      [directory("O=Contoso")],
      [directory("O=Other")],
    ),
    4,
  ),
  excluded: rarely(
    fc.constantFrom(
      [dns("contoso.com")],
      [dns("fabrikam.com")],
      [dns("ww.contoso.com")],
      [directory("O=Other")],
      [directory("O=Contoso,CN=leaf")],
    ),
    3,
  ),
  selfIssued: rarely(fc.constant(true)),
});

const scene = fc.record({
  root: authority,
  rootVersion1: rarely(fc.constant(true)),
  authorities: fc.array(authority, { maxLength: 3 }),
  leaf: common,
  wrongName: rarely(fc.constant(true)),
  leafUsages: fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom([serverAuth], [serverAuth, clientAuth]) },
    { weight: 1, arbitrary: fc.constant([clientAuth]) },
  ),
  missing: rarely(fc.nat({ max: 2 })),
  untrusted: rarely(fc.constant(true)),
  order: fc.constantFrom("straight", "reverse"),
  junk: fc.boolean(),
});

type Common = typeof common extends fc.Arbitrary<infer T> ? T : never;
type Scene = typeof scene extends fc.Arbitrary<infer T> ? T : never;
type Authority = typeof authority extends fc.Arbitrary<infer T> ? T : never;

function specOf(
  { key, hash, time, signedByAnother, authorityKeyId, unknownCritical }: Common,
  n: number,
  by: Made | undefined,
): Partial<Spec> {
  const signer =
    by && signedByAnother ? { ...by, key: keyOf(by.key.asymmetricKeyType === "rsa" ? "rsa-2048" : "P-256", 50) } : by;
  const rsa = (signer?.key ?? keyOf(key, n)).asymmetricKeyType === "rsa";
  return {
    key: keyOf(key, n),
    // There is no ECDSA over MD5.
    hash: hash === "md5" && !rsa ? "sha1" : hash,
    ...(signer === undefined ? {} : { by: signer }),
    ...(time === "expired" ? { until: now - day } : time === "future" ? { from: now + day } : {}),
    ...(authorityKeyId === undefined ? {} : { authorityKeyId }),
    ...(unknownCritical ? { unknownCritical: true } : {}),
  };
}

function authorityOf(a: Authority, n: number, by: Made | undefined): Made {
  const subject = a.selfIssued && by !== undefined ? by.spec.subject : `O=Contoso,CN=CA ${n}`;
  const ku: Spec["keyUsage"] =
    a.keyUsage === "none" ? "none" : a.keyUsage === "wrong" ? ["digitalSignature"] : ["keyCertSign", "cRLSign"];
  return make({
    ...specOf(a.common, n, by),
    subject,
    ca: a.ca === undefined,
    // A root without basic constraints is a matter of taste: openssl takes one with keyCertSign, RFC 5280 does not.
    ...(a.ca === "absent" && by !== undefined ? { noBasic: true } : {}),
    ...(a.pathLength === undefined || a.ca !== undefined ? {} : { pathLength: a.pathLength }),
    keyUsage: ku,
    ...(a.usages === undefined ? {} : { usages: a.usages }),
    ...(a.permitted === undefined ? {} : { permitted: a.permitted }),
    ...(a.excluded === undefined ? {} : { excluded: a.excluded }),
  });
}

/** Two authorities of one name are told apart by the key identifier; without it openssl tries only one of them. */
function unambiguous(s: Scene): Scene {
  if (!s.authorities.some(({ selfIssued }) => selfIssued)) return s;
  const named = (c: Common): Common => (c.authorityKeyId === "none" ? { ...c, authorityKeyId: undefined } : c);
  const authorities = s.authorities.map((a) => ({ ...a, common: named(a.common) }));
  return { ...s, authorities, leaf: named(s.leaf), rootVersion1: undefined };
}

const other = make({ subject: "O=Contoso,CN=CA 0", ca: true, key: keyOf("P-384", 60) });
const junk = make({ subject: "O=Contoso,CN=leaf", key: keyOf("P-256", 61), by: other });

describe.skipIf(noOpenssl)(`the verdict on a chain is openssl's${opensslReason}`, () => {
  test("for generated chains with random faults", async () => {
    const seen = { good: 0, bad: 0 };
    await fc.assert(
      fc.asyncProperty(scene.map(unambiguous), async (s) => {
        const root = s.rootVersion1
          ? make({ ...specOf(s.root.common, 0, undefined), subject: "O=Contoso,CN=CA 0", version: 1 })
          : authorityOf(s.root, 0, undefined);
        const path = [root];
        for (const [n, a] of s.authorities.entries()) path.push(authorityOf(a, n + 1, path.at(-1)));
        const leaf = make({
          ...specOf(s.leaf, 20, path.at(-1)),
          subject: "O=Contoso,CN=leaf",
          names: [s.wrongName ? "www.contoso.org" : name],
          usages: s.leafUsages,
        });
        const chain = path.slice(1).filter((_, n) => n !== s.missing);
        if (s.order === "reverse") chain.reverse();
        if (s.junk) chain.push(junk, root);
        const roots = s.untrusted ? other : root;
        const key = leaf.key.asymmetricKeyDetails!;
        const proofs = await checkCertificate({
          leaf: leaf.der,
          chain: chain.map(({ der }) => der),
          roots: [roots.pem],
          wanted: { names: [name], usages: [serverAuth], key: { type: "RSA", size: 2048 } },
          now,
        });
        const said = proofs.filter(({ name }) => !name.startsWith("its key is of the type"));
        const ok = said.every(({ ok }) => ok);
        const theirs = await opensslVerify({
          leaf: leaf.pem,
          chain: chain.map(({ pem }) => pem).join(""),
          roots: roots.pem,
          name,
          now,
        });
        seen[ok ? "good" : "bad"]++;
        expect(
          { ok, key: key.namedCurve ?? key.modulusLength },
          `${theirs.out}\n${JSON.stringify(said, null, 1)}`,
        ).toMatchObject({ ok: theirs.ok });
      }),
      { numRuns: 400, seed: 20261126 },
    );
    // Neither side may be a rare one, or the agreement says little.
    expect(Math.min(seen.good, seen.bad)).toBeGreaterThan(60);
  }, 180_000);
});
