import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startAzurite } from "../../local/azurite.ts";
import type { Azurite } from "../../local/azurite.ts";
import { fixture, startHostProcess, temporaryFolder, until } from "./harness.ts";
import type { HostProcess } from "./harness.ts";

const folder = temporaryFolder();
let azurite: Azurite;
let host: HostProcess;
const start = () =>
  startHostProcess({
    app: fixture("durable"),
    state: join(folder.path, "state"),
    env: { AzureWebJobsStorage: azurite.connectionString, FIXTURE_HUB: "HostTests" },
  });

beforeAll(async () => {
  azurite = await startAzurite();
  host = await start();
});
afterAll(async () => {
  await host.stop();
  await azurite.stop();
  folder[Symbol.dispose]();
});

const post = (path: string, body: unknown) => host.call(path, { method: "POST", body: JSON.stringify(body) });
interface Status {
  runtimeStatus: string;
  customStatus: unknown;
  output: unknown;
}
const status = async (id: string) => {
  const { text } = await host.call(`/api/status/${id}`);
  return text === "" ? undefined : (JSON.parse(text) as Status);
};
const reaches = (id: string, what: (status: Status) => boolean) =>
  until(`${id} to be there`, async () => {
    const now = await status(id);
    return now && what(now) ? now : undefined;
  });

describe("the durable client in an app", () => {
  test("starts, signals and queries an orchestration, and the answer's URLs work from outside", async () => {
    const started = await post("/api/start/one", { first: "Ann" });
    expect(started.status).toBe(202);
    const urls = JSON.parse(started.text) as { id: string; statusQueryGetUri: string; sendEventPostUri: string };
    expect(urls.id).toBe("one");
    expect(new URL(urls.statusQueryGetUri).origin).toBe(host.url);
    expect(started.text).not.toContain("/durabletask/H");
    await reaches("one", ({ customStatus }) => (customStatus as { waiting?: boolean } | null)?.waiting === true);
    expect((await host.call(urls.statusQueryGetUri)).status).toBe(202);
    const raised = await fetch(urls.sendEventPostUri.replace("{eventName}", "second"), {
      method: "POST",
      body: '"12"',
      headers: { "content-type": "application/json" },
    });
    expect(raised.status).toBe(202);
    const ended = await reaches("one", ({ runtimeStatus }) => runtimeStatus === "Completed");
    // A text that looks like a number stays a text.
    expect(ended.output).toEqual(["hello Ann string one", "hello 12 string one"]);
    expect((await host.call(urls.statusQueryGetUri)).status).toBe(200);
  });

  test("goes on after kill -9", async () => {
    await post("/api/start/two", { first: "Bob" });
    await reaches("two", ({ customStatus }) => customStatus !== null);
    await host.kill();
    host = await start();
    expect((await post("/api/raise/two/second", "Eve")).status).toBe(202);
    const ended = await reaches("two", ({ runtimeStatus }) => runtimeStatus === "Completed");
    expect(ended.output).toEqual(["hello Bob string two", "hello Eve string two"]);
  });
});

describe("the management API", () => {
  test("asks for its key, and the app's own way in cannot be guessed", async () => {
    const { master, function: fn, system } = host.keys;
    const web = "/runtime/webhooks/durabletask/instances/one";
    for (const code of ["", "wrong", fn, system.eventgrid_extension]) {
      expect((await host.call(`${web}?code=${code}`)).status).toBe(401);
      expect((await host.call(`${web}/terminate?code=${code}`, { method: "POST" })).status).toBe(401);
    }
    for (const code of [master, system.durabletask_extension])
      expect((await host.call(`${web}?code=${code}`)).status).toBe(200);
    for (const path of ["/durabletask/instances/one", "/durabletask//instances/one", "/durabletask/x/instances/one"]) {
      expect((await host.call(path)).status).toBe(404);
      expect((await host.call(`${path}?code=${master}`)).status).toBe(404);
    }
  });
});
