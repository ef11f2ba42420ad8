import * as fc from "fast-check";
import { secrets } from "./grammar-secrets.ts";
import type { Meant } from "./request.ts";

// The controls, and requests under the settings that they made.

const milliseconds = fc.constantFrom(0, 1, 500, 1e9, 1e300);
const days = fc.constantFrom(0, 1, 30, 0.5, 1e300);
const rules = fc.record(
  { expirySet: fc.boolean(), minimumValidityDays: days, maximumValidityDays: days },
  { requiredKeys: [] },
);
const permissions = fc.subarray(["get", "SET", "list", "delete", "all", "fly"]);
const principal = fc.constantFrom("aaaaaaaa-0000-4000-8000-000000000002", "x", "__proto__");

const at = (method: string, path: string, body?: fc.Arbitrary<unknown>): fc.Arbitrary<Meant> =>
  (body ?? fc.constant(undefined)).map((body) => ({ method, path: `/_emulator/${path}`, query: "", body }));

const controls = fc.oneof(
  ...["", "clock", "faults", "log", "settings", "network", "policy", "roles", "access-policies", "snapshots"].map(
    (path) => at("GET", path),
  ),
  at("POST", "reset"),
  at(
    "PUT",
    "settings",
    fc.record(
      {
        deleteDelayMs: milliseconds,
        certificateDelayMs: milliseconds,
        issuerDelayMs: milliseconds,
        issuerError: fc.constantFrom(null, { code: "Request rejected", message: "" }),
        throttling: fc.boolean(),
        subscribedSince: fc.constantFrom(null, 0, -1, 1e300),
      },
      { requiredKeys: [] },
    ),
  ),
  at(
    "PUT",
    "network",
    fc.option(
      fc.record(
        {
          publicNetworkAccess: fc.constantFrom("Enabled", "Enabled", "Disabled"),
          defaultAction: fc.constantFrom("Allow", "Deny"),
          ipRules: fc.subarray(["127.0.0.1", "10.0.0.0/8", "0.0.0.0/0", "1.2.3.4/33", "::1", "1.2.3", "1.2.3.4/032"]),
        },
        { requiredKeys: [] },
      ),
    ),
  ),
  at("PUT", "policy", fc.option(fc.record({ secrets: rules, keys: rules, certificates: rules }, { requiredKeys: [] }))),
  // Of no operation that there is: a fault that was asked for is no finding, nor is the time that it takes.
  at(
    "POST",
    "faults",
    fc.record(
      {
        operation: fc.constantFrom("secret.nothing", "nothing.*", "."),
        kind: fc.constantFrom("status", "drop", "reset", "delay"),
        when: fc.constantFrom("before", "after"),
        times: fc.constantFrom(1, 2),
        rate: fc.constantFrom(0.5, 2),
        status: fc.constantFrom(500, 399, 429),
        retryAfter: fc.constantFrom(null, 0, 1),
        latencyMs: milliseconds,
      },
      { requiredKeys: ["operation", "kind"] },
    ),
  ),
  at("DELETE", "faults"),
  at(
    "POST",
    "roles",
    fc.record(
      {
        principalId: principal,
        role: fc.constantFrom("Reader", "Key Vault Secrets Officer", "King"),
        scope: fc.constantFrom("secrets/a", "/subscriptions/0", "/", ""),
      },
      { requiredKeys: ["principalId", "role"] },
    ),
  ),
  at("DELETE", "roles/none"),
  at("PUT", "roles-delay", fc.record({ seconds: fc.constantFrom(0, 0, 1, 1e9, 1e10) })),
  at(
    "PUT",
    "access-policies",
    fc.option(fc.dictionary(principal, fc.record({ secrets: permissions, keys: permissions }, { requiredKeys: [] }))),
  ),
  at(
    "POST",
    "events",
    fc.record(
      { duplicate: fc.constantFrom(0, 1, 10_001), reorder: fc.constantFrom(0, 2), lose: fc.constantFrom(0, 1) },
      { requiredKeys: [] },
    ),
  ),
  at(
    "POST",
    "clock",
    fc.record(
      { set: fc.constantFrom("2030-01-01T00:00:00Z"), advance: fc.constantFrom(1, "PT1S"), frozen: fc.boolean() },
      { requiredKeys: [] },
    ),
  ),
  fc
    .tuple(
      fc.constantFrom("PUT snapshots/:name", "POST snapshots/:name/restore", "DELETE snapshots/:name"),
      fc.constantFrom("a", "b", "x".repeat(65), "..%2F..%2Fa", "%00", "%C3%A9", "ports", "__proto__"),
    )
    .map(([route, name]): Meant => {
      const [method = "", path = ""] = route.split(" ");
      return { method, path: `/_emulator/${path.replace(":name", name)}`, query: "" };
    }),
);

export const controlGrammar: fc.Arbitrary<Meant> = fc.oneof(
  { weight: 3, arbitrary: controls },
  { weight: 1, arbitrary: secrets.grammar.filter(({ path }) => path !== "/tick") },
);

/** What the controls show of themselves. */
export const controlReads: readonly string[] = [
  "settings",
  "network",
  "policy",
  "faults",
  "roles",
  "access-policies",
  "snapshots",
  "clock",
].map((one) => `/_emulator/${one}`);
