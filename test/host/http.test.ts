import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fixture, HostEnded, readRecord, startHostProcess, temporaryFolder, until } from "./harness.ts";
import type { HostProcess } from "./harness.ts";

const folder = temporaryFolder();
const record = join(folder.path, "record");
let host: HostProcess;

beforeAll(async () => {
  const settings = join(folder.path, "local.settings.json");
  writeFileSync(settings, JSON.stringify({ Values: { FROM_FILE: "file", FROM_ENV: "file" } }));
  const env = { FIXTURE_RECORD: record, FROM_ENV: "environment", "AzureWebJobs.disabled.Disabled": "true" };
  host = await startHostProcess({ app: fixture("app"), state: join(folder.path, "state"), settings, env });
});
afterAll(async () => {
  await host.stop();
  folder[Symbol.dispose]();
});

const json = async (path: string, init?: RequestInit) =>
  JSON.parse((await host.call(path, init)).text) as Record<string, unknown>;

describe("an HTTP trigger", () => {
  test("gets the request as it was sent, and its answer is sent back", async () => {
    const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const answer = await host.call("/api/echo/5/a/b%20c?x=1&x=2&empty=&X=3", {
      method: "POST",
      body: "a body",
      headers: [
        ["x-multi", "1"],
        ["x-multi", "2"],
        ["x-ms-client-principal", "as sent"],
        ["traceparent", trace],
      ],
    });
    expect(answer.status).toBe(201);
    expect(answer.headers.get("x-answer")).toBe("yes");
    expect(answer.headers.getSetCookie()).toEqual(["c=a%20b; max-age=60; path=/; samesite=lax; httponly"]);
    expect(JSON.parse(answer.text)).toEqual({
      method: "POST",
      url: `${host.url}/api/echo/5/a/b%20c?x=1&x=2&empty=&X=3`,
      params: { id: "5", rest: "a/b c" },
      query: [
        ["x", "1,2,3"],
        ["empty", ""],
      ],
      principal: "as sent",
      header: "1, 2",
      body: "a body",
      trace,
      function: "echo",
    });
  });

  test("is found by its route's constraints, the narrowest first", async () => {
    const guid = "6f9619ff-8b86-d011-b42d-00c04fc964ff";
    expect((await host.call(`/api/things/${guid}`)).text).toBe(`guid ${guid}`);
    expect((await host.call("/api/things/special")).text).toBe("literal");
    expect((await host.call("/api/THINGS/other")).text).toBe("name other");
    expect(await json("/api/maybe")).toEqual({});
    expect(await json("/api/maybe/1")).toEqual({ id: "1" });
  });

  test("answers 404 for what no route takes, a wrong method included", async () => {
    for (const path of [
      "/api/echo/x/rest",
      "/echo/5/rest",
      "/api/unknown",
      "/api/disabled",
      "/runtime/webhooks/other",
    ]) {
      expect([path, (await host.call(path)).status]).toEqual([path, 404]);
    }
    expect((await host.call("/api/echo/5/rest", { method: "DELETE" })).status).toBe(404);
    expect((await host.call("/api/echo/5/rest", { method: "HEAD" })).status).toBe(404);
  });

  test("answers 204 when it returns nothing, and 500 with nothing when it throws", async () => {
    expect(await host.call("/api/nothing")).toMatchObject({ status: 204, text: "" });
    expect(await host.call("/api/throws")).toMatchObject({ status: 500, text: "" });
    await until("the log", () => host.log().includes("error throws failed: Error: with reason\n") || undefined);
  });

  test("is given up at functionTimeout", async () => {
    const started = performance.now();
    expect(await host.call("/api/stuck")).toMatchObject({ status: 500, text: "" });
    expect(performance.now() - started).toBeGreaterThan(4900);
    const sentence = "error stuck failed: Error: Timeout value of 5 s was exceeded by function: stuck";
    await until("the log", () => host.log().includes(sentence) || undefined);
  });

  test("runs between the app's hooks, which may change what it gets and gives", async () => {
    expect((await host.call("/api/hooked")).text).toBe("pre handler post");
    expect((await host.call("/api/forgiven")).text).toBe("forgiven");
    expect(readRecord(record)[0]).toEqual({ hook: "appStart" });
  });

  test("logs one line each, after the app's log hooks", async () => {
    await host.call("/api/logs");
    await until("the log", () => host.log().includes("information - printed\n") || undefined);
    expect(host.log()).toContain(String.raw`information logs first line\nsecond line with [redacted]` + "\n");
    expect(host.log()).not.toContain("unheard");
  });

  test("sees the settings, its host's name and its own folder", async () => {
    expect(await json("/api/environment")).toEqual({
      host: new URL(host.url).host,
      folder: fixture("app"),
      fromFile: "file",
      fromEnv: "environment",
    });
  });
});

describe("a body", () => {
  test("of many megabytes arrives whole", async () => {
    const body = Buffer.alloc(20_000_000, "x");
    expect((await host.call("/api/size", { method: "POST", body })).text).toBe("20000000");
  });

  test("that says it is over 100 MB is refused before it is read, and the host goes on", async () => {
    const answer = await raw(`POST /api/size HTTP/1.1\r\nHost: x\r\nContent-Length: 104857601\r\n\r\nxxx`);
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
    expect(answer.toLowerCase()).toContain("connection: close");
    expect((await host.call("/api/size", { method: "POST", body: "x" })).text).toBe("1");
  });

  test("that grows over 100 MB without saying so is refused too", { timeout: 60_000 }, async () => {
    let sent = 0;
    const body = new ReadableStream({
      pull(controller) {
        sent += 1_000_000;
        if (sent > 110_000_000) controller.close();
        else controller.enqueue(Buffer.alloc(1_000_000));
      },
    });
    const init = { method: "POST", body, duplex: "half" } as RequestInit;
    // A client that is still writing may see the answer, or the end of the connection.
    const status = await host.call("/api/size", init).then(
      (answer) => answer.status,
      () => 413,
    );
    expect(status).toBe(413);
    expect((await host.call("/api/size", { method: "POST", body: "x" })).text).toBe("1");
  });

  test("is not asked for by a request that is refused", async () => {
    expect(await raw("POST /api/keyed HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")).toMatch(/^HTTP\/1.1 401 /);
  });

  test.each([
    "GET http://elsewhere/api/hooked HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /api/hooked HTTP/1.1\r\nHost: a b\r\n\r\n",
  ])("is no concern of a malformed request: %j", async (text) => {
    expect(await raw(text)).toMatch(/^HTTP\/1.1 400 /);
  });

  /** Sends bytes as they are and gives what comes back until the first answer's head is there. */
  async function raw(text: string): Promise<string> {
    const socket = connect(Number(new URL(host.url).port), "127.0.0.1");
    socket.on("error", () => {});
    socket.write(text);
    let answer = "";
    socket.on("data", (chunk: Buffer) => (answer += chunk.toString()));
    await until("an answer", () => (answer.includes("\r\n\r\n") ? true : undefined));
    socket.destroy();
    return answer;
  }
});

describe("keys", () => {
  const status = async (path: string, key?: string) =>
    (await host.call(path, key === undefined ? {} : { headers: { "x-functions-key": key } })).status;

  test("open functions by level, as header or as code", async () => {
    const { master, function: fn, system } = host.keys;
    const wrong = `${fn.slice(0, -1)}${fn.endsWith("A") ? "B" : "A"}`;
    for (const key of [undefined, "", "x", wrong, system.eventgrid_extension])
      expect(await status("/api/keyed", key)).toBe(401);
    expect(await status("/api/keyed", fn)).toBe(200);
    expect(await status("/api/keyed", master)).toBe(200);
    expect(await status(`/api/keyed?code=${fn}`)).toBe(200);
    expect(await status(`/api/keyed?code=${wrong}`)).toBe(401);
    expect(await status(`/api/keyed?code=${fn}`, wrong)).toBe(401);
    expect(await status("/api/masterOnly", fn)).toBe(401);
    expect(await status("/api/masterOnly", master)).toBe(200);
  });

  test("the master key opens the host's own endpoints", async () => {
    const { master, function: fn } = host.keys;
    expect(await status("/admin/host/ping")).toBe(200);
    for (const path of ["/admin/host/status", "/admin/functions", "/admin/anything"]) {
      expect([path, await status(path), await status(path, fn)]).toEqual([path, 401, 401]);
    }
    expect(await json(`/admin/host/status?code=${master}`)).toMatchObject({ state: "Running" });
    const functions = JSON.parse((await host.call(`/admin/functions?code=${master}`)).text) as { name: string }[];
    expect(functions.find(({ name }) => name === "echo")).toMatchObject({
      invoke_url_template: `${host.url}/api/echo/{id:int}/{*rest}`,
      config: { bindings: [{ type: "httpTrigger" }, { name: "$return" }] },
    });
    expect(functions.find(({ name }) => name === "disabled")).toBeUndefined();
    expect(await status("/admin/anything", master)).toBe(404);
  });

  test("stay the same over a restart", async () => {
    using other = temporaryFolder();
    const options = { app: fixture("cjs"), state: other.path };
    const first = await startHostProcess(options);
    await first.kill();
    const second = await startHostProcess(options);
    expect(second.keys).toEqual(first.keys);
    expect(await second.stop()).toBe(0);
  });
});

describe("an app", () => {
  test("of CommonJS files named by a glob is loaded with require", async () => {
    using other = temporaryFolder();
    const cjs = await startHostProcess({ app: fixture("cjs"), state: other.path });
    expect([cjs.functions, (await cjs.call("/a")).text, (await cjs.call("/b")).text]).toEqual([2, "a", "b"]);
    expect(await cjs.stop()).toBe(0);
  });

  test("ends what runs before the host ends", async () => {
    using other = temporaryFolder();
    const env = { FIXTURE_RECORD: join(other.path, "record") };
    const stopping = await startHostProcess({ app: fixture("app"), state: other.path, env });
    const slow = stopping.call("/api/slow");
    await new Promise((resolve) => setTimeout(resolve, 300));
    const code = stopping.stop();
    expect(await slow).toMatchObject({ status: 200, text: "done" });
    expect(await code).toBe(0);
    expect(readRecord(env.FIXTURE_RECORD)).toEqual([{ hook: "appStart" }, { hook: "appTerminate" }]);
  });

  const broken: [what: string, file: string, content: string, message: string][] = [
    ["throws at load", "main.mjs", "await 0; throw new Error('no such luck');", "could not be started: no such luck"],
    [
      "matches no file",
      "package.json",
      '{"type":"module","main":"none/*.js"}',
      'is "none/*.js", which matches no file',
    ],
    ["names no main", "package.json", '{"type":"module"}', 'has no "main"'],
    ["is no JSON", "host.json", "{", "could not be started: "],
    [
      "uses an unserved binding",
      "main.mjs",
      "import { app } from '@azure/functions'; app.storageBlob('b', { path: 'c/{n}', handler() {} });",
      'The function "b" uses the trigger "blobTrigger", which this host does not serve.',
    ],
    [
      "registers one name twice",
      "main.mjs",
      "import { app } from '@azure/functions'; for (const n of [1, 2]) app.http('twice', { handler() {} });",
      'A function with id "twice" has already been registered.',
    ],
  ];
  test.each(broken)("that %s ends the host with 1 and a sentence", async (_, file, content, message) => {
    using other = temporaryFolder();
    // Beside the fixtures, so that the libraries are found.
    const app = mkdtempSync(fixture("broken-"));
    cpSync(fixture("cjs"), app, { recursive: true });
    try {
      writeFileSync(join(app, "package.json"), '{"type":"module","main":"main.mjs"}');
      writeFileSync(join(app, "main.mjs"), "");
      writeFileSync(join(app, file), content);
      const error = await startHostProcess({ app, state: other.path }).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(HostEnded);
      expect((error as HostEnded).code).toBe(1);
      expect((error as HostEnded).message.split("\n")[0]).toContain(message);
      expect((error as HostEnded).message).toContain("\n    at ");
    } finally {
      rmSync(app, { recursive: true, force: true });
    }
  });
});
