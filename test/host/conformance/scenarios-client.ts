import assert from "node:assert/strict";
import { newId } from "./api.ts";
import type { Scenario, Status } from "./api.ts";

/** The SDK's own client, inside the app: what it makes of the binding and of the answers. */
export const clientScenarios: readonly Scenario[] = [
  {
    name: "client: startNew, getStatus, raiseEvent, terminate",
    async run(api) {
      const id = newId();
      assert.equal(await api.client("startNew", "twoEvents", { instanceId: id, input: { a: 1 } }), id);
      await api.until(id, "Running");
      assert.deepEqual(((await api.client("getStatus", id)) as Status).input, { a: 1 });
      await api.client("raiseEvent", id, "a", "one");
      await api.client("terminate", id, "enough");
      assert.equal((await api.until(id)).runtimeStatus, "Terminated");
      // Ended instances swallow events without a word.
      await api.client("raiseEvent", id, "a", "one");
      await assert.rejects(api.client("raiseEvent", newId(), "a", "one"), /No instance with ID/);
      await assert.rejects(api.client("getStatus", newId()), /404/);
    },
  },
  {
    name: "client: a second startNew while the first runs is rejected",
    async run(api) {
      const id = newId();
      await api.client("startNew", "twoEvents", { instanceId: id });
      await assert.rejects(api.client("startNew", "twoEvents", { instanceId: id }), /already exists/);
      await api.client("suspend", id, "x");
      await api.until(id, "Suspended");
      await assert.rejects(api.client("startNew", "twoEvents", { instanceId: id }), /status Suspended already exists/);
      await api.client("resume", id, "x");
      await api.until(id, "Running");
      await api.client("terminate", id, "x");
    },
  },
  {
    name: "client: startNew without input gives an empty string; a function that is not there starts, and fails",
    async run(api) {
      const none = String(await api.client("startNew", "inputKind", {}));
      assert.deepEqual((await api.until(none)).output, { kind: "string", length: 0 });
      const unknown = String(await api.client("startNew", "noSuchFunction", {}));
      assert.equal((await api.until(unknown)).runtimeStatus, "Failed");
    },
  },
  {
    name: "client: startNew with a version",
    async run(api) {
      const id = newId();
      await api.client("startNew", "versionOfChild", { instanceId: id, version: "0.9" });
      assert.equal((await api.until(id)).output, "0.9");
    },
  },
  {
    name: "client: getStatusBy, purgeInstanceHistory, purgeInstanceHistoryBy",
    async run(api) {
      const first = await api.run("returnInput", 1);
      const createdTimeFrom = { $date: first.createdTime };
      const found = (await api.client("getStatusBy", { createdTimeFrom, runtimeStatus: ["Completed"] })) as Status[];
      assert.ok(found.some(({ instanceId }) => instanceId === first.instanceId));
      assert.deepEqual(await api.client("purgeInstanceHistory", first.instanceId), { instancesDeleted: 1 });
      assert.deepEqual(await api.client("purgeInstanceHistory", first.instanceId), { instancesDeleted: 0 });
      await api.run("throws");
      const purged = await api.client("purgeInstanceHistoryBy", { createdTimeFrom, runtimeStatus: ["Failed"] });
      assert.ok((purged as { instancesDeleted: number }).instancesDeleted >= 1);
    },
  },
  {
    name: "client: createCheckStatusResponse gives URLs on the caller's host",
    async run(api) {
      const { instanceId } = await api.run("returnInput", 1);
      const response = await fetch(`${api.url}/api/check/${instanceId}`);
      assert.equal(response.status, 202);
      const urls = (await response.json()) as Record<string, string>;
      assert.equal(urls["id"], instanceId);
      assert.equal(new URL(urls["statusQueryGetUri"]!).origin, new URL(api.url).origin);
      assert.equal(response.headers.get("location"), urls["statusQueryGetUri"]);
      assert.equal((await fetch(urls["statusQueryGetUri"]!)).status, 200);
    },
  },
];
