import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import type { Scenario } from "./api.ts";

/**
 * External events, terminate, suspend and resume. Events are raised to what runs: the extension throws away one that it reads
 * before the instance's start.
 */
export const eventScenarios: readonly Scenario[] = [
  {
    name: "an event ends a wait, a timer ends it otherwise",
    async run(api) {
      const id = await api.start("eventOrTimer", 60);
      await api.until(id, "Running");
      assert.equal((await api.raise(id, "go", { by: "é" })).status, 202);
      assert.deepEqual((await api.until(id)).output, { got: { by: "é" } });
      assert.equal((await api.run("eventOrTimer", 1)).output, "timed out");
    },
  },
  {
    name: "events that come before the wait are kept, first in first out for each name",
    async run(api) {
      const id = await api.start("twoEvents");
      await api.until(id, "Running");
      for (const [name, data] of [
        ["a", 1],
        ["a", 2],
        ["b", 3],
      ] as const)
        await api.raise(id, name, data);
      assert.deepEqual((await api.until(id)).output, [1, 3, 2]);
      const both = await api.start("allEvents");
      await api.until(both, "Running");
      await api.raise(both, "y", "second");
      await api.raise(both, "x", null);
      assert.deepEqual((await api.until(both)).output, [null, "second"]);
    },
  },
  {
    name: "of several that wait for one name the newest is served",
    async run(api) {
      const id = await api.start("newestWaiter");
      await api.until(id, "Running");
      await api.raise(id, "n", 1);
      assert.equal((await api.until(id)).output, "newer");
    },
  },
  {
    name: "the SDK matches event names with regard to case: a wrong case goes unheard",
    async run(api) {
      const id = await api.start("eventOrTimer", 3);
      await api.until(id, "Running");
      await api.raise(id, "GO", 1);
      assert.equal((await api.until(id)).output, "timed out");
    },
  },
  {
    name: "an instance that continues as new hears the events of each round",
    async run(api) {
      const id = await api.start("endless", { rounds: 0 });
      await api.until(id, "Running");
      for (const round of [1, 2, 3]) {
        await api.raise(id, "next", round);
        const until = performance.now() + 10_000;
        while ((await api.status(id)).input === round - 1 && performance.now() < until) await delay(20);
        // Between the event and the new round a further event would be dropped with the old history.
        for (;;) {
          const status = await api.status(id);
          if (status.runtimeStatus === "Completed" || (status.input as { rounds: number }).rounds === round) break;
          await delay(20);
        }
      }
      assert.equal((await api.until(id)).output, 3);
    },
  },
  {
    name: "terminate ends an instance with the reason as output, whatever it waits for",
    async run(api) {
      const id = await api.start("eventOrTimer", 60);
      await api.until(id, "Running");
      assert.equal((await api.post(id, "terminate", "?reason=enough")).status, 202);
      const status = await api.until(id);
      assert.equal(status.runtimeStatus, "Terminated");
      assert.equal(status.output, "enough");
      const untold = await api.start("twoEvents");
      await api.post(untold, "terminate");
      assert.equal((await api.until(untold)).output, null);
    },
  },
  {
    name: "a suspended instance takes nothing in until it is resumed, and then all of it",
    async run(api) {
      const id = await api.start("twoEvents");
      await api.until(id, "Running");
      assert.equal((await api.post(id, "suspend", "?reason=wait")).status, 202);
      assert.equal((await api.until(id, "Suspended")).runtimeStatus, "Suspended");
      for (const [name, data] of [
        ["a", 1],
        ["b", 2],
        ["a", 3],
      ] as const) {
        assert.equal((await api.raise(id, name, data)).status, 202);
      }
      await delay(200);
      assert.equal((await api.status(id)).runtimeStatus, "Suspended");
      assert.equal((await api.post(id, "resume", "?reason=go")).status, 202);
      assert.deepEqual((await api.until(id)).output, [1, 2, 3]);
    },
  },
  {
    name: "a timer that falls due while suspended fires on resume",
    async run(api) {
      const id = await api.start("timer", 4);
      await api.until(id, "Running");
      await api.post(id, "suspend", "?reason=x");
      await api.until(id, "Suspended");
      await delay(4500);
      assert.equal((await api.status(id)).runtimeStatus, "Suspended");
      await api.post(id, "resume", "?reason=x");
      assert.ok(Number((await api.until(id)).output) >= 3000);
    },
  },
  {
    name: "a suspended instance can be terminated",
    async run(api) {
      const id = await api.start("twoEvents");
      await api.until(id, "Running");
      await api.post(id, "suspend", "?reason=x");
      await api.until(id, "Suspended");
      await api.post(id, "terminate", "?reason=over");
      assert.equal((await api.until(id)).runtimeStatus, "Terminated");
    },
  },
  {
    name: "a parent sees the end of a terminated sub-orchestration as a failure",
    only: "stand-in",
    async run(api) {
      const id = await api.start("waitsForChild");
      const childId = `${id}-child`;
      const until = performance.now() + 10_000;
      while ((await api.request("GET", `instances/${childId}`)).status === 404 && performance.now() < until)
        await delay(20);
      await api.until(childId, "Running");
      await api.post(childId, "terminate", "?reason=stopped");
      assert.deepEqual((await api.until(id)).output, { caught: true });
    },
  },
];
