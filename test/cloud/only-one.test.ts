import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { takeFolder } from "../../local/cloud/only-one.ts";

const root = mkdtempSync(join(tmpdir(), "pinion-only-one-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const folder = () => mkdtempSync(join(root, "state-"));

test("a folder is taken once, by whatever name, until it is let go; others are free", async () => {
  const dir = folder();
  const letGo = await takeFolder(dir);
  await expect(takeFolder(dir)).rejects.toThrow("is in use by another start");
  const alias = join(root, "alias");
  symlinkSync(dir, alias);
  await expect(takeFolder(alias)).rejects.toThrow(`${alias} is in use`);
  (await takeFolder(folder()))();
  letGo();
  (await takeFolder(dir))();
});

test("a killed process lets its folder go, a living one does not", async () => {
  const dir = folder();
  const module = join(import.meta.dirname, "../../local/cloud/only-one.ts");
  const program = `const { takeFolder } = await import(process.argv[1]); await takeFolder(process.argv[2]); console.log("taken"); setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program, module, dir], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  await expect(takeFolder(dir)).rejects.toMatchObject({ code: "CONFLICT" });
  child.kill("SIGKILL");
  await once(child, "exit");
  (await takeFolder(dir))();
});
