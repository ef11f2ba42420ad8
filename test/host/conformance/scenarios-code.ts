import assert from "node:assert/strict";
import type { Scenario } from "./api.ts";

/** The output of a completed run. */
const completed = (status: { runtimeStatus: string; output: unknown }) => {
  assert.equal(status.runtimeStatus, "Completed", JSON.stringify(status.output));
  return status.output;
};

const failed = (status: { runtimeStatus: string; output: unknown }) => {
  assert.equal(status.runtimeStatus, "Failed");
  return String(status.output);
};

/** Activities, retries, timers, sub-orchestrations, continue-as-new: what the code of an orchestrator meets. */
export const codeScenarios: readonly Scenario[] = [
  {
    name: "activities run one after the other, and results come back as sent",
    async run(api) {
      assert.deepEqual(completed(await api.run("chain")), ["Hello Tokyo!", "Hello Seattle!", "Hello London!"]);
      // An activity gets a bare boolean as .NET's text; what it returns stays one.
      const values = ["text", "5", "", 5, 1.5, "True", null, [1, "a"], { a: { b: 1 } }, "none", true];
      assert.deepEqual(completed(await api.run("values")), values);
    },
  },
  {
    name: "input: JSON of any kind; none is null",
    async run(api) {
      for (const input of [{ a: [1, null, "é"] }, "text", 5, true, [1]]) {
        assert.deepEqual(completed(await api.run("returnInput", input)), input);
      }
      assert.deepEqual(completed(await api.run("inputKind")), { kind: "null", length: null });
    },
  },
  {
    name: "a property named Timestamp becomes a Date anywhere in the input",
    async run(api) {
      assert.deepEqual(completed(await api.run("stamped", { Timestamp: "2026-01-01T00:00:00Z" })), { isDate: true });
    },
  },
  {
    name: "an activity's error can be caught, and carries its message",
    async run(api) {
      const { caught } = completed(await api.run("catches")) as { caught: string };
      assert.ok(caught.startsWith("Activity function 'fail' failed: "), caught);
      assert.ok(caught.includes("it broke"));
      assert.ok(caught.includes(" \n "), "reason and details are joined");
    },
  },
  {
    name: "an error that nobody catches fails the instance",
    async run(api) {
      assert.ok(failed(await api.run("throws")).startsWith("Orchestrator function 'throws' failed: on purpose"));
      const through = failed(await api.run("letsThrough"));
      assert.ok(
        through.startsWith("Orchestrator function 'letsThrough' failed: Activity function 'fail' failed: "),
        through,
      );
    },
  },
  {
    name: "retries: an attempt that succeeds ends them, and the next task gets its own id",
    async run(api) {
      const output = completed(await api.run("retries", { times: 2, attempts: 3 }));
      assert.deepEqual(output, { before: "before", got: 3, after: "after" });
    },
  },
  {
    name: "retries: the last failure is thrown, after the timer that ends them",
    async run(api) {
      for (const attempts of [1, 2]) {
        const output = completed(await api.run("retries", { times: 5, attempts })) as Record<string, string>;
        assert.equal(output["before"], "before");
        assert.ok(output["caught"]!.includes(`attempt ${attempts}`), output["caught"]);
        assert.equal(output["after"], "after");
      }
    },
  },
  {
    name: "retries: each failure takes one id for a timer, the last one too",
    async run(api) {
      const id = await api.start("retries", { times: 5, attempts: 2 });
      await api.until(id);
      const { historyEvents } = await api.status(id, "?showHistory=true");
      const kinds = historyEvents!.map((event) => event["EventType"]);
      const expected = ["ExecutionStarted", "TaskCompleted"];
      expected.push("TaskFailed", "TimerCreated", "TimerFired", "TaskFailed", "TimerCreated", "TimerFired");
      assert.deepEqual(kinds, [...expected, "TaskCompleted", "ExecutionCompleted"]);
    },
  },
  {
    name: "retries: delays grow by the coefficient up to the maximum",
    async run(api) {
      const id = await api.start("backsOff");
      assert.equal(completed(await api.until(id)), 4);
      const { historyEvents } = await api.status(id, "?showHistory=true");
      const delays = historyEvents!
        .filter((event) => event["EventType"] === "TimerCreated")
        .map((event) => Date.parse(String(event["FireAt"])) - Date.parse(String(event["Timestamp"])));
      // Counted from the start of the step, so a little less remains when it is written.
      assert.deepEqual(
        delays.map((ms) => Math.round(ms / 500) * 500),
        [1000, 1500, 1500],
      );
    },
  },
  {
    name: "Task.all waits for all, Task.any for the first",
    async run(api) {
      assert.equal(completed(await api.run("fansOut", 12)), 66);
      assert.equal(completed(await api.run("races")), "fast");
    },
  },
  {
    name: "Task.all throws at the first failure; the instance ends when its siblings have",
    async run(api) {
      const id = await api.start("allFails");
      assert.equal(completed(await api.until(id)), true);
      const { historyEvents } = await api.status(id, "?showHistory=true");
      assert.equal(historyEvents!.filter((event) => event["EventType"] === "TaskCompleted").length, 1);
    },
  },
  {
    // A queue counts the time until its message shows, in whole seconds.
    name: "a timer fires at its instant, or less than a second before",
    async run(api) {
      const waited = Number(completed(await api.run("timer", 2)));
      assert.ok(waited >= 1000 && waited < 10_000, `waited ${waited} ms`);
    },
  },
  {
    name: "an instance with an open timer stays Running; a cancelled one lets it end",
    async run(api) {
      const begun = performance.now();
      const open = await api.start("openTimer");
      assert.equal(completed(await api.run("openTimer", "cancel")), "returned");
      assert.ok(performance.now() - begun < 2900, "the cancelled timer did not hold it up");
      assert.equal((await api.status(open)).runtimeStatus, "Running");
      assert.equal(completed(await api.until(open)), "returned");
      assert.ok(performance.now() - begun >= 2900, "the open timer did");
    },
  },
  {
    name: "a sub-orchestration knows its parent; its id is the parent's execution and its sequence id",
    async run(api) {
      const id = await api.start("parent");
      const output = completed(await api.until(id)) as { hello: string; parent: string; id: string };
      assert.equal(output.hello, "Hello sub!");
      assert.equal(output.parent, id);
      assert.match(output.id, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}:0$/);
      const childId = `${id}-child`;
      const named = completed(await api.run("parent", { childId })) as { id: string };
      assert.equal(named.id, childId);
      assert.equal((await api.status(childId)).runtimeStatus, "Completed");
      assert.deepEqual(completed(await api.run("parentOfMany")), ["Hello a!", "Hello b!", "Hello c!"]);
    },
  },
  {
    name: "a sub-orchestration's failure can be caught, and retried",
    async run(api) {
      const { caught } = completed(await api.run("parentCatches")) as { caught: string };
      assert.ok(caught.includes("Orchestrator function 'child' failed: the child broke"), caught);
      assert.deepEqual(completed(await api.run("parentRetries")), { got: 3, after: "after" });
    },
  },
  {
    name: "continue-as-new begins again with a new input and an empty history",
    async run(api) {
      const id = await api.start("countsDown", { n: 5, seen: 0 });
      const status = await api.until(id);
      assert.deepEqual(completed(status), { seen: 5 });
      assert.deepEqual(status.input, { n: 0, seen: 5 });
      assert.deepEqual(status.customStatus, { n: 0 });
      const { historyEvents } = await api.status(id, "?showHistory=true");
      assert.equal(historyEvents!.filter((event) => event["EventType"] === "TaskCompleted").length, 1);
    },
  },
  {
    name: "custom status shows while it is set; one that is not truthy clears it",
    async run(api) {
      const id = await api.start("statuses");
      await api.untilCustom(id, { step: 1, text: "é" });
      await api.raise(id, "next", null);
      await api.untilCustom(id, "plain");
      await api.raise(id, "next", null);
      await api.untilCustom(id, null);
      await api.raise(id, "next", null);
      assert.equal((await api.until(id)).runtimeStatus, "Completed");
    },
  },
  {
    name: "a custom status of more than 16 KB in UTF-16 fails the instance",
    async run(api) {
      completed(await api.run("longStatus", 8_000));
      assert.match(
        failed(await api.run("longStatus", 9_000)),
        /must not exceed 16 KB. The current payload size is 17 KB/,
      );
    },
  },
  {
    name: "versions: the default is stamped on instances, sub-orchestrations can have their own",
    async run(api) {
      assert.deepEqual(completed(await api.run("versions")), { own: "1.0", child: "1.0", given: "0.5" });
    },
  },
  {
    name: "time and guids are the same on replay",
    async run(api) {
      const { guids, times } = completed(await api.run("deterministic")) as { guids: string[]; times: string[] };
      assert.notEqual(guids[0], guids[1]);
      assert.ok(Date.parse(times[1]!) >= Date.parse(times[0]!));
    },
  },
  {
    name: "code that asks for something else on replay is named as non-deterministic",
    async run(api) {
      assert.ok(failed(await api.run("unsteady")).startsWith("Non-Deterministic workflow detected: "));
    },
  },
  {
    name: "an orchestrator that yields no task fails, and says so",
    async run(api) {
      assert.ok(failed(await api.run("yieldsPromise")).includes("Only Task types can be yielded"));
    },
  },
  {
    name: "values of megabytes pass unharmed",
    async run(api) {
      for (const char of ["a", "é", "\u{1F511}"]) {
        const { same, length, text } = completed(await api.run("longValues", { length: 400_000, char })) as Record<
          string,
          unknown
        >;
        assert.equal(same, true);
        assert.equal(length, 400_000 * char.length);
        assert.ok(text === char.repeat(400_000));
      }
      const input = "x".repeat(700_000);
      assert.deepEqual(completed(await api.run("inputKind", input)), { kind: "string", length: 700_000 });
    },
  },
  {
    name: "what is not there is said: entities, unknown activities, retries behind a failed Task.all",
    only: "stand-in",
    async run(api) {
      assert.match(failed(await api.run("callsEntity")), /not supported here/);
      assert.match(failed(await api.run("callsUnknown")), /The function 'noSuchActivity' doesn't exist/);
      assert.match(
        failed(await api.run("looksBack")),
        /disagree on id 2: a timer to the one, activity 'echo' to the other/,
      );
    },
  },
];
