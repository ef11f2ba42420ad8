import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";

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
  readonly leaks: number;
  readonly evidence: readonly string[];
}

/** Runs it on the state that is there. */
async function start(): Promise<{ readonly code: number; readonly text: string; readonly summary: Summary }> {
  const child = spawn(process.execPath, [join(root, "local", "start.ts"), "--once", "--dir", dir], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const [code] = (await once(child, "exit")) as [number];
  return { code, text, summary: JSON.parse(text.trimEnd().split("\n").at(-1) ?? "") as Summary };
}

test(
  "npm start -- --once does the main job, and no login of the alternating consumer fails",
  { timeout: 300_000 },
  async () => {
    const { code, text, summary } = await start();
    expect(summary.rotations.map(({ id, strategy, outcome }) => `${id} ${strategy} ${outcome}`)).toEqual([
      "orders-db alternating rotated",
      "orders-db alternating rolled-back",
      "reports-db in-place rotated",
    ]);
    expect(summary).toMatchObject({ failedLogins: 0, leaks: 0 });
    expect(summary.logins).toBeGreaterThan(100);
    expect(summary.inPlaceGapMs).toBeGreaterThan(0);
    expect(text).not.toContain("NOT HELD");
    expect(code).toBe(0);
    for (const path of summary.evidence)
      expect(JSON.parse(readFileSync(join(root, path), "utf8"))).toMatchObject({ schema: "pinion-evidence/1" });
    const endpoints = readFileSync(join(dir, "endpoints.json"), "utf8");
    expect(endpoints).not.toMatch(/key|password|secret"/i);
    expect(existsSync(join(dir, "host", "host.log"))).toBe(true);
  },
);

test(
  "a second run goes on from where the first one ended, whatever that left under way",
  { timeout: 400_000 },
  async () => {
    const { code, text, summary } = await start();
    expect(text).not.toContain("NOT HELD");
    expect(summary.rotations.map(({ outcome }) => outcome)).toEqual(["rotated", "rolled-back", "rotated"]);
    expect(summary).toMatchObject({ failedLogins: 0, leaks: 0 });
    expect(code).toBe(0);
  },
);
