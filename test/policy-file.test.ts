import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parsePolicy, parsePolicyText } from "../src/policy-file.ts";
import { describeFaults, type PolicyFault } from "../src/policy-faults.ts";
import { findRotator } from "../rotators/index.ts";
import { facts, file, object, siteId, vaultId } from "./policy-sample.ts";

const faultsOf = (...objects: unknown[]): readonly PolicyFault[] => parsePolicy(file(objects), facts).faults;
const window = { cron: "0 2 * * 2-4", duration: "PT3H", timeZone: "Europe/Berlin" };
const long = "x".repeat(81);

test("a sound policy has its defaults filled in, durations in milliseconds, and no fault", () => {
  const { policy, faults } = parsePolicy(file([object("a"), object("b", { mode: "rotate", window })]), facts);
  expect(faults).toEqual([]);
  expect(policy).toMatchObject({ mode: "observe", limits: { concurrent: 5, perDay: 50, breaker: { failures: 3 } } });
  expect(policy?.objects.map(({ id, mode }) => [id, mode])).toEqual([
    ["a", "observe"],
    ["b", "rotate"],
  ]);
  expect(policy?.objects[0]).toMatchObject({
    validity: 90 * 86_400_000,
    rotateBefore: 30 * 86_400_000,
    grace: 86_400_000,
    suspend: { watch: 600_000, idleFor: 300_000 },
    revoke: { maxHold: 7 * 86_400_000 },
    retry: { backoff: 3_600_000, maxBackoff: 86_400_000, attempts: 5 },
    validate: { successes: 1, over: 0 },
    consumers: [{ lag: 300_000, owner: "pinion" }],
    pairedWith: [],
    acceptGap: false,
    tags: {},
  });
  expect(policy?.objects[1]?.window).toEqual({ ...window, duration: 10_800_000 });
  expect(JSON.parse(JSON.stringify(policy))).toEqual(policy);
});

test("a vault's address may end in a slash and may be on this machine", () => {
  const vaults = {
    a: { uri: "https://KV-orders.vault.azure.net/", resourceId: vaultId("kv-Orders"), staging: "b" },
    b: { uri: "https://127.0.0.1:8443", resourceId: vaultId("kv-b") },
  };
  const { policy, faults } = parsePolicy(file([], { vaults }), facts);
  expect(faults).toEqual([]);
  expect([policy?.vaults.a?.uri, policy?.vaults.b?.uri]).toEqual([
    "https://kv-orders.vault.azure.net",
    "https://127.0.0.1:8443",
  ]);
});

describe("trust zones: an identity for each vault", () => {
  const [A, B] = ["AAAAAAAA-0000-4000-8000-000000000001", "bbbbbbbb-0000-4000-8000-000000000001"];
  const kv = (name: string, more: object = {}) => ({
    uri: `https://kv-${name}.vault.azure.net`,
    resourceId: vaultId(`kv-${name}`),
    ...more,
  });
  const faultsOf = (vaults: object) =>
    parsePolicy(file([], { vaults }), facts).faults.map(({ path, message }) => `${path} ${message}`);

  test("a client id, in one case of letters", () => {
    const { policy } = parsePolicy(file([], { vaults: { a: kv("a", { identity: A }), b: kv("b") } }), facts);
    expect([policy?.vaults.a?.identity, policy?.vaults.b?.identity]).toEqual([A.toLowerCase(), undefined]);
    expect(faultsOf({ a: kv("a", { identity: "id-pinion-orders" }) })).toEqual([
      expect.stringContaining("vaults.a.identity"),
    ]);
  });

  test("its staging vault names the same one, or none; nobody of another zone stages there", () => {
    const staged = (identity?: string) => kv("a", { staging: "s", ...(identity && { identity }) });
    for (const s of [kv("s"), kv("s", { identity: A })]) expect(faultsOf({ a: staged(A), s })).toEqual([]);
    expect(faultsOf({ a: staged(A), b: { ...kv("b"), identity: A, staging: "s" }, s: kv("s") })).toEqual([]);
    const shared = (other: string) => `is shared with ${other}, which has another identity`;
    expect(faultsOf({ a: staged(A), s: kv("s", { identity: B }) })).toEqual([`vaults.a.staging ${shared("s")}`]);
    expect(faultsOf({ a: staged(), s: kv("s", { identity: B }) })).toEqual([`vaults.a.staging ${shared("s")}`]);
    expect(faultsOf({ a: staged(A), b: kv("b", { staging: "s" }), s: kv("s") })).toEqual([
      `vaults.a.staging ${shared("b")}`,
      `vaults.b.staging ${shared("a")}`,
    ]);
  });
});

// [what is changed, where the fault is, what it says is there, what it expected]
describe("a fault at the top stops all", () => {
  const kv = { uri: "https://kv-orders.vault.azure.net", resourceId: vaultId("kv-orders") };
  test.each<readonly [unknown, string, string | RegExp, string | RegExp]>([
    [[], "", "is a list", "an object"],
    [file([], { version: 2 }), "version", "is 2", "1"],
    [file([], { mode: "on" }), "mode", `is "on"`, `one of "observe", "rotate"`],
    [file([], { extra: 1 }), "extra", "is not known here", "one of $schema, version, mode, vaults, limits, objects"],
    [file({}), "objects", "is an object", "a list"],
    [file([], { limits: { concurrent: 0 } }), "limits.concurrent", "is 0", "a whole number of at least 1"],
    [
      file([], { limits: { breaker: { failures: -1 } } }),
      "limits.breaker.failures",
      "is -1",
      "a whole number of at least 1",
    ],
    [file([], { vaults: [] }), "vaults", "is a list", "an object"],
    [file([], { vaults: { "My Vault": kv } }), `vaults["My Vault"]`, "is not an allowed name", /lower-case/],
    [file([], { vaults: { [long]: kv } }), `vaults[a name of 81 characters]`, "is not an allowed name", /lower-case/],
    [
      file([], { vaults: { a: { ...kv, uri: "http://kv-orders.vault.azure.net" } } }),
      "vaults.a.uri",
      `is "http://kv-orders.vault.azure.net"`,
      /^https:/,
    ],
    [
      file([], { vaults: { a: { ...kv, uri: `${kv.uri}/secrets` } } }),
      "vaults.a.uri",
      `is "${kv.uri}/secrets"`,
      /without a path/,
    ],
    [
      file([], { vaults: { a: { ...kv, uri: "https://me:hunter2@kv" } } }),
      "vaults.a.uri",
      "is a text of 21 characters",
      /user name/,
    ],
    [
      file([], { vaults: { a: { ...kv, resourceId: siteId("kv-orders") } } }),
      "vaults.a.resourceId",
      /is a text of \d+ characters/,
      /Microsoft.KeyVault\/vaults/,
    ],
    [
      file([], { vaults: { a: { ...kv, resourceId: vaultId("kv-other") } } }),
      "vaults.a.resourceId",
      "names another vault than uri (kv-orders)",
      "the resource id of that vault",
    ],
    [
      file([], { vaults: { a: { ...kv, staging: "b" } } }),
      "vaults.a.staging",
      `is "b"`,
      "the name of another vault declared in vaults",
    ],
    [
      file([], { vaults: { a: { ...kv, staging: "a" } } }),
      "vaults.a.staging",
      `is "a"`,
      "the name of another vault declared in vaults",
    ],
  ])("%j -> %s", (json, path, message, expected) => {
    const { policy, faults } = parsePolicy(json, facts);
    expect(policy).toBeUndefined();
    expect(faults[0]).toEqual({
      path,
      message: typeof message === "string" ? message : expect.stringMatching(message),
      expected: typeof expected === "string" ? expected : expect.stringMatching(expected),
    });
  });

  test("one vault under two names", () => {
    const { policy, faults } = parsePolicy(file([], { vaults: { a: kv, b: { ...kv, uri: `${kv.uri}/` } } }), facts);
    expect(policy).toBeUndefined();
    expect(faults.map(({ path, message }) => `${path} ${message}`)).toEqual([
      "vaults.a.uri is the same as that of b",
      "vaults.b.uri is the same as that of a",
    ]);
  });

  test("the objects' faults are reported beside it", () => {
    const { policy, faults } = parsePolicy(file([object("a", { grace: 1 })], { version: 0 }), facts);
    expect(policy).toBeUndefined();
    expect(faults.map(({ path }) => path)).toEqual(["version", "objects[0].grace"]);
  });

  test("text that is not JSON is one fault, which shows nothing of it", () => {
    for (const text of ["", "{", `{"a":"hunter2", }`, "hunter2"]) {
      const { policy, faults } = parsePolicyText(text, facts);
      expect(policy).toBeUndefined();
      expect(faults).toHaveLength(1);
      expect(faults[0]).toMatchObject({ path: "", message: expect.stringMatching(/^is not JSON/) });
      expect(JSON.stringify(faults)).not.toContain("hunter");
    }
    const shifted = JSON.stringify(file([]), null, 2).replace("\n}", ",\r\n}");
    for (const [text, line, column] of [
      ["", 1, 1],
      ["{", 1, 2],
      [`{"a":"hunter2", }`, 1, 17],
      ["hunter2", 1, 1],
      [`\uFEFF// hunter2\n{}`, 1, 1],
      [shifted, shifted.split("\n").length, 1],
      ['{\r\n  "a": 1,\r\n  "b": hunter2\r\n}', 3, 8],
      ['{"a": {}}\n<<<<<<< hunter2', 2, 1],
    ] as const)
      expect(parsePolicyText(text, facts).faults[0]?.message).toBe(`is not JSON (line ${line} column ${column})`);
    expect(parsePolicyText(`\uFEFF${JSON.stringify(file([]))}`, facts).faults).toEqual([]);
  });
});

test("of 400 objects 3 are broken: 397 run, and the 3 are named", () => {
  const objects = Array.from({ length: 400 }, (_, at) =>
    object(`o${at}`, [7, 200, 399].includes(at) ? { grace: "P1Y" } : { window }),
  );
  const { policy, faults } = parsePolicy(file(objects), facts);
  expect(policy?.objects).toHaveLength(397);
  expect(faults.map(({ path, object }) => `${path} ${object}`)).toEqual([
    "objects[7].grace o7",
    "objects[200].grace o200",
    "objects[399].grace o399",
  ]);
});

test("faults as text: one line each, the whole file when there is no place", () => {
  const text = describeFaults(faultsOf(object("a", { grace: "PT1S", mode: "x" }), 3));
  expect(text.split("\n")).toEqual([
    "The policy has 3 faults:",
    `- objects[0].mode (a) is "x"; expected one of "observe", "rotate".`,
    "- objects[0].grace (a) is PT1S; the consumer a-api may use the old value for PT5M; expected at least PT5M.",
    "- objects[1] is 3; expected an object.",
  ]);
  expect(describeFaults(parsePolicyText("x", facts).faults)).toMatch(
    /^The policy has 1 fault:\n- the file is not JSON/,
  );
});

test("the sample policy parses clean with the real rotators' schemas, and observes only", () => {
  const text = readFileSync(new URL("../rotations.json", import.meta.url), "utf8");
  const { policy, faults } = parsePolicyText(text, {
    targetSchema: (kind, strategy) => findRotator(kind, strategy).target,
    account: (kind, strategy, target) => findRotator(kind, strategy).accounts(target),
    manages: (kind, strategy) => findRotator(kind, strategy).manages ?? "secret",
  });
  expect(faults).toEqual([]);
  expect(policy?.objects.map(({ kind, mode }) => `${kind} ${mode}`)).toEqual([
    "secret observe",
    "secret observe",
    "certificate observe",
    "key observe",
  ]);
});
