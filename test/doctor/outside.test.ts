import { expect, test } from "vitest";
import { examine } from "../../src/doctor/examine.ts";
import type { Finding } from "../../src/doctor/finding.ts";
import { outsideChecks } from "../../src/doctor/outside/checks.ts";

// The app from outside, with replies as Azure gives them; the real app is asked in app.test.ts.

type Answer = () => Response;
const url = "https://func-contoso-pinion-dev.azurewebsites.net/api";
const report = { version: "0.1.0", place: "app", checks: [], findings: [] };
const reply = (status: number, body?: unknown, headers: Record<string, string> = {}): Answer => {
  const text = body === undefined ? null : JSON.stringify(body);
  return () => new Response(text, { status, headers });
};
const sound: Readonly<Record<string, Answer>> = {
  [`${url}/doctor`]: reply(200, report),
  [`${url}/rotations`]: reply(401),
  "https://func-contoso-pinion-dev.azurewebsites.net/runtime/webhooks/durabletask/instances?top=1": reply(401),
  [`${url.replace("https", "http")}/health`]: reply(301, undefined, { location: `${url}/health` }),
};
const dead =
  (code: string): Answer =>
  () => {
    throw new TypeError("fetch failed", { cause: Object.assign(new Error("no"), { code }) });
  };

async function look(answers: Readonly<Record<string, Answer>>, without?: string): Promise<readonly Finding[]> {
  const all = { ...sound, ...answers };
  const found = await examine(
    outsideChecks.filter(({ id }) => id !== without),
    {
      url,
      headers: {},
      version: "0.1.0",
      fetch: async (input) => (all[input as string] ?? reply(404))(),
    },
  );
  return found.filter(({ level, after }) => level !== "ok" && after === undefined);
}

test("a sound app is silent", async () => {
  expect(await look({})).toEqual([]);
});

const management = Object.keys(sound)[2]!;
const settings = [`PINION_STOP: expected "true" or "false".`, "AzureWebJobsStorage: expected a name; it is missing."];
interface Planted {
  readonly name: string;
  readonly answers: Readonly<Record<string, Answer>>;
  readonly check: string;
  readonly says: RegExp;
  readonly count: number;
}
const fault = (name: string, answers: Planted["answers"], check: string, says: RegExp, count = 1): Planted => ({
  name,
  answers,
  check,
  says,
  count,
});
const planted: readonly Planted[] = [
  fault("nobody answers", { [`${url}/doctor`]: dead("ENOTFOUND") }, "reached", /did not answer \(ENOTFOUND\)/),
  fault("a certificate that is over", { [`${url}/doctor`]: dead("CERT_HAS_EXPIRED") }, "reached", /CERT_HAS_EXPIRED/),
  fault("no right to read", { [`${url}/doctor`]: reply(403) }, "reached", /does not let you read \(403\)/),
  fault("another app", { [`${url}/doctor`]: reply(200, { hello: "world" }) }, "reached", /not as Pinion does/),
  fault("an app without a doctor", { [`${url}/doctor`]: reply(404) }, "reached", /knows no \/doctor/),
  fault(
    "wrong settings",
    { [`${url}/doctor`]: reply(503), [`${url}/health`]: reply(503, { status: "faulty", settings }) },
    "reached",
    /^says: (PINION_STOP|AzureWebJobsStorage): /,
    2,
  ),
  fault(
    "an app that is down",
    { [`${url}/doctor`]: reply(502), [`${url}/health`]: reply(502) },
    "reached",
    /answers 502/,
  ),
  fault("a stranger who is let in", { [`${url}/rotations`]: reply(200, {}) }, "anonymous", /answers a stranger 200/),
  fault("a stranger who is sent to log in", { [`${url}/rotations`]: reply(302) }, "anonymous", /login page \(302\)/),
  fault("an open durable API", { [management]: reply(200, []) }, "management", /answers 200 at \/runtime/),
  fault(
    "plain HTTP",
    { [`${url.replace("https", "http")}/health`]: reply(200, {}) },
    "transport",
    /answers plain HTTP/,
  ),
  fault(
    "another version",
    { [`${url}/doctor`]: reply(200, { ...report, version: "0.0.9" }) },
    "release",
    /runs 0\.0\.9/,
  ),
];

test.each(planted)("$name", async ({ answers, check, says, count }) => {
  const found = await look(answers);
  expect(found.map((one) => [one.check, says.test(one.says)])).toEqual(
    Array.from({ length: count }, () => [check, true]),
  );
  for (const { todo = "" } of found) expect(todo).toMatch(/^[A-Z].{10,}[.]$/);
  expect((await look(answers, check)).filter((one) => says.test(one.says))).toEqual([]);
});

test("every outside check has a fault of its own", () => {
  expect(new Set(planted.map(({ check }) => check))).toEqual(new Set(outsideChecks.map(({ id }) => id)));
});
