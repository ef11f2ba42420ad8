import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { asSuperuser } from "../../local/targets/postgres-seed.ts";
import { startPostgres } from "../../local/targets/postgres.ts";

const dirs: string[] = [];
afterEach(() => {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true });
});

function newDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "pinion-postgres-"));
  dirs.push(dir);
  return dir;
}

function listens(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("close", () => {}).unref();
    socket.once("connect", () => socket.destroy());
  });
}

test("asks for SCRAM everywhere, logs statements, keeps its password to its owner, and goes on where it ended", async () => {
  const dir = newDir();
  const first = await startPostgres({ dir });
  const rules = await asSuperuser(first, "postgres", async (client) => {
    await client.query("CREATE TABLE kept AS SELECT 42 AS answer");
    return await client.query<{ auth_method: string }>("SELECT DISTINCT auth_method FROM pg_hba_file_rules");
  });
  expect(rules.rows).toEqual([{ auth_method: "scram-sha-256" }]);
  expect(statSync(join(dir, "server.json")).mode & 0o777).toBe(0o600);
  expect(readFileSync(first.logFile, "utf8")).toContain("CREATE TABLE kept");
  await expect(
    asSuperuser({ ...first, superuser: { ...first.superuser, password: "wrong" } }, "postgres", async () => {}),
  ).rejects.toMatchObject({ code: "28P01" });
  await first.stop();
  expect(await listens(first.host, first.port)).toBe(false);

  const second = await startPostgres({ dir });
  expect({ port: second.port, superuser: second.superuser }).toEqual({ port: first.port, superuser: first.superuser });
  const kept = await asSuperuser(second, "postgres", async (client) => await client.query("SELECT answer FROM kept"));
  expect(kept.rows).toEqual([{ answer: 42 }]);
  await second.stop();
  await second.stop();
});

test("takes over from a start that is still running on the same folder", async () => {
  const dir = newDir();
  const first = await startPostgres({ dir });
  const second = await startPostgres({ dir });
  expect(second.port).toBe(first.port);
  await expect(asSuperuser(second, "postgres", async () => "there")).resolves.toBe("there");
  await second.stop();
});

test("says why it does not start", async () => {
  await expect(startPostgres({ dir: newDir(), settings: { no_such_setting: "1" } })).rejects.toThrow("no_such_setting");
});

test.skipIf(process.platform === "win32")("ends with the process that started it, however that dies", async () => {
  const dir = newDir();
  const module = join(import.meta.dirname, "../../local/targets/postgres.ts");
  const script = `
    const { startPostgres } = await import(${JSON.stringify(module)});
    const { port } = await startPostgres({ dir: ${JSON.stringify(dir)} });
    console.log(port);
    setInterval(() => {}, 1000);`;
  const child = execFile(process.execPath, ["--input-type=module", "-e", script]);
  const port = await new Promise<number>((resolve) => child.stdout?.once("data", (text) => resolve(Number(text))));
  expect(await listens("127.0.0.1", port)).toBe(true);
  child.kill("SIGKILL");
  await expect.poll(async () => await listens("127.0.0.1", port), { timeout: 10_000 }).toBe(false);
});
