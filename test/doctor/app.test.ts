import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { scan } from "../../local/canary/scan.ts";
import { keysEverHeld } from "../../local/canary/vault-keys.ts";
import { passwordsIn, valuesEverHeld } from "../../local/canary/vault-values.ts";
import { type AppHost, startAppHost } from "../../local/cloud/app-host.ts";
import { run } from "../../src/cli/run.ts";
import { checks } from "../../src/doctor/checks.ts";
import type { Finding } from "../../src/doctor/finding.ts";
import { outsideChecks } from "../../src/doctor/outside/checks.ts";
import { reportSchema } from "../../src/doctor/report.ts";
import { type Clinic, openClinic, root } from "./clinic.ts";

// The doctor as people call it: by the app on the local host, and by the command.

let clinic: Clinic;
let host: AppHost;
/** Everything that was said, for the canaries. */
const said: string[] = [];
beforeAll(async () => {
  clinic = await openClinic();
  host = await startAppHost({ cloud: clinic.cloud });
});
afterAll(async () => {
  await host.stop();
  await clinic.close();
});

const bad = (findings: readonly Pick<Finding, "level">[]) => findings.filter(({ level }) => level !== "ok");

async function pinion(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const out: string[] = [];
  const code = await run(["doctor", ...args], {
    env,
    out: (text) => void out.push(text),
    err: (text) => void out.push(text),
  });
  said.push(...out);
  return { code, text: out.join("\n") };
}
const outside = (...args: string[]) => pinion(["--url", `${host.url}/api`, ...args], { PINION_KEY: host.key });

/** The command in a process of its own, as on a laptop. */
async function laptop(settings: Readonly<Record<string, unknown>>, ...args: string[]) {
  const file = join(clinic.dir, "local.settings.json");
  writeFileSync(file, JSON.stringify({ Values: { ...clinic.settings, ...settings } }));
  const env = { PATH: process.env["PATH"], NODE_EXTRA_CA_CERTS: clinic.cloud.tls.caFile };
  const argv = [join(root, "src/cli.ts"), "doctor", "--here", "--settings", file, ...args];
  const ended = await new Promise<{ code: number; text: string }>((resolve) => {
    execFile(process.execPath, argv, { cwd: root, env }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === "number" ? error.code : 0, text: stdout + stderr }),
    );
  });
  said.push(ended.text);
  return ended;
}

test("GET /api/doctor: the app finds itself sound, by every check", async () => {
  const reply = await fetch(`${host.url}/api/doctor`, { headers: { "x-functions-key": host.key } });
  const text = await reply.text();
  said.push(text);
  const report = reportSchema.parse(JSON.parse(text));
  expect([reply.status, report.place, report.checks]).toEqual([200, "app", checks.map(({ id }) => id)]);
  expect(bad(report.findings)).toEqual([]);
  expect((await fetch(`${host.url}/api/doctor`)).status).toBe(401);
});

test("doctor --url: from outside too all is well, and the command ends with 0", async () => {
  const { code, text } = await outside();
  expect(text.split("\n").filter((line) => /^ {2}[✖!?]/.test(line))).toEqual([]);
  const all = checks.length + outsideChecks.length;
  expect(text.split("\n").at(-1)).toBe(`${all} checks: ${all} ok, 0 faults, 0 warnings, 0 unknown`);
  expect(text).toContain("refuses who does not say who they are (401)");
  expect(code).toBe(0);
});

test("doctor --url --json: the same as data; a fault ends with 1", async () => {
  const network = { publicNetworkAccess: "Enabled", defaultAction: "Deny", ipRules: [] } as const;
  clinic.cloud.vaults.control.set({ network });
  const { code, text } = await outside("--json").finally(() => clinic.cloud.vaults.control.set({ network: undefined }));
  const report = reportSchema.parse(JSON.parse(text));
  expect(bad(report.findings)).toMatchObject([{ check: "vault", level: "fault" }]);
  expect(report.checks).toEqual([...outsideChecks, ...checks].map(({ id }) => id));
  expect(code).toBe(1);
});

test("without a key nothing is told but that", async () => {
  const { code, text } = await pinion(["--url", `${host.url}/api`]);
  expect(text).toContain("does not let you read (401)");
  expect(code).toBe(1);
});

test("an app with wrong settings is passed on in its own words", async () => {
  const ill = await startAppHost({
    cloud: clinic.cloud,
    name: "ill",
    env: { PINION_STOP: "perhaps", PINION_POLICY: "/etc/passwd" },
  });
  try {
    const { code, text } = await pinion(["--url", `${ill.url}/api`], { PINION_KEY: ill.key });
    expect(text).toMatch(/✖ 127\.0\.0\.1:\d+ says: PINION_STOP: expected "true" or "false"\./);
    expect(text).toMatch(/✖ 127\.0\.0\.1:\d+ says: PINION_POLICY: expected /);
    expect(code).toBe(1);
  } finally {
    await ill.stop();
  }
});

test("an app that is not there; the address from the environment, as the other commands have it", async () => {
  const { code, text } = await pinion([], { PINION_URL: "http://127.0.0.1:1/api" });
  expect(text).toMatch(/127\.0\.0\.1:1 did not answer/);
  expect(code).toBe(1);
});

test("an app that believes whatever a caller says of himself is a fault, for somebody without a token too", async () => {
  // As where that setting was made by hand, and nothing stands before the app.
  const open = await startAppHost({ cloud: clinic.cloud, name: "open", env: { WEBSITE_AUTH_ENABLED: "true" } });
  try {
    const { code, text } = await pinion(["--url", `${open.url}/api`]);
    expect(text).toMatch(/✖ 127\.0\.0\.1:\d+ believes whatever a caller says of himself \(200\)/);
    expect(text).toMatch(/→ Set PINION_STOP to true and close the app now/);
    expect(code).toBe(1);
  } finally {
    await open.stop();
  }
});

describe("an app that takes its time", () => {
  /** Answers as long after the beginning, by the clock that is set here. */
  async function slow(seconds: number) {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    let asked = () => undefined as void;
    const begun = new Promise<void>((resolve) => (asked = resolve));
    const report = { version: "0.1.0", place: "app", checks: [], findings: [] };
    const server = createServer((request, response) => {
      if (request.url === "/api/doctor") {
        setTimeout(() => response.end(JSON.stringify(report)), seconds * 1000);
        asked();
      } else response.writeHead(401).end();
    });
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    try {
      const told = pinion(["--url", `http://127.0.0.1:${port}/api`]);
      await begun;
      await vi.advanceTimersByTimeAsync(Math.min(seconds, 300) * 1000);
      return await told;
    } finally {
      vi.useRealTimers();
      server.closeAllConnections();
      server.close();
    }
  }

  test("is waited for as long as its own checks may take", async () => {
    const { code, text } = await slow(200);
    expect(text).toContain("answers as Pinion 0.1.0");
    expect(code).toBe(0);
  });

  test("is not waited for without end, and that is no success", async () => {
    const { code, text } = await slow(1000);
    expect(text).toMatch(/\? There was no answer in 240 s/);
    expect(code).toBe(1);
  });
});

test("on a laptop: the settings of the file, the rights of who is logged in", async () => {
  const { code, text } = await laptop({});
  expect(text).toContain("with the rights of your login");
  expect(text.trim().split("\n").at(-1)).toMatch(/^\d+ checks: \d+ ok, 0 faults, 0 warnings, 0 unknown$/);
  expect(code).toBe(0);
});

test("on a laptop: every fault of the settings, and what waits for them", async () => {
  const { code, text } = await laptop({ PINION_STOP: "perhaps", PINION_SWEEP_SCHEDULE: "daily" });
  expect(text).toContain("✖ PINION_STOP expected");
  expect(text).toContain("✖ PINION_SWEEP_SCHEDULE expected");
  expect(text).toMatch(/Not looked at until the faults above are gone: identity, policy, .*sweep\./);
  expect(code).toBe(1);
});

test("what is no command ends with 2", async () => {
  for (const args of [["--url", "ftp://contoso.com"], ["--nonsense"], ["--settings", "/nowhere.json"], ["extra"]])
    expect([args, (await pinion(args)).code]).toEqual([args, 2]);
});

test("where Azure Resource Manager is shut, that is unknown, with the role that would open it; nothing else is hidden", async () => {
  clinic.cloud.azure.rights.limit("aaaaaaaa-0000-4000-8000-000000000002", [
    {
      actions: ["Microsoft.Authorization/permissions/read"],
      notActions: [],
      dataActions: ["*"],
      notDataActions: [],
    },
  ]);
  try {
    const found = bad(
      await clinic.examine({ env: { WEBSITE_AUTH_ENABLED: "true", PINION_COMMAND_AUTHORITY: "entra" } }),
    ) as Finding[];
    expect(found.filter(({ level }) => level === "fault").every(({ check }) => check === "rights")).toBe(true);
    const unseen = found.filter(({ level, after }) => level === "unknown" && after === undefined);
    expect(new Set(unseen.map(({ check }) => check))).toEqual(
      new Set([
        "vault-properties",
        "event-topic",
        "event-subscription",
        "event-delivery",
        "storage-account",
        "evidence",
        "private-endpoint",
        "private-dns",
        "subnet",
        "authentication",
      ]),
    );
    for (const { todo = "" } of unseen)
      expect(todo).toMatch(/^To let the doctor see it, assign .* at \/subscriptions\/.*\.$/);
  } finally {
    clinic.assign();
  }
});

test("no secret was said", () => {
  const vaults = join(clinic.dir, "vaults");
  const secrets = [...passwordsIn(valuesEverHeld(vaults)), ...keysEverHeld(vaults), host.key, host.masterKey];
  const key = /AccountKey=([^;]+)/.exec(clinic.settings["AzureWebJobsStorage"] ?? "")?.[1] ?? "";
  expect(secrets.length).toBeGreaterThan(4);
  expect(scan([{ name: "everything said", content: Buffer.from(said.join("\n")) }], [...secrets, key])).toEqual([]);
});
