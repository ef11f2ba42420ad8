import { expect, test } from "vitest";
import { examine } from "../../src/doctor/examine.ts";
import type { Finding } from "../../src/doctor/finding.ts";
import { outsideChecks } from "../../src/doctor/outside/checks.ts";

// The app from outside, with replies as Azure gives them; the real app is asked in app.test.ts.

type Answer = (headers: Headers) => Response;
const url = "https://func-contoso-pinion-dev.azurewebsites.net/api";
const report = { version: "0.1.0", place: "app", checks: [], findings: [] };
const reply = (status: number, body?: unknown, headers: Record<string, string> = {}): Answer => {
  const text = body === undefined ? null : JSON.stringify(body);
  return () => new Response(text, { status, headers });
};
/** How App Service authentication refuses. */
const byAuthentication = {
  "www-authenticate": `Bearer realm="func-contoso-pinion-dev.azurewebsites.net"`,
  "x-ms-middleware-request-id": "7d5a5a4c-3f0c-4f5e-9a65-0d6f6b1f5c11",
};
/** What an app answers that believes the header, and a host that looks for no key. */
const gullible =
  (believed: Answer, otherwise: Answer = reply(401)): Answer =>
  (headers) =>
    (headers.has("x-ms-client-principal") ? believed : otherwise)(headers);
const sound: Readonly<Record<string, Answer>> = {
  [`${url}/doctor`]: reply(200, report),
  [`${url}/rotations`]: reply(401, undefined, byAuthentication),
  "https://func-contoso-pinion-dev.azurewebsites.net/runtime/webhooks/durabletask/instances?top=1": reply(
    401,
    undefined,
    byAuthentication,
  ),
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
      fetch: async (input, init) => (all[input as string] ?? reply(404))(new Headers(init?.headers)),
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
  fault(
    "a stranger who is let in",
    { [`${url}/rotations`]: gullible(reply(401), reply(200, {})) },
    "anonymous",
    /answers a stranger 200/,
  ),
  fault(
    "an app that believes what a caller says of himself",
    { [`${url}/rotations`]: gullible(reply(200, {})) },
    "impostor",
    /believes whatever a caller says of himself \(200\)/,
  ),
  fault(
    "an app that believes him, and asks for another role",
    { [`${url}/rotations`]: gullible(reply(403, { code: "FORBIDDEN" })) },
    "impostor",
    /believes whatever a caller says of himself \(403\)/,
  ),
  fault(
    "an app that believes him, and stumbles",
    { [`${url}/rotations`]: gullible(reply(500)) },
    "impostor",
    /believes whatever a caller says of himself \(500\)/,
  ),
  fault("a stranger who is sent to log in", { [`${url}/rotations`]: reply(302) }, "anonymous", /login page \(302\)/),
  fault(
    "a durable API that a key alone keeps closed",
    { [management]: reply(401) },
    "management",
    /closed \(401\) by a key alone/,
  ),
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

test("an impostor is tried by somebody who may not read, too: where nothing makes principals nobody may", async () => {
  const found = await look({ [`${url}/doctor`]: reply(401), [`${url}/rotations`]: gullible(reply(200, {})) });
  expect(found.map(({ check, level }) => [check, level])).toEqual([
    ["reached", "fault"],
    ["impostor", "fault"],
  ]);
  expect(found[1]?.todo).toMatch(/PINION_STOP.*close the app now/);
});

test("an app that answers everybody alike is no proof against an impostor", async () => {
  const found = await look({ [`${url}/doctor`]: reply(404), [`${url}/rotations`]: reply(404) });
  expect(found.map(({ check, level }) => [check, level])).toEqual([
    ["reached", "fault"],
    ["impostor", "unknown"],
  ]);
});

test("where authentication leaves no mark, nobody can tell what keeps the durable API closed", async () => {
  const found = await look({ [`${url}/rotations`]: reply(401), [management]: reply(401) });
  expect(found).toMatchObject([
    { check: "management", level: "unknown", says: expect.stringContaining("does not show") as string },
  ]);
});
