import { once } from "node:events";
import { readFileSync } from "node:fs";
import { Agent } from "node:https";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { startChild } from "../killable.ts";
import { call, tempDir } from "../support.ts";
import type { Asked } from "../support.ts";
import { eventually, ec } from "./support.ts";

const idsOf = (value: readonly { id?: string; kid?: string }[]) =>
  value.map(({ id, kid }) => (id ?? kid)!.split("/").at(-1)!);

test("kill -9 in the middle: operations go on, and no version is without its key and secret", async () => {
  const [stateDir, tlsDir] = [tempDir(), tempDir()];
  const names = ["a", "b", "c"];
  /** The last operation that was answered, by certificate. */
  const begun = new Map<string, string>();
  let operations = 0;
  let compared = 0;
  for (let life = 0; life < 3; life++) {
    const { child, url } = await startChild(stateDir, tlsDir);
    const agent = new Agent({ ca: readFileSync(join(tlsDir, "ca.pem")), keepAlive: true });
    const ask = (method: string, path: string, asked: Asked = {}) =>
      call(agent, url, method, `${path}?api-version=7.5`, asked);
    const listOf = async (kind: string, name: string): Promise<string[]> => {
      const ids: string[] = [];
      let path = `/${kind}/${name}/versions?api-version=7.5`;
      while (path) {
        const { json } = await call(agent, url, "GET", path, {});
        ids.push(...idsOf(json.value));
        path = json.nextLink ? json.nextLink.slice(url.length) : "";
      }
      return ids;
    };
    await ask("PUT", "/_emulator/settings", { body: { certificateDelayMs: 30 } });

    for (const [name, requestId] of begun) {
      await eventually(async () => {
        const { json } = await ask("GET", `/certificates/${name}/pending`);
        // One more may have begun whose answer the kill cut off.
        expect(json.status).toBe("completed");
        if (json.request_id === requestId) compared += 1;
      });
      const versions = await listOf("certificates", name);
      expect(await listOf("secrets", name)).toEqual(versions);
      expect(await listOf("keys", name)).toEqual(versions);
      for (const kind of ["certificates", "secrets", "keys"]) {
        expect((await ask("GET", `/${kind}/${name}/${versions[0]}`)).status).toBe(200);
      }
    }

    const worker = async (name: string) => {
      for (;;) {
        const { status, json } = await ask("POST", `/certificates/${name}/create`, { body: ec() });
        expect([202, 409]).toContain(status);
        if (status !== 202) continue;
        begun.set(name, json.request_id);
        operations += 1;
      }
    };
    const ended = Promise.allSettled(names.map(worker));
    const goal = operations + 9 + 4 * life;
    await vi.waitUntil(() => operations >= goal, { interval: 1, timeout: 60_000 });
    child.kill("SIGKILL");
    await once(child, "exit");
    for (const result of await ended) {
      expect(result).toMatchObject({ reason: { code: expect.stringMatching(/ECONN|EPIPE/) } });
    }
    agent.destroy();
  }
  expect(compared).toBeGreaterThan(0);
}, 180_000);
