import { describe, expect, test } from "vitest";
import { parsePolicy } from "../src/policy-file.ts";
import type { PolicyFault } from "../src/policy-faults.ts";
import { consumer, facts, file, inPlace, object, vaultId } from "./policy-sample.ts";

const faultsOf = (...objects: unknown[]): readonly PolicyFault[] => parsePolicy(file(objects), facts).faults;
const window = { cron: "0 2 * * 2-4", duration: "PT3H", timeZone: "Europe/Berlin" };
const long = "x".repeat(81);

type Case = readonly [Record<string, unknown>, string, string | RegExp, string | RegExp];
const keyHolder = (kind: string, type: string, changes: object = {}) => ({
  kind,
  id: "holder",
  resourceId: `/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/${type}`,
  reads: "pinned",
  lag: "PT0S",
  ...changes,
});
const one = (changes: Record<string, unknown>) => ({ consumers: [consumer("api", changes)] });

const fieldFaults: readonly Case[] = [
  [{ vault: undefined }, "vault", "is missing", /lower-case letters/],
  [{ vault: "nowhere" }, "vault", `is "nowhere", which is not declared`, "a vault declared in vaults: orders"],
  [{ kind: "queue" }, "kind", `is "queue"`, `one of "secret", "certificate", "key"`],
  [{ name: "under_score" }, "name", `is "under_score"`, /1 to 127 letters, digits and hyphens/],
  [{ name: "Pinion-Stage-1" }, "name", `is "Pinion-Stage-1"`, "a name that does not start with pinion-stage-"],
  [{ name: `${long}_` }, "name", "is a text of 82 characters", /1 to 127/],
  [{ mode: "go" }, "mode", `is "go"`, `one of "observe", "rotate"`],
  [{ colour: "hunter2" }, "colour", "is not known here", /^one of id, vault, kind/],
  [
    { rotator: { ...inPlace("r"), strategy: "fast" } },
    "rotator.strategy",
    `is "fast"`,
    `one of "dual", "alternating", "in-place"`,
  ],
  [
    { rotator: { kind: "redis", strategy: "dual", target: {} } },
    "rotator.kind",
    `is "redis" with the strategy dual, which no rotator here serves`,
    "one of db (alternating), db (in-place)",
  ],
  [
    { rotator: { kind: "db", strategy: "alternating", target: { host: "", roles: ["a", "b"] } } },
    "rotator.target.host",
    `is ""`,
    "at least 1 character",
  ],
  [
    { rotator: { kind: "db", strategy: "alternating", target: { host: "h" } } },
    "rotator.target.roles",
    "is missing",
    "a list",
  ],
  [
    { rotator: { kind: "db", strategy: "alternating", target: { host: "h", roles: ["a", "b"], port: 1 } } },
    "rotator.target.port",
    "is not known here",
    "one of host, roles",
  ],
  [{ validity: "P3M" }, "validity", `is "P3M"`, /years and months have no fixed length/],
  [{ validity: 90 }, "validity", "is 90", /ISO 8601 duration/],
  [{ validity: "P31D" }, "validity", /is P31D; Key Vault says near expiry 30 days before it/, "more than P31D"],
  [{ rotateBefore: "P88D" }, "rotateBefore", /is P88D; with a grace of P1D/, "less than P88D for a validity of P90D"],
  [{ grace: "PT4M" }, "grace", "is PT4M; the consumer broken-api may use the old value for PT5M", "at least PT5M"],
  [
    { grace: "PT1H", consumers: [consumer("quick"), consumer("slow", { lag: "PT2H" }), consumer("other")] },
    "grace",
    "is PT1H; the consumer slow may use the old value for PT2H",
    "at least PT2H",
  ],
  [{ grace: "P30D" }, "grace", /would outlive its own expiry/, "at most P29DT23H45M for a rotateBefore of P30D"],
  [{ retry: { backoff: "P2D" } }, "retry.maxBackoff", "is P1D", "at least the backoff, P2D"],
  [{ retry: { attempts: 0 } }, "retry.attempts", "is 0", "a whole number of at least 1"],
  [{ validate: { successes: 1.5 } }, "validate.successes", "is 1.5", "a whole number"],
  [{ suspend: { watch: "10m" } }, "suspend.watch", `is "10m"`, /ISO 8601 duration/],
  [{ revoke: { maxHold: "PT0S" } }, "revoke.maxHold", `is "PT0S"`, "a duration longer than PT0S"],
  [
    { tags: { "Pinion-x": "1" } },
    `tags.Pinion-x`,
    "is not an allowed name",
    "a tag name that does not start with pinion-",
  ],
  [{ tags: { a: "x".repeat(257) } }, "tags.a", "is a text of 257 characters", "a tag value of at most 256 characters"],
  [
    { tags: Object.fromEntries(Array.from({ length: 11 }, (_, at) => [`t${at}`, ""])) },
    "tags",
    "is an object",
    "at most 10 tags",
  ],
  [{ format: { type: "plain" } }, "format", /carries no user name/, /a format with a user name/],
  [{ format: { type: "json" } }, "format.username", /carries no user name/, /json or connection-string with username/],
  [
    { format: { type: "template", template: "pw={password}" } },
    "format",
    /carries no user name/,
    /a template with \{username\}/,
  ],
  [
    { format: { type: "xml" } },
    "format.type",
    `is "xml"`,
    `one of "plain", "json", "url", "connection-string", "template"`,
  ],
  [{ format: { type: "json", username: "p", password: "p" } }, "format.username", `is "p"`, /another name than/],
  [
    { format: { type: "connection-string", username: "PASSWORD" } },
    "format.username",
    `is "PASSWORD"`,
    /another name than/,
  ],
  [
    { format: { type: "template", template: "{username}{password}" } },
    "format.template",
    `is "{username}{password}"`,
    /text between the two/,
  ],
  [
    { format: { type: "template", template: "{username}" } },
    "format.template",
    `is "{username}"`,
    /has \{password\} once/,
  ],
  [
    { rotator: inPlace("solo"), format: { type: "plain" } },
    "acceptGap",
    /the in-place strategy has a moment/,
    "true, or a strategy without a gap",
  ],
  [{ window: { ...window, cron: "0 2 * *" } }, "window.cron", "is not a cron expression", /five fields/],
  [{ window: { ...window, cron: "0 0 2 * * *" } }, "window.cron", "is not a cron expression", /five fields/],
  [{ window: { ...window, cron: "@daily" } }, "window.cron", "is not a cron expression", /five fields/],
  [
    { window: { ...window, cron: "0 2 30 2 *" } },
    "window.cron",
    "never opens",
    "a cron expression of a day that exists",
  ],
  [
    { window: { ...window, cron: "0 2 1 1 *" } },
    "window.cron",
    /opens too rarely/,
    /at least one opening within rotateBefore/,
  ],
  [{ window: { ...window, timeZone: "Mars/Olympus" } }, "window.timeZone", "is not a time zone", /IANA/],
  [{ window: { ...window, duration: "PT0S" } }, "window.duration", `is "PT0S"`, "a duration longer than PT0S"],
  [{ consumers: undefined }, "consumers", "is missing", "a list"],
  [
    { consumers: [consumer("api"), consumer("api", { setting: "B" })] },
    "consumers[1].id",
    /as that of an earlier consumer/,
    "an id of its own",
  ],
  [one({ kind: "aks" }), "consumers[0].kind", `is "aks"`, /^one of "app-service", "storage-account", /],
  [
    one({ resourceId: "/subscriptions/x" }),
    "consumers[0].resourceId",
    `is "/subscriptions/x"`,
    /Microsoft.Web\/sites\/<name>$/,
  ],
  [
    one({ resourceId: vaultId("kv-orders") }),
    "consumers[0].resourceId",
    "is a text of 115 characters",
    /Microsoft.Web\/sites\/<name>$/,
  ],
  [one({ slot: "a/b" }), "consumers[0].slot", `is "a/b"`, "the name of a deployment slot"],
  [one({ setting: "A B" }), "consumers[0].setting", `is "A B"`, "the name of an app setting"],
  [one({ reads: "newest" }), "consumers[0].reads", `is "newest"`, `one of "pinned", "latest"`],
  [one({ lag: undefined }), "consumers[0].lag", "is missing", /ISO 8601 duration/],
  [
    { consumers: [keyHolder("storage-account", "Microsoft.Storage/storageAccounts/orders")] },
    "consumers[0].kind",
    `is "storage-account", which cannot read a secret`,
    "a kind of consumer that reads a secret",
  ],
  [
    { consumers: [keyHolder("sql-tde", "Microsoft.Sql/servers/orders/databases/x")] },
    "consumers[0].resourceId",
    /^is a text of/,
    /Microsoft.Sql\/servers\/<name>, or .*managedInstances/,
  ],
  [
    { consumers: [keyHolder("sql-tde", "Microsoft.Sql/servers/orders", { secondaries: ["north"] })] },
    "consumers[0].secondaries[0]",
    `is "north"`,
    /Microsoft.Sql\/servers\/<name>/,
  ],
  [
    { consumers: [keyHolder("event-hubs", "Microsoft.EventHub/namespaces/orders", { reads: "latest" })] },
    "consumers[0].reads",
    `is "latest"`,
    `"pinned"`,
  ],
  [
    { consumers: [keyHolder("cosmos-db", "Microsoft.DocumentDB/databaseAccounts/orders", { setting: "DB" })] },
    "consumers[0].setting",
    "is not known here",
    "one of kind, resourceId, id, reads, lag, health, owner",
  ],
  [one({ owner: "nobody" }), "consumers[0].owner", `is "nobody"`, `"pinion"`],
  [
    one({ health: { url: "http://api.example/health" } }),
    "consumers[0].health.url",
    `is "http://api.example/health"`,
    /an https URL/,
  ],
  [
    one({ health: { url: "https://u:hunter2@api.example" } }),
    "consumers[0].health.url",
    "is a text of 29 characters",
    /without user name/,
  ],
  [one({ health: { url: "https://a", expect: 99 } }), "consumers[0].health.expect", "is 99", "at least 100"],
  [
    one({ health: { url: "https://a", timeout: "PT0S" } }),
    "consumers[0].health.timeout",
    `is "PT0S"`,
    "a duration longer than PT0S",
  ],
  [{ pairedWith: ["ghost"] }, "pairedWith[0]", `is "ghost"`, "the id of another object"],
];

describe("each fault says where, what and what was expected, and stops that object only", () => {
  test.each(fieldFaults)("%j -> %s", (changes, path, message, expected) => {
    const { policy, faults } = parsePolicy(file([object("sound"), object("broken", changes)]), facts);
    expect(faults).toEqual([
      {
        path: `objects[1].${path}`,
        object: "broken",
        message: typeof message === "string" ? message : expect.stringMatching(message),
        expected: typeof expected === "string" ? expected : expect.stringMatching(expected),
      },
    ]);
    expect(policy?.objects.map(({ id }) => id)).toEqual(["sound"]);
  });

  test("an object without a readable id is named by its place", () => {
    expect(faultsOf(object("a", { id: "Upper" }))).toEqual([
      { path: "objects[0].id", message: `is "Upper"`, expected: expect.stringContaining("lower-case") },
    ]);
    expect(faultsOf(7, null, ["x"]).map(({ path, message }) => `${path} ${message}`)).toEqual([
      "objects[0] is 7",
      "objects[1] is null",
      "objects[2] is a list",
    ]);
  });

  test("all faults of one object come at once, of its fields and of its rules", () => {
    const faults = faultsOf(
      object("a", {
        name: "_",
        grace: "PT1S",
        validity: "P1D",
        format: { type: "plain" },
        consumers: [consumer("api"), 1],
      }),
    );
    expect(faults.map(({ path }) => path)).toEqual([
      "objects[0].name",
      "objects[0].consumers[1]",
      "objects[0].format",
      "objects[0].validity",
    ]);
  });
});
