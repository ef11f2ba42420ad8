import { describe, expect, test } from "vitest";
import type { ErrorCode } from "../../src/errors.ts";
import { type Counter, logLine, type Signal, signals } from "../../src/signals.ts";
import { codeOf, filled, headOf, infraFile, queries, samples } from "./queries.ts";

const counters = Object.keys(signals) as Counter[];
const named = /\b[a-z]+\.[a-z]+\b/g;

/** The counters that a query asks for: those it compares with, and all of `events.` where it takes whatever follows. */
function askedFor(query: string): string[] {
  const code = codeOf(query);
  const compared = [...code.matchAll(/counter (?:==|in) (\([^)]*\)|'[^']*')/g)].flatMap(([, values]) =>
    [...values!.matchAll(/'([^']*)'/g)].map(([, name]) => name!),
  );
  const quick = [...code.matchAll(/"counter":"([a-z.]+)"/g)].map(([, name]) => name!);
  const prefixed = code.includes('"counter":"events.') ? counters.filter((name) => name.startsWith("events.")) : [];
  return [...new Set([...compared, ...quick, ...prefixed])].toSorted();
}

/** The counters that the head of a query tells of. */
function toldOf(query: string): string[] {
  const [, list = ""] = /Reads the counters? (.*?) of the app's log/.exec(headOf(query)) ?? [];
  return [...new Set(list.match(/[a-z]+(\.[a-z]+)?/g) ?? [])].filter((word) => word !== "and").toSorted();
}

describe.each(Object.entries(queries))("%s", (_, query) => {
  test("says what it finds and what it reads", () => {
    expect(headOf(query)).toMatch(/^[A-Z].+\. Reads /s);
    for (const table of ["AppTraces", "AZKVAuditLogs", "StorageBlobLogs", "StorageQueueLogs"]) {
      const told = table === "AppTraces" ? /of the app's log|AppTraces/ : new RegExp(table);
      expect([table, told.test(headOf(query))]).toEqual([table, codeOf(query).includes(table)]);
    }
  });

  test("asks for counters that the app has, and tells of just those", () => {
    expect(askedFor(query).filter((name) => !(counters as string[]).includes(name))).toEqual([]);
    expect(toldOf(query)).toEqual(askedFor(query));
  });

  test("takes from a line only what its counters carry", () => {
    const facts = askedFor(query).flatMap((name) => [...signals[name as Counter].facts] as string[]);
    const taken = [...codeOf(query).matchAll(/\bfacts\.([A-Za-z]+)/g)].map(([, fact]) => fact!);
    expect(taken.filter((fact) => fact !== "counter" && !facts.includes(fact))).toEqual([]);
  });

  test("reads the lines of this app alone", () => {
    const reads = codeOf(query).match(/\bAppTraces\b/g) ?? [];
    expect(codeOf(query).match(/\bAppTraces\s*\| where AppRoleName =~ '\{app\}'/g) ?? []).toHaveLength(reads.length);
  });

  test("has nothing in braces that nobody fills in", () => {
    expect((query.match(/\{[a-zA-Z]+\}/g) ?? []).filter((name) => !(name in samples))).toEqual([]);
  });

  // Azure lets an alert rule look back two days at most, and takes only literals after `ago`.
  test("looks back by literals, and an alert two days at most", () => {
    for (const [, span] of filled(codeOf(query)).matchAll(/ago\(([^)]*)\)/g)) expect(span).toMatch(/^(\d\d?h|[12]d)$/);
  });
});

test("whoever called a vault is known by either name that its log has for an object id", () => {
  const short = "tostring(Identity.claim.oid)";
  const long = "tostring(Identity.claim['http://schemas.microsoft.com/identity/claims/objectidentifier'])";
  const asking = Object.entries(queries).filter(([, query]) => codeOf(query).includes("Identity.claim.oid"));
  expect(asking.length).toBeGreaterThan(3);
  for (const [name, query] of asking) {
    const plain = codeOf(query).replaceAll(/\s+/g, "").replaceAll(`coalesce(${short},${long})`, "");
    expect([name, plain.includes("Identity.claim.oid")]).toEqual([name, false]);
  }
});

test("the queries take a line of the log apart as it is written", () => {
  const patterns = Object.values(queries).flatMap((query) =>
    [...codeOf(query).matchAll(/parse_json\(extract\(@'([^']*)', 1, Message\)\)/g)].map(([, pattern]) => pattern!),
  );
  expect(new Set(patterns).size).toBe(1);
  const pattern = new RegExp(patterns[0]!);
  for (const counter of counters) {
    const facts = Object.fromEntries(signals[counter].facts.map((fact) => [fact, `a "${fact}"`]));
    const line = logLine("A sentence with {braces} and a code.", { counter, ...facts } as unknown as Signal);
    expect(JSON.parse(pattern.exec(line)![1]!)).toEqual({ counter, ...facts });
  }
});

test("every counter is asked for, and every one that tells of trouble by an alert", () => {
  const asked = (names: readonly string[]) => new Set(names.flatMap((name) => askedFor(queries[name]!)));
  expect([...asked(Object.keys(queries))].toSorted()).toEqual(counters.toSorted());
  const alerted = asked(Object.keys(queries).filter((name) => name.startsWith("alerts/")));
  const harmless = counters.filter((name) => /^(events\..*|rotation\.started|object\.seen)$/.test(name));
  expect([...alerted, ...harmless].toSorted()).toEqual(counters.toSorted());
});

test("what a sweep could not see, and that the policy has faults, are an alert", () => {
  const code = codeOf(queries["alerts/sweep-blind.kql"]!);
  for (const fact of ["unreadable", "policyFaults"]) {
    expect(code).toContain(`${fact} = toint(facts.${fact})`);
    expect(code).toMatch(new RegExp(`where .*\\b${fact} > 0`));
  }
  expect(code).not.toMatch(/\band\b.*> 0/);
});

test("every query is loaded by a module", () => {
  const loaded = ["modules/alerts.bicep", "modules/workbook.bicep"].flatMap((file) =>
    [...infraFile(file).matchAll(/loadTextContent\('\.\.\/([^']*)'\)/g)].map(([, name]) => name!),
  );
  expect([...new Set(loaded)].toSorted()).toEqual(Object.keys(queries).toSorted());
});

test("every alert rule is named for its query", () => {
  const rules = [
    ...infraFile("modules/alerts.bicep").matchAll(/name: '([a-z-]+)'\s+query: loadTextContent\('([^']*)'\)/g),
  ];
  expect(rules.length).toBeGreaterThan(10);
  for (const [, name, file] of rules) expect(file).toBe(`../alerts/${name}.kql`);
});

test("what the braces hold is filled in by each module that has a query with them", () => {
  for (const file of ["modules/alerts.bicep", "modules/workbook.bicep"]) {
    const text = infraFile(file);
    const used = Object.keys(queries).filter((name) => text.includes(`'../${name}'`));
    const needed = used.flatMap((name) => queries[name]!.match(/\{[a-zA-Z]+\}/g) ?? []);
    const given = [...text.matchAll(/'(\{[a-zA-Z]+\})':/g)].map(([, name]) => name!);
    expect([file, ...new Set(given)].toSorted()).toEqual([file, ...new Set(needed)].toSorted());
  }
});

interface Item {
  readonly type: number;
  readonly name: string;
  readonly content: { readonly query?: string; readonly title?: string; readonly noDataMessage?: string };
}

test("the workbook shows each query of its folder, and says so where there is nothing", () => {
  const workbook = JSON.parse(infraFile("workbook.json")) as { version: string; items: Item[] };
  expect(workbook.version).toBe("Notebook/1.0");
  expect(new Set(workbook.items.map(({ name }) => name)).size).toBe(workbook.items.length);
  const shown = workbook.items.filter(({ type }) => type === 3);
  for (const { content } of shown) {
    expect(queries).toHaveProperty([content.query!]);
    expect(content.title).toMatch(/^[A-Z]/);
    expect(content.noDataMessage).toMatch(/\.$|\?$/);
  }
  const files = shown.map(({ content }) => content.query);
  expect(Object.keys(queries).filter((name) => name.startsWith("workbook/") && !files.includes(name))).toEqual([]);
});

test("no counter is told of that is none", () => {
  const words = Object.values(queries).flatMap((query) => headOf(query).match(named) ?? []);
  expect(words.filter((word) => !(counters as string[]).includes(word))).toEqual([]);
});

test("what waits by design is not stuck", () => {
  const [, list = ""] = /code !in \(([^)]*)\)/.exec(codeOf(queries["alerts/rotation-stuck.kql"]!)) ?? [];
  const waits: ErrorCode[] = ["WINDOW_CLOSED", "FLEET_FULL", "ISSUANCE_PENDING"];
  expect([...list.matchAll(/'([A-Z_]+)'/g)].map(([, code]) => code)).toEqual(waits);
});
