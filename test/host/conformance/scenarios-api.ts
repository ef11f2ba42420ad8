import assert from "node:assert/strict";
import { newId } from "./api.ts";
import type { Api, Scenario, Status } from "./api.ts";

const later = (ms: number) => new Date(Date.now() + ms).toISOString();

async function idsOf(api: Api, query: string): Promise<string[]> {
  const ids: string[] = [];
  let token = "";
  do {
    const answer = await api.request(
      "GET",
      `instances/?${query}`,
      undefined,
      token ? { "x-ms-continuation-token": token } : {},
    );
    assert.equal(answer.status, 200);
    ids.push(...(answer.json as Status[]).map(({ instanceId }) => instanceId));
    token = answer.headers.get("x-ms-continuation-token") ?? "";
  } while (token);
  return ids;
}

/** The management API's statuses and bodies. */
export const apiScenarios: readonly Scenario[] = [
  {
    name: "start answers 202 with the instance's URLs, Location and Retry-After",
    async run(api) {
      const answer = await api.request("POST", "orchestrators/returnInput", "1");
      assert.equal(answer.status, 202);
      const urls = answer.json as Record<string, string>;
      assert.match(urls["id"]!, /^[0-9a-f]{32}$/);
      assert.equal(answer.headers.get("location"), urls["statusQueryGetUri"]);
      assert.equal(answer.headers.get("retry-after"), "10");
      for (const operation of ["terminate", "suspend", "resume"]) {
        assert.ok(urls[`${operation}PostUri`]!.includes(`/instances/${urls["id"]}/${operation}?reason={text}&`));
      }
      assert.ok(urls["sendEventPostUri"]!.includes(`/instances/${urls["id"]}/raiseEvent/{eventName}?`));
    },
  },
  {
    name: "start with timeout and polling interval answers with the output",
    async run(api) {
      const answer = await api.request("POST", "orchestrators/chain?timeout=20&pollingInterval=1", "");
      assert.equal(answer.status, 200);
      assert.deepEqual(answer.json, ["Hello Tokyo!", "Hello Seattle!", "Hello London!"]);
      const waiting = await api.request("POST", "orchestrators/twoEvents?timeout=1&pollingInterval=1", "");
      assert.equal(waiting.status, 202);
    },
  },
  {
    name: "start: a function that is not there starts, and fails; bad JSON is 400",
    async run(api) {
      const unknown = await api.run("noSuchFunction");
      assert.equal(unknown.runtimeStatus, "Failed");
      assert.match(
        String(unknown.output),
        /^Orchestrator function 'noSuchFunction' failed: The function 'noSuchFunction' doesn't exist, is disabled, /,
      );
      assert.equal((await api.request("POST", "orchestrators/chain", "{bad")).status, 400);
      assert.equal((await api.request("GET", "orchestrators/chain")).status, 404);
    },
  },
  {
    name: "functions are found without regard to case",
    async run(api) {
      assert.equal((await api.run("RETURNINPUT", 7)).output, 7);
    },
  },
  {
    name: "a second start while the first runs is refused with 409; after its end it replaces it",
    async run(api) {
      const id = await api.start("twoEvents");
      await api.until(id, "Running");
      const second = await api.request("POST", `orchestrators/chain/${id}`, "");
      assert.equal(second.status, 409);
      assert.deepEqual(second.json, { Message: "An Orchestration instance with the status Running already exists." });
      await api.post(id, "terminate", "?reason=x");
      await api.until(id);
      await api.start("returnInput", "again", id);
      const status = await api.until(id, "Completed");
      assert.equal(status.output, "again");
      assert.equal(status.name, "returnInput");
      const { historyEvents } = await api.status(id, "?showHistory=true");
      assert.equal(historyEvents!.length, 2);
    },
  },
  {
    name: "status: 202 with Location while it runs, 200 at the end, 404 when unknown, 500 on failure if asked",
    async run(api) {
      const id = await api.start("twoEvents", { x: 1 });
      await api.until(id, "Running");
      const running = await api.request("GET", `instances/${id}`);
      assert.equal(running.status, 202);
      assert.ok(running.headers.get("location")!.includes(`/instances/${id}`));
      const status = running.json as Status;
      assert.deepEqual([status.name, status.instanceId, status.output], ["twoEvents", id, null]);
      assert.match(status.createdTime, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      assert.deepEqual((await api.status(id, "?showInput=false")).input, null);
      await api.post(id, "terminate", "?reason=x");
      await api.until(id);
      assert.equal((await api.request("GET", `instances/${id}`)).status, 200);
      const failed = await api.start("throws");
      await api.until(failed);
      assert.equal((await api.request("GET", `instances/${failed}`)).status, 200);
      assert.equal(
        (await api.request("GET", `instances/${failed}?returnInternalServerErrorOnFailure=true`)).status,
        500,
      );
      assert.equal((await api.request("GET", `instances/${newId()}`)).status, 404);
    },
  },
  {
    name: "history: named events, folded; results only when asked for",
    async run(api) {
      const id = await api.start("chain");
      await api.until(id);
      const { historyEvents: plain } = await api.status(id, "?showHistory=true");
      const kinds = ["ExecutionStarted", "TaskCompleted", "TaskCompleted", "TaskCompleted", "ExecutionCompleted"];
      assert.deepEqual(
        plain!.map((event) => event["EventType"]),
        kinds,
      );
      assert.equal(plain![0]!["FunctionName"], "chain");
      assert.equal(plain![1]!["FunctionName"], "hello");
      assert.ok(plain![1]!["ScheduledTime"]);
      assert.equal(plain![4]!["OrchestrationStatus"], "Completed");
      assert.ok(plain!.every((event) => !("Result" in event) && !("EventId" in event)));
      const { historyEvents: full } = await api.status(id, "?showHistory=true&showHistoryOutput=true");
      assert.equal(full![1]!["Result"], "Hello Tokyo!");
      assert.equal((await api.status(id)).historyEvents ?? null, null);
    },
  },
  {
    name: "events and commands: 404 for an unknown instance, 410 for one that has ended, 400 for a bad body",
    async run(api) {
      const gone = (await api.run("returnInput", 1)).instanceId;
      for (const operation of ["terminate", "suspend", "resume"]) {
        assert.equal((await api.post(newId(), operation, "?reason=x")).status, 404, operation);
        assert.equal((await api.post(gone, operation, "?reason=x")).status, 410, operation);
      }
      assert.equal((await api.raise(newId(), "go", 1)).status, 404);
      assert.equal((await api.raise(gone, "go", 1)).status, 410);
      const id = await api.start("twoEvents");
      assert.equal((await api.request("POST", `instances/${id}/raiseEvent/a`, "{bad")).status, 400);
      const text = await api.request("POST", `instances/${id}/raiseEvent/a`, "1", { "Content-Type": "text/plain" });
      assert.equal(text.status, 400);
      assert.equal((await api.request("POST", `instances/${id}/nonsense`)).status, 404);
      await api.post(id, "terminate", "?reason=x");
    },
  },
  {
    name: "list: by state, time and prefix, in pages",
    async run(api) {
      const prefix = newId();
      const made = ["a", "b", "c", "d", "e"].map((name) => `${prefix}-${name}`);
      for (const id of made) await api.start(id.endsWith("e") ? "twoEvents" : "returnInput", 1, id);
      for (const id of made) await api.until(id, id.endsWith("e") ? "Running" : "Completed");
      assert.deepEqual((await idsOf(api, `instanceIdPrefix=${prefix}&top=2`)).toSorted(), made);
      const running = await idsOf(api, `instanceIdPrefix=${prefix}&runtimeStatus=Running,Pending`);
      assert.deepEqual(running, [made[4]]);
      assert.deepEqual(await idsOf(api, `instanceIdPrefix=${prefix}&createdTimeFrom=${later(3600_000)}`), []);
      assert.equal((await idsOf(api, `instanceIdPrefix=${prefix}&createdTimeFrom=${later(-3600_000)}`)).length, 5);
      await api.post(made[4]!, "terminate", "?reason=x");
    },
  },
  {
    name: "purge: one, many by time and state; what is gone is 404",
    async run(api) {
      const one = (await api.run("returnInput", 1)).instanceId;
      const purged = await api.request("DELETE", `instances/${one}`);
      assert.equal(purged.status, 200);
      assert.equal((purged.json as { instancesDeleted: number }).instancesDeleted, 1);
      assert.equal((await api.request("DELETE", `instances/${one}`)).status, 404);
      assert.equal((await api.request("GET", `instances/${one}`)).status, 404);
      assert.equal((await api.request("DELETE", "instances/")).status, 400);
      const future = `createdTimeFrom=${later(3600_000)}`;
      assert.equal((await api.request("DELETE", `instances/?${future}`)).status, 404);
      const failed = await api.run("throws");
      const kept = await api.run("returnInput", 1);
      const from = `createdTimeFrom=${failed.createdTime}`;
      const many = await api.request("DELETE", `instances/?${from}&runtimeStatus=Failed`);
      assert.ok((many.json as { instancesDeleted: number }).instancesDeleted >= 1);
      assert.equal((await api.request("GET", `instances/${failed.instanceId}`)).status, 404);
      assert.equal((await api.status(kept.instanceId)).runtimeStatus, "Completed");
      // The id is free again.
      await api.start("returnInput", 2, one);
      assert.equal((await api.until(one)).output, 2);
    },
  },
  {
    name: "restart runs the same input again, under a new id or the old one",
    async run(api) {
      const { instanceId } = await api.run("returnInput", { n: 1 });
      const fresh = await api.post(instanceId, "restart");
      assert.equal(fresh.status, 202);
      const { id } = fresh.json as { id: string };
      assert.notEqual(id, instanceId);
      assert.deepEqual((await api.until(id)).output, { n: 1 });
      const same = await api.post(instanceId, "restart", "?restartWithNewInstanceId=false");
      assert.equal((same.json as { id: string }).id, instanceId);
      assert.equal((await api.post(newId(), "restart")).status, 400);
      const running = await api.start("twoEvents");
      await api.until(running, "Running");
      assert.equal((await api.post(running, "restart", "?restartWithNewInstanceId=false")).status, 409);
      await api.post(running, "terminate", "?reason=x");
    },
  },
  {
    name: "what the stand-in leaves out it names: entities, rewind",
    only: "stand-in",
    async run(api) {
      assert.equal((await api.request("GET", "entities/counter/one")).status, 501);
      const { instanceId } = await api.run("throws");
      assert.equal((await api.post(instanceId, "rewind", "?reason=x")).status, 501);
    },
  },
];
