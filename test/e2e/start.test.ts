import { type ChildProcess, spawn } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { valuesEverHeld } from "../../local/canary/vault-values.ts";
import { skipped, where } from "../acme/pebble.ts";

const root = join(import.meta.dirname, "..", "..");
const dir = mkdtempSync(join(tmpdir(), "pinion-start-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

interface Summary {
  readonly rotations: readonly {
    readonly id: string;
    readonly strategy: string;
    readonly outcome: string;
    readonly seconds: number;
  }[];
  readonly logins: number;
  readonly failedLogins: number;
  readonly inPlaceGapMs: number;
  readonly certificate: {
    readonly names: readonly string[];
    readonly issuer: string;
    readonly before: string;
    readonly after: string;
    readonly handshakes: number;
    readonly failedHandshakes: number;
  };
  readonly leaks: number;
  readonly evidence: readonly string[];
}

const names = ["shop.contoso.com", "*.shop.contoso.com"];

const launch = (stderr: "inherit" | "pipe", env: Readonly<Record<string, string>> = {}): ChildProcess =>
  spawn(process.execPath, [join(root, "local", "start.ts"), "--once", "--dir", dir], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", stderr],
  });

/** Runs it on the state that is there. */
async function start(
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number; readonly text: string; readonly summary: Summary }> {
  const child = launch("inherit", env);
  let text = "";
  child.stdout!.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const [code] = (await once(child, "exit")) as [number];
  return { code, text, summary: JSON.parse(text.trimEnd().split("\n").at(-1) ?? "") as Summary };
}

const parts = [
  "orders-db alternating rotated",
  "orders-db alternating rolled-back",
  "reports-db in-place rotated",
  "shop-tls dual rotated",
];

/** What holds of every run, whatever the machine and the state. */
function expectAll({ code, text, summary }: Awaited<ReturnType<typeof start>>): void {
  expect(text).not.toContain("NOT HELD");
  expect(summary.rotations.map(({ id, strategy, outcome }) => `${id} ${strategy} ${outcome}`)).toEqual(parts);
  expect(summary).toMatchObject({ failedLogins: 0, leaks: 0, certificate: { names, failedHandshakes: 0 } });
  expect(summary.logins).toBeGreaterThan(100);
  expect(summary.inPlaceGapMs).toBeGreaterThan(0);
  expect(summary.certificate.after).not.toBe(summary.certificate.before);
  expect(summary.certificate.handshakes).toBeGreaterThan(20);
  for (const path of summary.evidence)
    expect(JSON.parse(readFileSync(join(root, path), "utf8"))).toMatchObject({ schema: "pinion-evidence/1" });
  expect(stepsSaid(text)).toEqual(summary.evidence.map(stepsProven));
  expect(code).toBe(0);
}

/** The steps of each part, as they were printed. What an earlier run left is further to the right. */
const stepsSaid = (text: string) =>
  text
    .split(/^\d\. /m)
    .slice(1)
    .map((part) => [...part.matchAll(/^ {2}[✓✗] (\w+)/gm)].map(([, step]) => step));

const stepsProven = (path: string) =>
  (JSON.parse(readFileSync(join(root, path), "utf8")) as { steps: { step: string }[] }).steps.map(({ step }) => step);

test.skipIf(skipped)(
  `npm start -- --once does the main job: no login of the alternating consumer and no handshake fails, and a real ACME server issues${where}`,
  { timeout: 300_000 },
  async () => {
    const run = await start();
    expectAll(run);
    expect(run.text).toContain("(through ACME, dns-01, from pebble)");
    const { issuer, before, after } = run.summary.certificate;
    expect(issuer).toMatch(/^Pebble Intermediate CA /);
    // What clients saw is what the vault held, then and now.
    const held = valuesEverHeld(join(dir, "vaults")).filter((value) => value.includes("BEGIN CERTIFICATE"));
    const thumbprints = held.map((pem) => new X509Certificate(pem).fingerprint.replaceAll(":", ""));
    expect(thumbprints).toEqual(expect.arrayContaining([before, after]));
  },
);

test(
  "a run goes on from what one left that was killed in its midst; without ACME the certificate signs itself",
  { timeout: 400_000 },
  async () => {
    const child = launch("inherit");
    const ended = once(child, "exit");
    const staged = new Promise((seen) =>
      child.stdout!.on("data", (chunk: Buffer) => chunk.includes("✓ stage") && seen(1)),
    );
    await Promise.race([staged, ended]);
    // One beside it stops nothing of it: it is refused.
    const beside = launch("pipe");
    let refusal = "";
    beside.stderr!.on("data", (chunk: Buffer) => (refusal += chunk.toString()));
    const [code] = (await once(beside, "close")) as [number];
    expect([code, refusal]).toEqual([
      1,
      expect.stringContaining(`${dir} is in use by another start: end that one first`),
    ]);
    child.kill("SIGKILL");
    await ended;
    const run = await start({ PINION_DEMO_ACME: "off" });
    expectAll(run);
    expect(run.text).toContain("(self-signed, since PINION_DEMO_ACME is off)");
    expect(run.summary.certificate.issuer).toBe(names[0]);
    const endpoints = readFileSync(join(dir, "endpoints.json"), "utf8");
    expect(endpoints).not.toMatch(/key|password|secret"/i);
    expect(existsSync(join(dir, "host", "host.log"))).toBe(true);
  },
);
