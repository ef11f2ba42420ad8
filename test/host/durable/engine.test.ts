import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createDurable, createMemoryStore } from "../../../local/host/durable/index.ts";
import type { Durable, DurableOptions, Store } from "../../../local/host/durable/index.ts";
import type { MemoryRows } from "../../../local/host/durable/memory-store.ts";
import { createApi, newId } from "../conformance/api.ts";
import type { Api } from "../conformance/api.ts";
import { conformanceApp, serve, workerOf } from "./serve.ts";

const clock = { now: () => Date.now() };

/** Hosts on the same rows, one after the other. */
function machine() {
  const rows: MemoryRows = new Map();
  let stop = async () => {};
  return {
    async start(options: Partial<DurableOptions> = {}): Promise<Api> {
      await stop();
      const served = await serve({ clock, store: createMemoryStore(rows), ...options });
      stop = () => served.stop();
      return createApi(served.url);
    },
    [Symbol.asyncDispose]: () => stop(),
  };
}

/** The app's activities, counted by function. */
async function counting() {
  const worker = workerOf(await conformanceApp());
  const ran: string[] = [];
  let atOnce = 0;
  let most = 0;
  const invokeActivity: DurableOptions["invokeActivity"] = async (name, input, meta) => {
    ran.push(name);
    most = Math.max(most, ++atOnce);
    try {
      return await worker.invokeActivity(name, input, meta);
    } finally {
      atOnce--;
    }
  };
  return { invokeActivity, ran, most: () => most };
}

describe("an instance of another version", () => {
  it("waits for a host that runs it", async () => {
    await using hosts = machine();
    const old = await hosts.start({ defaultVersion: "1.0" });
    const id = newId();
    await old.request("POST", `orchestrators/versionOfChild/${id}?version=2.0`, "");
    await delay(100);
    expect((await old.status(id)).runtimeStatus).toBe("Pending");
    const current = await hosts.start({ defaultVersion: "2.0" });
    expect((await current.until(id)).output).toBe("2.0");
  });

  it("fails where the host is told so", async () => {
    await using hosts = machine();
    const api = await hosts.start({ defaultVersion: "1.0", versionFailureStrategy: "Fail" });
    const id = newId();
    await api.request("POST", `orchestrators/versionOfChild/${id}?version=2.0`, "");
    expect(await api.until(id)).toMatchObject({
      runtimeStatus: "Failed",
      output: expect.stringMatching(/^VersionMismatch/) as string,
    });
  });
});

describe("what has been done is not done again", () => {
  it("when the host is stopped while an activity runs", async () => {
    await using hosts = machine();
    const { invokeActivity, ran } = await counting();
    const api = await hosts.start({ invokeActivity });
    const id = await api.start("program", [{ act: "a" }, { event: "e" }]);
    while (ran.length === 0) await delay(1);
    const next = await hosts.start({ invokeActivity });
    await next.raise(id, "e", "e");
    expect((await next.until(id)).output).toEqual(["a", "e"]);
    expect(ran).toEqual(["labelled"]);
  });

  it("when an activity ends while its instance is suspended, and the host is started again", async () => {
    await using hosts = machine();
    const { invokeActivity, ran } = await counting();
    const api = await hosts.start({ invokeActivity });
    const id = await api.start("races");
    while (ran.length < 2) await delay(1);
    await api.post(id, "suspend", "?reason=x");
    await api.until(id, "Suspended");
    await delay(600);
    const next = await hosts.start({ invokeActivity });
    await next.post(id, "resume", "?reason=x");
    expect((await next.until(id)).runtimeStatus).toBe("Completed");
    expect(ran).toEqual(["wait", "wait"]);
  });

  it("when a sub-orchestration ends, and is purged, while its parent is suspended", async () => {
    await using hosts = machine();
    const { invokeActivity, ran } = await counting();
    const api = await hosts.start({ invokeActivity });
    const id = await api.start("program", [{ sub: [{ event: "e" }, { act: "a" }] }, { act: "b" }]);
    let child: string | undefined;
    while (!child) {
      const running = await api.request("GET", "instances/?runtimeStatus=Running");
      child = (running.json as { instanceId: string }[]).find(({ instanceId }) => instanceId.includes(":"))?.instanceId;
    }
    await api.post(id, "suspend", "?reason=x");
    await api.until(id, "Suspended");
    await api.raise(encodeURIComponent(child), "e", "e");
    await api.until(encodeURIComponent(child), "Completed");
    expect((await api.request("DELETE", `instances/${encodeURIComponent(child)}`)).status).toBe(200);
    const next = await hosts.start({ invokeActivity });
    await next.post(id, "resume", "?reason=x");
    expect((await next.until(id)).output).toEqual([["e", "a"], "b"]);
    expect(ran).toEqual(["labelled", "labelled"]);
    expect((await next.request("GET", `instances/${encodeURIComponent(child)}`)).status).toBe(404);
  });

  it("when the store fails now and then, before or after the write", async () => {
    const { invokeActivity, ran } = await counting();
    const rows: MemoryRows = new Map();
    const memory = createMemoryStore(rows);
    let writes = 0;
    let failures = 0;
    const store: Store = {
      ...memory,
      async commit(change) {
        const write = writes++;
        if (write === 0 || write % 3 !== 0) return memory.commit(change);
        failures++;
        if (write % 2 === 0) await memory.commit(change);
        throw new Error("the store is unwell");
      },
    };
    const served = await serve({ clock, store, invokeActivity });
    const api = createApi(served.url);
    const steps = ["a", "b", "c", "d", "e", "f", "g", "h"].map((act) => ({ act }));
    const status = await api.until(await api.start("program", steps));
    expect(status.output).toEqual(steps.map(({ act }) => act));
    expect(failures).toBeGreaterThan(3);
    expect(ran).toHaveLength(steps.length);
    await served.stop();
  });
});

describe("limits", () => {
  it("of activities at once hold", async () => {
    await using hosts = machine();
    const { invokeActivity, most } = await counting();
    const api = await hosts.start({ invokeActivity, maxConcurrentActivities: 3 });
    expect((await api.run("fansOut", 20)).output).toBe(190);
    expect(most()).toBe(3);
  });
});

describe("the binding of a durable client", () => {
  it("has the URLs that the SDK fills in", async () => {
    const store = createMemoryStore();
    const durable: Durable = createDurable({
      clock,
      store,
      hub: "Hub",
      log: () => {},
      ...workerOf(await conformanceApp()),
    });
    const web = "http://h/runtime/webhooks/durabletask";
    const binding = JSON.parse(durable.clientBinding({ web, rpc: "http://h/durabletask", key: "K" })) as unknown;
    const suffix = "taskHub=Hub&connection=Storage&code=K";
    const instance = `${web}/instances/INSTANCEID`;
    expect(binding).toEqual({
      taskHubName: "Hub",
      connectionName: null,
      creationUrls: {
        createNewInstancePostUri: `${web}/orchestrators/{functionName}[/{instanceId}]?code=K`,
        createAndWaitOnNewInstancePostUri: `${web}/orchestrators/{functionName}[/{instanceId}]?timeout={timeoutInSeconds}&pollingInterval={intervalInSeconds}&code=K`,
      },
      managementUrls: {
        id: "INSTANCEID",
        statusQueryGetUri: `${instance}?${suffix}`,
        sendEventPostUri: `${instance}/raiseEvent/{eventName}?${suffix}`,
        terminatePostUri: `${instance}/terminate?reason={text}&${suffix}`,
        rewindPostUri: `${instance}/rewind?reason={text}&${suffix}`,
        purgeHistoryDeleteUri: `${instance}?${suffix}`,
        restartPostUri: `${instance}/restart?${suffix}`,
        suspendPostUri: `${instance}/suspend?reason={text}&${suffix}`,
        resumePostUri: `${instance}/resume?reason={text}&${suffix}`,
      },
      baseUrl: web,
      requiredQueryStringParameters: "code=K",
      rpcBaseUrl: "http://h/durabletask/",
      httpBaseUrl: null,
    });
  });
});
