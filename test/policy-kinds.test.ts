import { describe, expect, test } from "vitest";
import { findRotator, rotators } from "../rotators/index.ts";
import { rotatorFacts } from "../src/compose.ts";
import { parsePolicy } from "../src/policy-file.ts";
import { consumer, file, siteId } from "./policy-sample.ts";

// What a kind of object needs, and what only another kind has: each fault with its place, what is wrong, and what was expected.

const facts = rotatorFacts({ rotators, find: findRotator });
type Json = Record<string, unknown>;

const arm = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers";
const holder = (changes: Json = {}) => ({
  kind: "storage-account",
  id: "orders",
  resourceId: `${arm}/Microsoft.Storage/storageAccounts/orders`,
  reads: "pinned",
  lag: "PT0S",
  ...changes,
});
const webhook = (changes: Json = {}) => ({
  kind: "webhook",
  id: "edge",
  url: "https://edge.contoso.com/pinion",
  key: "https://kv-orders.vault.azure.net/secrets/edge",
  reads: "pinned",
  lag: "PT1M",
  ...changes,
});
const postgres = {
  kind: "postgres",
  strategy: "alternating",
  target: {
    host: "db.contoso.com",
    database: "orders",
    roles: ["orders_a", "orders_b"],
    admin: { user: "admin", secret: "https://kv-orders.vault.azure.net/secrets/admin" },
  },
};
const selfSigned = { kind: "certificate-self-signed", strategy: "dual", target: {} };
const signer = {
  kind: "jwt-signing-key",
  strategy: "dual",
  target: { algorithm: "ES256", url: "https://app.contoso.com/jwks", cacheSeconds: 3600, longestTokenLife: "PT12H" },
};
const names = ["www.contoso.com"];

/** A sound object of each kind, to be broken in one place. */
const sound: Readonly<Record<"secret" | "certificate" | "key", Json>> = {
  secret: {
    kind: "secret",
    rotator: postgres,
    format: { type: "url" },
    consumers: [consumer("api", { resourceId: siteId("api") })],
  },
  certificate: { kind: "certificate", rotator: selfSigned, certificate: { names }, consumers: [webhook()] },
  key: { kind: "key", rotator: { kind: "key", strategy: "dual", target: {} }, consumers: [holder()] },
};
const faultsOf = (kind: keyof typeof sound, changes: Json) => {
  const object = { id: "it", vault: "orders", name: "it", validity: "P90D", ...sound[kind], ...changes };
  // What is undefined is not in a file.
  const read = JSON.parse(JSON.stringify(file([object]))) as unknown;
  return parsePolicy(read, facts).faults.map(({ path, message, expected }) => [path, message, expected]);
};

test.each(Object.keys(sound) as (keyof typeof sound)[])("a sound %s has no fault", (kind) => {
  expect(faultsOf(kind, {})).toEqual([]);
});

type Case = readonly [keyof typeof sound, string, Json, string, string, string];

const cases: readonly Case[] = [
  [
    "certificate",
    "without its part",
    { certificate: undefined },
    "certificate",
    "is missing, but the object is a certificate",
    "at least {names: [...]}",
  ],
  [
    "secret",
    "with a certificate's part",
    { certificate: { names } },
    "certificate",
    "is there, but the object is a secret",
    "no such part",
  ],
  [
    "key",
    "with a certificate's part",
    { certificate: { names } },
    "certificate",
    "is there, but the object is a key",
    "no such part",
  ],
  [
    "key",
    "with a format",
    { format: { type: "json", username: "u", password: "p" } },
    "format",
    "is json, but nothing is written into a key",
    "no format",
  ],
  [
    "certificate",
    "with a format",
    { format: { type: "url" } },
    "format",
    "is url, but nothing is written into a certificate",
    "no format",
  ],
  [
    "secret",
    "that disables old versions",
    { disableOld: true },
    "disableOld",
    "is true, but the object is a secret",
    "false, or a key",
  ],
  [
    "certificate",
    "that disables old versions",
    { disableOld: true },
    "disableOld",
    "is true, but the object is a certificate",
    "false, or a key",
  ],
  [
    "key",
    "with endpoints",
    { endpoints: [{ host: "www.contoso.com" }] },
    "endpoints",
    "are there, but the object is a key",
    "none, or a certificate",
  ],
  [
    "secret",
    "with endpoints",
    { endpoints: [{ host: "www.contoso.com" }] },
    "endpoints",
    "are there, but the object is a secret",
    "none, or a certificate",
  ],
  [
    "key",
    "whose reader follows the newest",
    { consumers: [webhook(), holder({ reads: "latest" })] },
    "consumers[1].reads",
    "is latest, but the vault itself makes the newest version, which cannot be turned back",
    'pinned, or the object\'s rollback set to "reissue"',
  ],
  [
    "certificate",
    "made in the vault, whose reader follows the newest",
    { certificate: { names, exportable: false }, consumers: [webhook({ reads: "latest" })] },
    "consumers[0].reads",
    "is latest, but the vault itself makes the newest version, which cannot be turned back",
    'pinned, or the object\'s rollback set to "reissue"',
  ],
  [
    "key",
    "read by a site",
    { consumers: [consumer("api", { resourceId: siteId("api") })] },
    "consumers[0].kind",
    'is "app-service", which cannot read a key',
    "a kind of consumer that reads a key",
  ],
  [
    "secret",
    "that encrypts a storage account",
    { consumers: [holder()] },
    "consumers[0].kind",
    'is "storage-account", which cannot read a secret',
    "a kind of consumer that reads a secret",
  ],
  [
    "certificate",
    "that encrypts a storage account",
    { consumers: [holder()] },
    "consumers[0].kind",
    'is "storage-account", which cannot read a certificate',
    "a kind of consumer that reads a certificate",
  ],
  [
    "secret",
    "rotated as a certificate",
    { rotator: selfSigned, format: { type: "plain" } },
    "rotator.kind",
    'is "certificate-self-signed", which rotates objects of kind certificate',
    "a rotator for a secret",
  ],
  [
    "certificate",
    "rotated as a secret",
    { rotator: postgres },
    "rotator.kind",
    'is "postgres", which rotates objects of kind secret',
    "a rotator for a certificate",
  ],
  [
    "key",
    "rotated as a secret",
    { rotator: postgres },
    "rotator.kind",
    'is "postgres", which rotates objects of kind secret',
    "a rotator for a key",
  ],
  [
    "key",
    "whose tokens outlive the grace",
    { rotator: signer, grace: "PT6H" },
    "grace",
    "is PT6H; what the former credential gave out lives longer",
    "at least PT12H",
  ],
];

test.each(cases)("a %s %s", (kind, _what, changes, path, message, expected) => {
  const [first] = faultsOf(kind, changes).filter(([at]) => at === `objects[0].${path}`);
  expect(first).toEqual([`objects[0].${path}`, message, expected]);
});

describe("the same is right where it belongs", () => {
  test.each<[string, keyof typeof sound, Json]>([
    ["a certificate with endpoints", "certificate", { endpoints: [{ host: "www.contoso.com" }] }],
    ["a key whose old versions are disabled", "key", { disableOld: true }],
    [
      "a key whose reader follows, with rollback reissue",
      "key",
      { rollback: "reissue", consumers: [holder({ reads: "latest" })] },
    ],
    [
      "a certificate made in the vault, whose reader follows, with rollback reissue",
      "certificate",
      { rollback: "reissue", certificate: { names, exportable: false }, consumers: [webhook({ reads: "latest" })] },
    ],
    [
      "a certificate that is staged, whose reader follows",
      "certificate",
      { consumers: [webhook({ reads: "latest" })] },
    ],
    ["a signer whose grace holds", "key", { rotator: signer, grace: "PT12H", consumers: [] }],
    ["a certificate that lives for days", "certificate", { validity: "P6D", rotateBefore: "P3D", grace: "PT1H" }],
  ])("%s", (_what, kind, changes) => {
    expect(faultsOf(kind, changes)).toEqual([]);
  });
});

test("a signer's grace covers its slowest reader beside its tokens", () => {
  const consumers = [webhook({ lag: "PT2H" })];
  expect(faultsOf("key", { rotator: signer, grace: "PT13H", consumers })).toEqual([
    ["objects[0].grace", "is PT13H; what the former credential gave out lives longer", "at least PT14H"],
  ]);
  expect(faultsOf("key", { rotator: signer, grace: "PT14H", consumers })).toEqual([]);
});

test("all faults of an object are told at once, and the others run", () => {
  const broken = {
    ...sound.key,
    id: "it",
    vault: "orders",
    name: "it",
    validity: "P90D",
    certificate: { names },
    endpoints: [{ host: "a.b" }],
  };
  const fine = { ...sound.certificate, id: "fine", vault: "orders", name: "fine", validity: "P90D" };
  const { policy, faults } = parsePolicy(file([broken, fine]), facts);
  expect(faults.map(({ path }) => path).toSorted()).toEqual(["objects[0].certificate", "objects[0].endpoints"]);
  expect(policy?.objects.map(({ id }) => id)).toEqual(["fine"]);
});

describe("the names of a certificate", () => {
  const label = "a".repeat(63);
  const longest = `${`${label}.`.repeat(3)}${"b".repeat(61)}`;

  test.each(["localhost", "*.contoso.com", "xn--mnchen-3ya.de", "1.contoso.com", "contoso.x1", longest])(
    "%s is one",
    (name) => expect(faultsOf("certificate", { certificate: { names: [name] } })).toEqual([]),
  );

  test.each([
    "192.0.2.1",
    "*.192.0.2.1",
    "2001:db8::1",
    "WWW.contoso.com",
    "www.contoso.com.",
    "münchen.de",
    "www.*.contoso.com",
    "*",
    "a..contoso.com",
    "-a.contoso.com",
    "a b.contoso.com",
    "",
    `${label}a.contoso.com`,
    `${longest}b`,
  ])("%j is none", (name) =>
    expect(faultsOf("certificate", { certificate: { names: ["a.contoso.com", name] } })).toEqual([
      ["objects[0].certificate.names[1]", expect.any(String), expect.stringContaining("a DNS name")],
    ]),
  );

  test("a hundred are, one more are not", () => {
    const many = Array.from({ length: 101 }, (_, index) => `host-${index}.contoso.com`);
    expect(faultsOf("certificate", { certificate: { names: many.slice(1) } })).toEqual([]);
    expect(faultsOf("certificate", { certificate: { names: many } })).toHaveLength(1);
  });
});
